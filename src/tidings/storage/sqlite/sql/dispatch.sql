-- name: take_leases
-- Take the leases (a JSON list of buckets) that are free, ended, one's own or a dead server's,
-- each at a higher epoch; say which.
INSERT INTO lease (bucket, holder, epoch, ends_at)
SELECT value, :holder, 1, :ends_at FROM json_each(:buckets) WHERE true
ON CONFLICT (bucket) DO UPDATE
SET holder = excluded.holder, epoch = lease.epoch + 1, ends_at = excluded.ends_at
WHERE lease.ends_at <= :now OR lease.holder = :holder OR :predecessor_gone
RETURNING bucket, epoch

-- name: renew_leases
-- Lengthen those leases (a JSON object of buckets and epochs) that are still held at their epoch.
UPDATE lease SET ends_at = :ends_at
FROM json_each(:epochs) AS renewed
WHERE
    lease.bucket = CAST(renewed.key AS INTEGER) AND lease.epoch = renewed.value
    AND lease.holder = :holder

-- name: held_leases
-- Of such leases the buckets that are still held.
SELECT lease.bucket
FROM json_each(:epochs) AS renewed
CROSS JOIN lease ON lease.bucket = CAST(renewed.key AS INTEGER)
WHERE lease.epoch = renewed.value AND lease.holder = :holder

-- name: release_lease
-- End a lease that is still held at this epoch; the epoch stays, for the next to exceed.
UPDATE lease SET holder = '', ends_at = 0 WHERE bucket = ? AND epoch = ? AND holder = ?

-- name: holders
-- Who holds which bucket.
SELECT bucket, holder FROM lease WHERE ends_at > ?

-- name: lease_held
-- The fence (mechanics D6): whether the bucket's epoch is still this one.
SELECT 1 FROM lease WHERE bucket = ? AND epoch = ?

-- name: checkpoint
-- A bucket's checkpoint.
SELECT position FROM checkpoint WHERE bucket = ?

-- name: save_checkpoint
-- Move a bucket's checkpoint.
INSERT INTO checkpoint (bucket, position) VALUES (?, ?)
ON CONFLICT (bucket) DO UPDATE SET position = excluded.position

-- name: states
-- How far a bucket's webhooks were matched and notified, and when they are reminded.
SELECT bucket, webhook_id, matched, notified, reminders, remind_at, noticed
FROM dispatch_state WHERE bucket = ?
ORDER BY webhook_id

-- name: save_states
-- How far webhooks (a JSON list of rows) were matched and notified, and when they are reminded;
-- nothing where one is gone.
INSERT INTO dispatch_state (
    bucket, webhook_id, matched, notified, reminders, remind_at, noticed
)
SELECT
    given.value ->> 0, given.value ->> 1, given.value ->> 2, given.value ->> 3, given.value ->> 4,
    given.value ->> 5, given.value ->> 6
FROM json_each(?) AS given
WHERE EXISTS (
    SELECT 1 FROM webhook
    WHERE bucket = given.value ->> 0 AND webhook_id = given.value ->> 1
)
ON CONFLICT (bucket, webhook_id) DO UPDATE
SET
    matched = excluded.matched, notified = excluded.notified, reminders = excluded.reminders,
    remind_at = excluded.remind_at, noticed = excluded.noticed

-- name: debts
-- What a bucket's webhooks are owed.
SELECT
    bucket, webhook_id, owed_through, failures, next_attempt_at, since_at, last_error, revision,
    ended_at
FROM debt WHERE bucket = ?
ORDER BY webhook_id

-- name: save_debts
-- What webhooks (a JSON list of rows) are owed; nothing where one is gone.
INSERT INTO debt (
    bucket, webhook_id, owed_through, failures, next_attempt_at, since_at, last_error, revision,
    ended_at
)
SELECT
    given.value ->> 0, given.value ->> 1, given.value ->> 2, given.value ->> 3, given.value ->> 4,
    given.value ->> 5, given.value ->> 6, given.value ->> 7, given.value ->> 8
FROM json_each(?) AS given
WHERE EXISTS (
    SELECT 1 FROM webhook
    WHERE bucket = given.value ->> 0 AND webhook_id = given.value ->> 1
)
ON CONFLICT (bucket, webhook_id) DO UPDATE
SET
    owed_through = excluded.owed_through, failures = excluded.failures,
    next_attempt_at = excluded.next_attempt_at, since_at = excluded.since_at,
    last_error = excluded.last_error, revision = excluded.revision, ended_at = excluded.ended_at

-- name: pay_debt
-- The webhook is owed nothing any more.
DELETE FROM debt WHERE bucket = ? AND webhook_id = ?

-- name: note_reads
-- When, by whom and how far webhooks (a JSON list of rows) were listed, and so since when their
-- limits count; never back, nothing where one is gone.
INSERT INTO reading (
    bucket, webhook_id, last_listed_at, read_position, listed_by, extended_at
)
SELECT
    given.value ->> 0, given.value ->> 1, given.value ->> 2, given.value ->> 3, given.value ->> 4,
    given.value ->> 5
FROM json_each(?) AS given
WHERE EXISTS (
    SELECT 1 FROM webhook
    WHERE bucket = given.value ->> 0 AND webhook_id = given.value ->> 1
)
ON CONFLICT (bucket, webhook_id) DO UPDATE
SET
    listed_by = iif(excluded.last_listed_at >= last_listed_at, excluded.listed_by, listed_by),
    last_listed_at = max(last_listed_at, excluded.last_listed_at),
    read_position = max(read_position, excluded.read_position),
    extended_at = max(extended_at, excluded.extended_at)

-- name: add_attempts
-- Attempts (a JSON list of rows); nothing where the webhook is gone.
INSERT INTO attempt (
    bucket, webhook_id, attempted_at, notification_id, covered, status, error, elapsed_ms
)
SELECT
    given.value ->> 0, given.value ->> 1, given.value ->> 2, given.value ->> 3, given.value ->> 4,
    given.value ->> 5, given.value ->> 6, given.value ->> 7
FROM json_each(?) AS given
WHERE EXISTS (
    SELECT 1 FROM webhook
    WHERE bucket = given.value ->> 0 AND webhook_id = given.value ->> 1
)

-- name: attempts_of
-- A webhook's newest attempts; those of one that is gone only wait to be dropped.
SELECT
    bucket, webhook_id, attempted_at, notification_id, covered, status, error, elapsed_ms
FROM attempt
WHERE
    bucket = ?1 AND webhook_id = ?2
    AND EXISTS (SELECT 1 FROM webhook WHERE webhook.bucket = ?1 AND webhook.webhook_id = ?2)
ORDER BY attempted_at DESC, rowid DESC
LIMIT ?3
