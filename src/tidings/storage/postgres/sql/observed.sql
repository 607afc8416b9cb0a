-- name: server
-- Which PostgreSQL this is, how durable its commits are, and since when the oldest snapshot in this
-- database is held: rows that were replaced since then can't be cleaned up (mechanics G2).
SELECT
    current_setting('server_version_num')::integer AS version,
    current_setting('server_version') AS shown,
    pg_is_in_recovery() AS standby,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('fsync')::boolean AS fsync,
    (
        SELECT coalesce(max(extract(EPOCH FROM clock_timestamp() - xact_start)), 0)::float8
        FROM pg_stat_activity
        WHERE datname = current_database() AND backend_xmin IS NOT NULL
    ) AS oldest_snapshot_seconds,
    extract(EPOCH FROM clock_timestamp())::float8 AS now_seconds
