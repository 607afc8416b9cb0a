-- name: insert_sheet
-- A callback webhook's own part.
INSERT INTO sheet_webhook (
    bucket, webhook_id, name, sheet, columns, key_id, status, status_at, status_number,
    disabled_details, scope_position
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: update_sheet
-- What may change of it; the webhook's row, in the same transaction, says that it is still the one
-- that was read.
UPDATE sheet_webhook
SET
    name = $3, status = $4, status_at = $5, status_number = $6, disabled_details = $7,
    scope_position = $8
WHERE bucket = $1 AND webhook_id = $2

-- name: of_sheet
-- A sheet's webhooks that stand so.
SELECT sheet.webhook_id
FROM sheet_webhook AS sheet
INNER JOIN webhook
    ON webhook.bucket = sheet.bucket AND webhook.webhook_id = sheet.webhook_id
WHERE
    sheet.bucket = $1 AND sheet.sheet = $4 AND sheet.status = $5
    AND webhook.account = $2 AND webhook.solution = $3

-- name: waits_behind_checkpoint
-- Whether a change of this kind of an application lies behind its bucket's checkpoint.
SELECT 1
FROM change_log AS entry
WHERE
    entry.bucket = $1 AND entry.account = $2 AND entry.solution = $3
    AND entry.position
    > coalesce((SELECT done.position FROM checkpoint AS done WHERE done.bucket = $1), 0)
    AND entry.application = $4 AND entry.kind = $5
LIMIT 1

-- name: cursors_of_bucket
-- How far a bucket's callback webhooks were called.
SELECT
    bucket, webhook_id, acked_position, acked_part, from_position, from_part, to_position, to_part,
    nonce, built_at, acknowledged, challenged, told, last_attempt_at, last_attempt_failures,
    last_success_at
FROM callback_cursor
WHERE bucket = $1
ORDER BY webhook_id

-- name: cursors
-- How far some of a bucket's callback webhooks were called.
SELECT
    bucket, webhook_id, acked_position, acked_part, from_position, from_part, to_position, to_part,
    nonce, built_at, acknowledged, challenged, told, last_attempt_at, last_attempt_failures,
    last_success_at
FROM callback_cursor
WHERE bucket = $1 AND webhook_id = ANY($2::text [])

-- name: save_cursors
-- How far callback webhooks were called; each exists, and its row is locked.
INSERT INTO callback_cursor (
    bucket, webhook_id, acked_position, acked_part, from_position, from_part, to_position, to_part,
    nonce, built_at, acknowledged, challenged, told, last_attempt_at, last_attempt_failures,
    last_success_at
)
SELECT *
FROM unnest(
    $1::smallint [], $2::text [], $3::bigint [], $4::integer [], $5::bigint [], $6::integer [],
    $7::bigint [], $8::integer [], $9::text [], $10::bigint [], $11::bigint [], $12::bigint [],
    $13::integer [], $14::bigint [], $15::integer [], $16::bigint []
) AS given (
    bucket, webhook_id, acked_position, acked_part, from_position, from_part, to_position, to_part,
    nonce, built_at, acknowledged, challenged, told, last_attempt_at, last_attempt_failures,
    last_success_at
)
ON CONFLICT (bucket, webhook_id) DO UPDATE
SET
    acked_position = excluded.acked_position, acked_part = excluded.acked_part,
    from_position = excluded.from_position, from_part = excluded.from_part,
    to_position = excluded.to_position, to_part = excluded.to_part,
    nonce = excluded.nonce, built_at = excluded.built_at,
    acknowledged = excluded.acknowledged, challenged = excluded.challenged, told = excluded.told,
    last_attempt_at = excluded.last_attempt_at,
    last_attempt_failures = excluded.last_attempt_failures,
    last_success_at = excluded.last_success_at
