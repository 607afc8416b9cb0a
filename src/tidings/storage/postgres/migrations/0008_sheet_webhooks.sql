-- Callback webhooks, which follow the Smartsheet contract (contract 2.2; mechanics D5).

-- What such a webhook has beside its row.
CREATE TABLE sheet_webhook (
    bucket           smallint NOT NULL,
    webhook_id       text NOT NULL,
    name             text NOT NULL,
    sheet            bigint NOT NULL,
    columns          text NOT NULL,
    key_id           text NOT NULL,
    status           text NOT NULL,
    status_at        bigint NOT NULL,
    status_number    integer NOT NULL,
    disabled_details text,
    scope_position   bigint NOT NULL,
    PRIMARY KEY (bucket, webhook_id)
);

-- A sheet's webhooks, for when it is registered again.
CREATE INDEX sheet_webhook_sheet ON sheet_webhook (bucket, sheet);

-- How far it was called: places are a position and a part. From `from_position` on a callback is
-- pending; NULL: none is. Updated twice a callback: half of each page is free for it.
CREATE TABLE callback_cursor (
    bucket                smallint NOT NULL,
    webhook_id            text NOT NULL,
    acked_position        bigint NOT NULL,
    acked_part            integer NOT NULL,
    from_position         bigint,
    from_part             integer,
    to_position           bigint,
    to_part               integer,
    nonce                 text,
    built_at              bigint,
    acknowledged          bigint NOT NULL,
    challenged            bigint NOT NULL,
    told                  integer NOT NULL,
    last_attempt_at       bigint,
    last_attempt_failures integer NOT NULL,
    last_success_at       bigint,
    PRIMARY KEY (bucket, webhook_id)
) WITH (fillfactor = 50);

-- An account's list is one a contract: neither shows the other's webhooks.
ALTER TABLE account_webhook ADD COLUMN contract text NOT NULL DEFAULT 'SMARTSUITE';

-- A page of one contract's list is a range of it.
CREATE INDEX account_webhook_contract ON account_webhook (account, contract, place);

-- A webhook with all that is read beside its row: when it was last listed, since when its limits
-- count (in wall time), what only a callback webhook has, and whether the key that made it lives.
CREATE VIEW webhook_whole AS
SELECT
    webhook.bucket, webhook.webhook_id, webhook.account, webhook.solution, webhook.filter,
    webhook.kinds, webhook.enabled, webhook.url, webhook.reason, webhook.disabled_at,
    webhook.last_error, webhook.secret, webhook.previous_secret,
    webhook.previous_secret_expires_at, webhook.created_by, webhook.created_at,
    webhook.updated_by, webhook.updated_at, webhook.revision, webhook.start_position,
    webhook.created_position, reading.last_listed_at, webhook.stage, webhook.staged_at,
    webhook.noticed,
    greatest(webhook.extended_at, reading.extended_at) + sweep.paused_ms AS extended_at,
    sheet.name, sheet.sheet, sheet.columns, sheet.key_id, sheet.status, sheet.status_at,
    sheet.status_number, sheet.disabled_details, sheet.scope_position, api_key.revoked_at
FROM webhook
CROSS JOIN sweep
LEFT JOIN reading
    ON reading.bucket = webhook.bucket AND reading.webhook_id = webhook.webhook_id
LEFT JOIN sheet_webhook AS sheet
    ON sheet.bucket = webhook.bucket AND sheet.webhook_id = webhook.webhook_id
LEFT JOIN api_key ON api_key.key_id = sheet.key_id;

-- A webhook as the dispatcher holds it, with how far it was read.
CREATE VIEW webhook_tracked AS
SELECT
    webhook.bucket, webhook.webhook_id, webhook.account, webhook.solution, webhook.enabled,
    webhook.url, webhook.revision, webhook.start_position, webhook.created_position,
    coalesce(reading.read_position, webhook.start_position) AS read_position,
    reading.listed_by, webhook.stage, webhook.noticed,
    greatest(webhook.extended_at, reading.extended_at) + sweep.paused_ms AS extended_at,
    sheet.name, sheet.sheet, sheet.columns, sheet.key_id, sheet.status, sheet.status_at,
    sheet.status_number, sheet.disabled_details, sheet.scope_position, api_key.revoked_at
FROM webhook
CROSS JOIN sweep
LEFT JOIN reading
    ON reading.bucket = webhook.bucket AND reading.webhook_id = webhook.webhook_id
LEFT JOIN sheet_webhook AS sheet
    ON sheet.bucket = webhook.bucket AND sheet.webhook_id = webhook.webhook_id
LEFT JOIN api_key ON api_key.key_id = sheet.key_id;
