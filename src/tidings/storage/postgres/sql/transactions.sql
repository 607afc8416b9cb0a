-- name: begin_write
-- Said in full: under REPEATABLE READ a second appender reads a stale last, without an error
-- (mechanics L2), and a database's default may be that.
BEGIN ISOLATION LEVEL READ COMMITTED

-- name: begin_read
-- One snapshot for several reads.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY

-- name: commit
-- Make it durable, here and, where the cluster is told so, on a standby.
COMMIT

-- name: rollback
-- Undo the whole transaction.
ROLLBACK

-- name: now
-- The database's clock, in milliseconds since 1970 (mechanics L8).
SELECT floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint AS now_ms

-- name: probe_write
-- Write a row that nobody sees: it is gone again in the same transaction.
INSERT INTO application (account, application, solution) VALUES ('', '', '')

-- name: probe_undo
-- The other half of the probe.
DELETE FROM application WHERE account = '' AND application = ''
