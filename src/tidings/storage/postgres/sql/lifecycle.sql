-- name: sweep_time
-- When the last sweep was, how long none ran in all, and the database's clock (mechanics L8).
SELECT
    swept_at, paused_ms, floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint AS now_ms
FROM sweep

-- name: keep_time
-- Store a sweep's time, unless another one was faster.
UPDATE sweep
SET swept_at = $1, paused_ms = $2
WHERE swept_at IS NOT DISTINCT FROM $3 AND paused_ms = $4
RETURNING only_row

-- name: next_due
-- When webhooks in these stages must be looked at, in wall time; not those that never need it. For
-- the sweeper: over all buckets.
SELECT min(next.due_at) + (SELECT sweep.paused_ms FROM sweep) AS due_at
FROM unnest($1::text []) AS wanted (stage)
CROSS JOIN LATERAL (
    SELECT webhook.due_at
    FROM webhook
    WHERE webhook.stage = wanted.stage AND webhook.due_at < $2
    ORDER BY webhook.due_at
    LIMIT 1
) AS next

-- name: due
-- Webhooks in a stage that must be looked at by now (in lifecycle time). For the sweeper: over all
-- buckets.
SELECT bucket, webhook_id
FROM webhook
WHERE stage = $1 AND due_at <= $2
ORDER BY due_at
LIMIT $3

-- name: counted_since
-- A webhook in this stage, and since when its limits count, in lifecycle time.
SELECT greatest(webhook.extended_at, reading.extended_at) AS extended_at
FROM webhook
LEFT JOIN reading
    ON reading.bucket = webhook.bucket AND reading.webhook_id = webhook.webhook_id
WHERE
    webhook.bucket = $1 AND webhook.webhook_id = $2
    AND ($3::text IS NULL OR webhook.stage = $3::text)

-- name: put_off
-- It was listed meanwhile: look at it again when its step is due.
UPDATE webhook SET due_at = $3 WHERE bucket = $1 AND webhook_id = $2

-- name: enter_stage
-- Move a webhook to its next stage, if it is still in that one.
UPDATE webhook
SET
    stage = $4, staged_at = $5, due_at = $6, revision = revision + 1,
    noticed = CASE WHEN $7::boolean THEN revision + 1 END
WHERE bucket = $1 AND webhook_id = $2 AND stage = $3

-- name: extend
-- Let a webhook's limits count from $5 (lifecycle time) on; its row is locked.
INSERT INTO reading (
    bucket, webhook_id, last_listed_at, read_position, listed_by, extended_at
)
SELECT webhook.bucket, webhook.webhook_id, $3::bigint, webhook.start_position, $4::text, $5::bigint
FROM webhook
WHERE webhook.bucket = $1 AND webhook.webhook_id = $2
ON CONFLICT (bucket, webhook_id) DO UPDATE
SET
    listed_by = excluded.listed_by,
    last_listed_at = greatest(reading.last_listed_at, excluded.last_listed_at),
    extended_at = greatest(reading.extended_at, excluded.extended_at)
