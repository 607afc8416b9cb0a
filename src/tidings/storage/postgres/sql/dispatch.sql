-- name: free_leases
-- Leases that may be taken: ended, one's own, or all of them; looked at without a lock.
SELECT bucket
FROM lease
WHERE
    bucket = ANY($1::smallint [])
    AND (
        ends_at <= floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint
        OR holder = $2 OR $3::boolean
    )
ORDER BY bucket

-- name: lock_lease
-- A lease that may still be taken: before its epoch changes, whoever fences by it must have
-- committed (mechanics D6). One statement a bucket, ascending.
SELECT bucket
FROM lease
WHERE
    bucket = $1
    AND (
        ends_at <= floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint
        OR holder = $2 OR $3::boolean
    )
FOR UPDATE

-- name: take_lease
-- A lease at a higher epoch, for so many milliseconds; its row is locked.
UPDATE lease
SET
    holder = $2, epoch = epoch + 1,
    ends_at = floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint + $3::bigint
WHERE bucket = $1
RETURNING bucket, epoch

-- name: renew_lease
-- Lengthen a lease that is still held at its epoch. No column of its key changes, so it goes by
-- those who fence.
UPDATE lease
SET ends_at = floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint + $4::bigint
WHERE bucket = $1 AND epoch = $2 AND holder = $3
RETURNING bucket

-- name: release_lease
-- End a lease that is still held at this epoch; the epoch stays, for the next to exceed.
UPDATE lease SET holder = '', ends_at = 0 WHERE bucket = $1 AND epoch = $2 AND holder = $3

-- name: held_leases
-- Who holds which bucket, in the order of the buckets.
SELECT bucket, holder
FROM lease
WHERE
    bucket = ANY(ARRAY(SELECT generate_series(0, 255)::smallint))
    AND ends_at > floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint

-- name: fence
-- Whether the bucket's epoch is still this one, and stays so until the commit (mechanics D6).
SELECT bucket FROM lease WHERE bucket = $1 AND epoch = $2 FOR KEY SHARE

-- name: checkpoint
-- A bucket's checkpoint.
SELECT position FROM checkpoint WHERE bucket = $1

-- name: save_checkpoints
-- Move buckets' checkpoints.
INSERT INTO checkpoint (bucket, position)
SELECT * FROM unnest($1::smallint [], $2::bigint []) AS given (bucket, position)
ON CONFLICT (bucket) DO UPDATE SET position = excluded.position

-- name: states
-- How far a bucket's webhooks were matched and notified, and when they are reminded.
SELECT bucket, webhook_id, matched, notified, reminders, remind_at, noticed
FROM dispatch_state
WHERE bucket = $1
ORDER BY webhook_id

-- name: save_states
-- How far webhooks were matched and notified, and when they are reminded; each exists, and its row
-- is locked.
INSERT INTO dispatch_state (
    bucket, webhook_id, matched, notified, reminders, remind_at, noticed
)
SELECT *
FROM unnest(
    $1::smallint [], $2::text [], $3::bigint [], $4::bigint [], $5::integer [], $6::bigint [],
    $7::integer []
) AS given (bucket, webhook_id, matched, notified, reminders, remind_at, noticed)
ON CONFLICT (bucket, webhook_id) DO UPDATE
SET
    matched = excluded.matched, notified = excluded.notified, reminders = excluded.reminders,
    remind_at = excluded.remind_at, noticed = excluded.noticed

-- name: debts
-- What a bucket's webhooks are owed.
SELECT
    bucket, webhook_id, owed_through, failures, next_attempt_at, since_at, last_error, revision,
    ended_at
FROM debt
WHERE bucket = $1
ORDER BY webhook_id

-- name: save_debts
-- What webhooks are owed; each exists, and its row is locked.
INSERT INTO debt (
    bucket, webhook_id, owed_through, failures, next_attempt_at, since_at, last_error, revision,
    ended_at
)
SELECT *
FROM unnest(
    $1::smallint [], $2::text [], $3::bigint [], $4::integer [], $5::bigint [], $6::bigint [],
    $7::text [], $8::integer [], $9::bigint []
) AS given (
    bucket, webhook_id, owed_through, failures, next_attempt_at, since_at, last_error, revision,
    ended_at
)
ON CONFLICT (bucket, webhook_id) DO UPDATE
SET
    owed_through = excluded.owed_through, failures = excluded.failures,
    next_attempt_at = excluded.next_attempt_at, since_at = excluded.since_at,
    last_error = excluded.last_error, revision = excluded.revision, ended_at = excluded.ended_at

-- name: pay_debts
-- Nothing is owed any more.
DELETE FROM debt
USING unnest($1::smallint [], $2::text []) AS given (bucket, webhook_id)
WHERE debt.bucket = given.bucket AND debt.webhook_id = given.webhook_id

-- name: note_reads
-- When, by whom and how far webhooks were listed, and so since when their limits count; never back.
-- Each exists, and its row is locked.
INSERT INTO reading (
    bucket, webhook_id, last_listed_at, read_position, listed_by, extended_at
)
SELECT *
FROM unnest(
    $1::smallint [], $2::text [], $3::bigint [], $4::bigint [], $5::text [], $6::bigint []
) AS given (bucket, webhook_id, last_listed_at, read_position, listed_by, extended_at)
ON CONFLICT (bucket, webhook_id) DO UPDATE
SET
    listed_by = CASE
        WHEN excluded.last_listed_at >= reading.last_listed_at THEN excluded.listed_by
        ELSE reading.listed_by
    END,
    last_listed_at = greatest(reading.last_listed_at, excluded.last_listed_at),
    read_position = greatest(reading.read_position, excluded.read_position),
    extended_at = greatest(reading.extended_at, excluded.extended_at)

-- name: tell_reads
-- Leave word of pages that were listed; the last of each webhook.
INSERT INTO read_note (
    bucket, webhook_id, account, key_id, listed_at, read_position, has_more, asked
)
SELECT *
FROM unnest(
    $1::smallint [], $2::text [], $3::text [], $4::text [], $5::bigint [], $6::bigint [],
    $7::boolean [], $8::bigint []
) AS given (bucket, webhook_id, account, key_id, listed_at, read_position, has_more, asked)
ON CONFLICT (bucket, webhook_id) DO UPDATE
SET
    account = excluded.account, key_id = excluded.key_id, listed_at = excluded.listed_at,
    read_position = excluded.read_position, has_more = excluded.has_more, asked = excluded.asked
WHERE read_note.listed_at <= excluded.listed_at

-- name: take_told
-- Take what was left for some buckets.
DELETE FROM read_note
WHERE bucket = ANY($1::smallint [])
RETURNING bucket, webhook_id, account, key_id, listed_at, read_position, has_more, asked

-- name: add_attempts
-- Attempts; nothing where the webhook is gone.
INSERT INTO attempt (
    bucket, webhook_id, attempted_at, notification_id, covered, status, error, elapsed_ms
)
SELECT given.*
FROM unnest(
    $1::smallint [], $2::text [], $3::bigint [], $4::text [], $5::bigint [], $6::integer [],
    $7::text [], $8::bigint []
) AS given (
    bucket, webhook_id, attempted_at, notification_id, covered, status, error, elapsed_ms
)
INNER JOIN webhook
    ON webhook.bucket = given.bucket AND webhook.webhook_id = given.webhook_id

-- name: attempts_of
-- A webhook's newest attempts; those of one that is gone only wait to be dropped.
SELECT
    bucket, webhook_id, attempted_at, notification_id, covered, status, error, elapsed_ms
FROM attempt
WHERE
    bucket = $1 AND webhook_id = $2
    AND EXISTS (
        SELECT 1 FROM webhook WHERE webhook.bucket = $1 AND webhook.webhook_id = $2
    )
ORDER BY attempted_at DESC
LIMIT $3
