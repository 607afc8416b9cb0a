-- name: raise_floors
-- Let the log begin behind this position in all buckets; never back.
UPDATE head SET floor = ?1 WHERE floor < ?1

-- name: drop_entries
-- Of the table's first rows, as many as are within these bytes, those behind the floor. Rows stand
-- in the order of their commits, so the oldest of all buckets lie side by side: a batch touches few
-- pages. One that was stored while the clock was ahead waits, with what follows it, for its time.
DELETE FROM change_log
WHERE
    rowid IN (
        SELECT number
        FROM (
            SELECT number, sum(size) OVER (ORDER BY number) - size AS bytes_before
            FROM (
                SELECT rowid AS number, length(body) AS size
                FROM change_log
                ORDER BY rowid
                LIMIT :rows
            )
        )
        WHERE bytes_before < :bytes
    )
    AND position <= (SELECT floor FROM head WHERE head.bucket = change_log.bucket)

-- name: drop_revisions
-- Revisions that no position behind the floor asks for any more.
DELETE FROM webhook_revision
WHERE rowid IN (
    SELECT rowid FROM webhook_revision
    WHERE superseded_position <= (SELECT min(floor) FROM head)
    LIMIT :rows
)

-- name: drop_attempts
-- Of the table's first rows those from before an instant; rows stand in the order of attempts.
DELETE FROM attempt
WHERE
    rowid IN (SELECT rowid FROM attempt ORDER BY rowid LIMIT :rows)
    AND attempted_at < :before

-- name: drop_idempotency_keys
-- Of the table's first rows those from before an instant; rows stand in the order of use.
DELETE FROM idempotency
WHERE
    rowid IN (SELECT rowid FROM idempotency ORDER BY rowid LIMIT :rows)
    AND kept_at < :before
