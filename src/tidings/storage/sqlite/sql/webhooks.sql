-- name: insert_webhook
-- A webhook's row.
INSERT INTO webhook (
    bucket, webhook_id, account, solution, filter, kinds, enabled, url, reason, disabled_at,
    last_error, secret, previous_secret, previous_secret_expires_at, created_by, created_at,
    updated_by, updated_at, revision, start_position, created_position, extended_at, due_at
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_account_webhook
-- The webhook's place in its account's list, after those that came before it. It is a time, as
-- positions are (?5), so that the place of a deleted webhook isn't given again.
INSERT INTO account_webhook (account, webhook_id, place, bucket, solution, contract)
VALUES (
    ?1, ?2,
    max((SELECT coalesce(max(place), 0) + 1 FROM account_webhook WHERE account = ?1), ?5),
    ?3, ?4, ?6
)

-- name: insert_revision
-- What a webhook covers from a position on.
INSERT INTO webhook_revision (bucket, webhook_id, from_position, filter, kinds)
VALUES (?, ?, ?, ?, ?)

-- name: supersede_revision
-- From where on another revision holds in the place of the one before it.
UPDATE webhook_revision SET superseded_position = ?3
WHERE bucket = ?1 AND webhook_id = ?2 AND superseded_position IS NULL

-- name: find_webhooks
-- Webhooks by id (a JSON object: bucket to ids), with when they were last listed, and since when
-- their limits count, and what only a callback webhook has.
SELECT
    webhook.bucket, webhook.webhook_id, webhook.account, webhook.solution, webhook.filter,
    webhook.kinds, webhook.enabled, webhook.url, webhook.reason, webhook.disabled_at,
    webhook.last_error, webhook.secret, webhook.previous_secret,
    webhook.previous_secret_expires_at, webhook.created_by, webhook.created_at,
    webhook.updated_by, webhook.updated_at, webhook.revision, webhook.start_position,
    webhook.created_position, reading.last_listed_at, webhook.stage, webhook.staged_at,
    webhook.noticed, max(webhook.extended_at, coalesce(reading.extended_at, 0)) + sweep.paused_ms,
    sheet.name, sheet.sheet, sheet.columns, sheet.key_id, sheet.status, sheet.status_at,
    sheet.status_number, sheet.disabled_details, sheet.scope_position, api_key.revoked_at
FROM json_each(?) AS wanted
CROSS JOIN json_each(wanted.value) AS one
CROSS JOIN sweep
INNER JOIN webhook
    ON webhook.bucket = CAST(wanted.key AS INTEGER) AND webhook.webhook_id = one.value
LEFT JOIN reading
    ON reading.bucket = webhook.bucket AND reading.webhook_id = webhook.webhook_id
LEFT JOIN sheet_webhook AS sheet
    ON sheet.bucket = webhook.bucket AND sheet.webhook_id = webhook.webhook_id
LEFT JOIN api_key ON api_key.key_id = sheet.key_id

-- name: list_of_account
-- An account's webhooks that are pinged, in the order of their creation, after a place.
SELECT place, bucket, webhook_id
FROM account_webhook
WHERE
    account = :account AND contract = 'SMARTSUITE' AND place > :after
    AND (:solution IS NULL OR solution = :solution)
ORDER BY place
LIMIT :limit

-- name: sheets_of_account
-- An account's callback webhooks, newest first.
SELECT bucket, webhook_id
FROM account_webhook
WHERE account = :account AND contract = 'SMARTSHEET'
ORDER BY place DESC
LIMIT :limit OFFSET :skip

-- name: count_sheets
-- How many callback webhooks an account has.
SELECT count(*) FROM account_webhook WHERE account = ? AND contract = 'SMARTSHEET'

-- name: revisions
-- A webhook's revisions, oldest first.
SELECT from_position, filter, kinds
FROM webhook_revision
WHERE bucket = ? AND webhook_id = ?
ORDER BY from_position

-- name: update_webhook
-- Replace what may change of a webhook's row, if it is still the one that was read.
UPDATE webhook
SET
    filter = ?, kinds = ?, enabled = ?, url = ?, reason = ?, disabled_at = ?, last_error = ?,
    secret = ?, previous_secret = ?, previous_secret_expires_at = ?, updated_by = ?,
    updated_at = ?, revision = revision + 1
WHERE bucket = ? AND webhook_id = ? AND revision = ?

-- name: delete_account_webhook
-- Take a webhook off its account's list.
DELETE FROM account_webhook WHERE account = ? AND webhook_id = ?

-- name: delete_webhook
-- The webhook's row.
DELETE FROM webhook WHERE bucket = ? AND webhook_id = ?

-- name: delete_revisions
-- What it covered.
DELETE FROM webhook_revision WHERE bucket = ? AND webhook_id = ?

-- name: delete_reading
-- How far it was read.
DELETE FROM reading WHERE bucket = ? AND webhook_id = ?

-- name: delete_state
-- How far it was matched and notified.
DELETE FROM dispatch_state WHERE bucket = ? AND webhook_id = ?

-- name: delete_debt
-- What it was owed.
DELETE FROM debt WHERE bucket = ? AND webhook_id = ?

-- name: delete_sheet
-- What only a callback webhook has.
DELETE FROM sheet_webhook WHERE bucket = ? AND webhook_id = ?

-- name: delete_cursor
-- How far it was called.
DELETE FROM callback_cursor WHERE bucket = ? AND webhook_id = ?

-- name: tracked_one
-- One webhook as the dispatcher holds it, with how far it was read.
SELECT
    webhook.bucket, webhook.webhook_id, webhook.account, webhook.solution, webhook.enabled,
    webhook.url, webhook.revision, webhook.start_position, webhook.created_position,
    coalesce(reading.read_position, webhook.start_position), reading.listed_by, webhook.stage,
    webhook.noticed,
    max(webhook.extended_at, coalesce(reading.extended_at, 0)) + sweep.paused_ms,
    sheet.name, sheet.sheet, sheet.columns, sheet.key_id, sheet.status, sheet.status_at,
    sheet.status_number, sheet.disabled_details, sheet.scope_position, api_key.revoked_at
FROM sweep
CROSS JOIN webhook
LEFT JOIN reading
    ON reading.bucket = webhook.bucket AND reading.webhook_id = webhook.webhook_id
LEFT JOIN sheet_webhook AS sheet
    ON sheet.bucket = webhook.bucket AND sheet.webhook_id = webhook.webhook_id
LEFT JOIN api_key ON api_key.key_id = sheet.key_id
WHERE webhook.bucket = ? AND webhook.webhook_id = ?

-- name: tracked_of_bucket
-- All webhooks of a bucket as the dispatcher holds them, with how far each was read.
SELECT
    webhook.bucket, webhook.webhook_id, webhook.account, webhook.solution, webhook.enabled,
    webhook.url, webhook.revision, webhook.start_position, webhook.created_position,
    coalesce(reading.read_position, webhook.start_position), reading.listed_by, webhook.stage,
    webhook.noticed,
    max(webhook.extended_at, coalesce(reading.extended_at, 0)) + sweep.paused_ms,
    sheet.name, sheet.sheet, sheet.columns, sheet.key_id, sheet.status, sheet.status_at,
    sheet.status_number, sheet.disabled_details, sheet.scope_position, api_key.revoked_at
FROM sweep
CROSS JOIN webhook
LEFT JOIN reading
    ON reading.bucket = webhook.bucket AND reading.webhook_id = webhook.webhook_id
LEFT JOIN sheet_webhook AS sheet
    ON sheet.bucket = webhook.bucket AND sheet.webhook_id = webhook.webhook_id
LEFT JOIN api_key ON api_key.key_id = sheet.key_id
WHERE webhook.bucket = ?
ORDER BY webhook.webhook_id

-- name: revisions_of_bucket
-- The revisions of all webhooks of a bucket, each webhook's oldest first.
SELECT webhook_id, from_position, filter, kinds
FROM webhook_revision
WHERE bucket = ?
ORDER BY webhook_id, from_position
