-- name: insert_sheet
-- A callback webhook's own part.
INSERT INTO sheet_webhook (
    bucket, webhook_id, name, sheet, columns, key_id, status, status_at, status_number,
    disabled_details, scope_position
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: update_sheet
-- What may change of it; the webhook's row, in the same transaction, says that it is still the one
-- that was read.
UPDATE sheet_webhook
SET
    name = ?3, status = ?4, status_at = ?5, status_number = ?6, disabled_details = ?7,
    scope_position = ?8
WHERE bucket = ?1 AND webhook_id = ?2

-- name: of_sheet
-- A sheet's webhooks that stand so.
SELECT sheet.webhook_id
FROM sheet_webhook AS sheet
INNER JOIN webhook
    ON webhook.bucket = sheet.bucket AND webhook.webhook_id = sheet.webhook_id
WHERE
    sheet.bucket = :bucket AND sheet.sheet = :sheet AND sheet.status = :status
    AND webhook.account = :account AND webhook.solution = :solution

-- name: waits_behind_checkpoint
-- Whether a change of this kind of an application lies behind its bucket's checkpoint.
SELECT 1
FROM change_log
WHERE
    bucket = :bucket AND account = :account AND solution = :solution
    AND position > coalesce((SELECT position FROM checkpoint WHERE bucket = :bucket), 0)
    AND application = :application AND kind = :kind
LIMIT 1

-- name: cursors_of_bucket
-- How far a bucket's callback webhooks were called.
SELECT
    bucket, webhook_id, acked_position, acked_part, from_position, from_part, to_position, to_part,
    nonce, built_at, acknowledged, challenged, told, last_attempt_at, last_attempt_failures,
    last_success_at
FROM callback_cursor
WHERE bucket = ?
ORDER BY webhook_id

-- name: cursors
-- How far some of a bucket's callback webhooks (a JSON list) were called.
SELECT
    bucket, webhook_id, acked_position, acked_part, from_position, from_part, to_position, to_part,
    nonce, built_at, acknowledged, challenged, told, last_attempt_at, last_attempt_failures,
    last_success_at
FROM callback_cursor
WHERE bucket = ? AND webhook_id IN (SELECT value FROM json_each(?))

-- name: save_cursors
-- How far callback webhooks (a JSON list of rows) were called; nothing where one is gone.
INSERT INTO callback_cursor (
    bucket, webhook_id, acked_position, acked_part, from_position, from_part, to_position, to_part,
    nonce, built_at, acknowledged, challenged, told, last_attempt_at, last_attempt_failures,
    last_success_at
)
SELECT
    given.value ->> 0, given.value ->> 1, given.value ->> 2, given.value ->> 3, given.value ->> 4,
    given.value ->> 5, given.value ->> 6, given.value ->> 7, given.value ->> 8, given.value ->> 9,
    given.value ->> 10, given.value ->> 11, given.value ->> 12, given.value ->> 13,
    given.value ->> 14, given.value ->> 15
FROM json_each(?) AS given
WHERE EXISTS (
    SELECT 1 FROM sheet_webhook
    WHERE bucket = given.value ->> 0 AND webhook_id = given.value ->> 1
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
