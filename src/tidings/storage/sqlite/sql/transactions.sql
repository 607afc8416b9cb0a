-- name: begin_write
-- Take the write lock at once, so that what is read is the last that was committed (mechanics D6).
BEGIN IMMEDIATE

-- name: begin_read
-- A snapshot, which the first read takes.
BEGIN DEFERRED

-- name: commit
-- Make it durable.
COMMIT

-- name: rollback
-- Undo the whole transaction.
ROLLBACK

-- name: begin_one
-- Fence one write of a group off from the others.
SAVEPOINT one

-- name: keep_one
-- The write stays.
RELEASE one

-- name: undo_one
-- The write is undone; the group goes on.
ROLLBACK TO one

-- name: probe_write
-- Write a row that nobody sees: it is gone again in the same transaction.
INSERT INTO application (account, application, solution) VALUES ('', '', '')

-- name: probe_undo
-- The other half of the probe.
DELETE FROM application WHERE account = '' AND application = ''
