-- name: insert_webhook
-- A webhook's row.
INSERT INTO webhook (
    bucket, webhook_id, account, solution, filter, kinds, enabled, url, reason, disabled_at,
    last_error, secret, previous_secret, previous_secret_expires_at, created_by, created_at,
    updated_by, updated_at, revision, start_position, created_position, extended_at, due_at
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, $22, $23
)

-- name: insert_account_webhook
-- The webhook's place in its account's list, after those that came before it. It is a time, as
-- positions are ($5), so that the place of a deleted webhook isn't given again. The account's row
-- is locked.
INSERT INTO account_webhook (account, webhook_id, place, bucket, solution, contract)
VALUES (
    $1, $2,
    greatest(
        (
            SELECT coalesce(max(other.place), 0) + 1
            FROM account_webhook AS other
            WHERE other.account = $1
        ),
        $5::bigint
    ),
    $3, $4, $6
)

-- name: insert_revision
-- What a webhook covers from a position on.
INSERT INTO webhook_revision (bucket, webhook_id, from_position, filter, kinds)
VALUES ($1, $2, $3, $4, $5)

-- name: supersede_revision
-- From where on another revision holds in the place of the one before it.
UPDATE webhook_revision SET superseded_position = $3
WHERE bucket = $1 AND webhook_id = $2 AND superseded_position IS NULL

-- name: lock_webhook
-- Before a webhook's row is judged and changed: whoever listed it at the same time has then either
-- committed, or waits.
SELECT webhook_id FROM webhook WHERE bucket = $1 AND webhook_id = $2 FOR UPDATE

-- name: lock_webhooks
-- Of webhooks of one bucket those that exist: none of them is deleted before this transaction ends.
SELECT bucket, webhook_id
FROM webhook
WHERE bucket = $1 AND webhook_id = ANY($2::text [])
ORDER BY webhook_id
FOR KEY SHARE

-- name: hold_webhooks
-- The same, and none of them leaves its stage either.
SELECT bucket, webhook_id, stage
FROM webhook
WHERE bucket = $1 AND webhook_id = ANY($2::text [])
ORDER BY webhook_id
FOR SHARE

-- name: find_webhooks
-- Webhooks of one bucket by id.
SELECT * FROM webhook_whole WHERE bucket = $1 AND webhook_id = ANY($2::text [])

-- name: find_listed
-- Webhooks of an account's list, by bucket and id, in that order.
SELECT whole.*
FROM unnest($1::smallint [], $2::text []) WITH ORDINALITY AS given (bucket, webhook_id, number)
INNER JOIN webhook_whole AS whole
    ON whole.bucket = given.bucket AND whole.webhook_id = given.webhook_id
ORDER BY given.number

-- name: list_of_account
-- An account's webhooks that are pinged, in the order of their creation, after a place.
SELECT place, bucket, webhook_id
FROM account_webhook
WHERE
    account = $1 AND contract = 'SMARTSUITE' AND place > $3
    AND ($2::text IS NULL OR solution = $2::text)
ORDER BY place
LIMIT $4

-- name: sheets_of_account
-- An account's callback webhooks, newest first.
SELECT bucket, webhook_id
FROM account_webhook
WHERE account = $1 AND contract = 'SMARTSHEET'
ORDER BY place DESC
LIMIT $3 OFFSET $2

-- name: count_sheets
-- How many callback webhooks an account has.
SELECT count(*) FROM account_webhook WHERE account = $1 AND contract = 'SMARTSHEET'

-- name: revisions
-- A webhook's revisions, oldest first.
SELECT from_position, filter, kinds
FROM webhook_revision
WHERE bucket = $1 AND webhook_id = $2
ORDER BY from_position

-- name: update_webhook
-- Replace what may change of a webhook's row, if it is still the one that was read.
UPDATE webhook
SET
    filter = $1, kinds = $2, enabled = $3, url = $4, reason = $5, disabled_at = $6,
    last_error = $7, secret = $8, previous_secret = $9, previous_secret_expires_at = $10,
    updated_by = $11, updated_at = $12, revision = revision + 1
WHERE bucket = $13 AND webhook_id = $14 AND revision = $15

-- name: delete_account_webhook
-- Take a webhook off its account's list.
DELETE FROM account_webhook WHERE account = $1 AND webhook_id = $2

-- name: delete_webhook
-- The webhook's row.
DELETE FROM webhook WHERE bucket = $1 AND webhook_id = $2

-- name: delete_revisions
-- What it covered.
DELETE FROM webhook_revision WHERE bucket = $1 AND webhook_id = $2

-- name: delete_reading
-- How far it was read.
DELETE FROM reading WHERE bucket = $1 AND webhook_id = $2

-- name: delete_state
-- How far it was matched and notified.
DELETE FROM dispatch_state WHERE bucket = $1 AND webhook_id = $2

-- name: delete_debt
-- What it was owed.
DELETE FROM debt WHERE bucket = $1 AND webhook_id = $2

-- name: delete_sheet
-- What only a callback webhook has.
DELETE FROM sheet_webhook WHERE bucket = $1 AND webhook_id = $2

-- name: delete_cursor
-- How far it was called.
DELETE FROM callback_cursor WHERE bucket = $1 AND webhook_id = $2

-- name: tracked_one
-- One webhook as the dispatcher holds it, once for each of its revisions, oldest first: it has one at
-- least. One statement, and so one snapshot and one round trip: each page begins with it.
SELECT revision.from_position, revision.filter, revision.kinds, tracked.*
FROM webhook_tracked AS tracked
INNER JOIN webhook_revision AS revision
    ON revision.bucket = tracked.bucket AND revision.webhook_id = tracked.webhook_id
WHERE tracked.bucket = $1 AND tracked.webhook_id = $2
ORDER BY revision.from_position

-- name: tracked_of_bucket
-- All webhooks of a bucket as the dispatcher holds them.
SELECT * FROM webhook_tracked WHERE bucket = $1 ORDER BY webhook_id

-- name: revisions_of_bucket
-- The revisions of all webhooks of a bucket, each webhook's oldest first.
SELECT webhook_id, from_position, filter, kinds
FROM webhook_revision
WHERE bucket = $1
ORDER BY webhook_id, from_position
