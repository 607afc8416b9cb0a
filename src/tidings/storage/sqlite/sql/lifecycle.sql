-- name: paused
-- How long no sweeper ran, in all, in milliseconds (mechanics L8).
SELECT paused_ms FROM sweep

-- name: sweep_time
-- When the last sweep was, and how long none ran, in all.
SELECT swept_at, paused_ms FROM sweep

-- name: keep_time
-- Store a sweep's time, unless another one was faster.
UPDATE sweep SET swept_at = ?, paused_ms = ? WHERE swept_at IS ? AND paused_ms = ?

-- name: next_due
-- When a webhook in this stage must be looked at, in wall time; not those that never need it.
SELECT min(webhook.due_at) + (SELECT paused_ms FROM sweep)
FROM webhook
WHERE webhook.stage = ? AND webhook.due_at < ?

-- name: due
-- Webhooks in a stage that must be looked at by now (in lifecycle time), and since when their
-- limits count.
SELECT
    webhook.bucket, webhook.webhook_id,
    max(webhook.extended_at, coalesce(reading.extended_at, 0))
FROM webhook
LEFT JOIN reading
    ON reading.bucket = webhook.bucket AND reading.webhook_id = webhook.webhook_id
WHERE webhook.stage = ? AND webhook.due_at <= ?
ORDER BY webhook.due_at
LIMIT ?

-- name: put_off
-- It was listed meanwhile: look at it again when its step is due.
UPDATE webhook SET due_at = ? WHERE bucket = ? AND webhook_id = ? AND stage = ?

-- name: enter_stage
-- Move a webhook to its next stage, if it is still in that one.
UPDATE webhook
SET
    stage = :enters, staged_at = :now, due_at = :due_at, revision = revision + 1,
    noticed = iif(:warns, revision + 1, NULL)
WHERE bucket = :bucket AND webhook_id = :webhook_id AND stage = :leaves

-- name: extend
-- Let a webhook's limits count from `extended_at` (lifecycle time) on, unless its end has come: the
-- opposite of what a sweep asks before it deletes (mechanics P7).
INSERT INTO reading (
    bucket, webhook_id, last_listed_at, read_position, listed_by, extended_at
)
SELECT webhook.bucket, webhook.webhook_id, :now, webhook.start_position, :listed_by, :extended_at
FROM webhook
LEFT JOIN reading AS last
    ON last.bucket = webhook.bucket AND last.webhook_id = webhook.webhook_id
WHERE
    webhook.bucket = :bucket AND webhook.webhook_id = :webhook_id
    AND max(webhook.extended_at, coalesce(last.extended_at, 0)) + :lifetime > :extended_at
ON CONFLICT (bucket, webhook_id) DO UPDATE
SET
    listed_by = excluded.listed_by,
    last_listed_at = max(last_listed_at, excluded.last_listed_at),
    extended_at = max(extended_at, excluded.extended_at)

-- name: to_revive
-- Of webhooks of one bucket (a JSON list) those that have left their first stage.
SELECT webhook_id
FROM webhook
WHERE
    bucket = ? AND stage <> 'ACTIVE'
    AND webhook_id IN (SELECT value FROM json_each(?))
