-- name: begin_write
-- Said in full: under REPEATABLE READ a second appender reads a stale last, without an error
-- (mechanics L2), and a database's default may be that.
BEGIN ISOLATION LEVEL READ COMMITTED

-- name: prepare_lock_head
-- Once a connection: lock one bucket's head until the commit. Whoever holds it alone gives the bucket's
-- positions (mechanics L2). It also gives the transaction its id, so that a commit that only answers
-- a repeated key waits for the same durability as any other (L4).
PREPARE lock_head (smallint) AS SELECT bucket FROM head WHERE bucket = $1 FOR NO KEY UPDATE

-- name: lock_patience
-- How long this transaction waits for any one lock. The number is ours.
SET LOCAL lock_timeout = {milliseconds}

-- name: lock_head
-- The same, as it goes over with the begin: one statement a bucket, ascending. The number is ours.
EXECUTE lock_head ({bucket})

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
