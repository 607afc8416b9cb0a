-- Callback webhooks, which follow the Smartsheet contract (contract 2.2; mechanics D5).

-- What such a webhook has beside its row.
CREATE TABLE sheet_webhook (
    bucket           INTEGER NOT NULL,
    webhook_id       TEXT NOT NULL,
    name             TEXT NOT NULL,
    sheet            INTEGER NOT NULL,
    columns          TEXT NOT NULL,
    key_id           TEXT NOT NULL,
    status           TEXT NOT NULL,
    status_at        INTEGER NOT NULL,
    status_number    INTEGER NOT NULL,
    disabled_details TEXT,
    scope_position   INTEGER NOT NULL,
    PRIMARY KEY (bucket, webhook_id)
) STRICT;

-- A sheet's webhooks, for when it is registered again.
CREATE INDEX sheet_webhook_sheet ON sheet_webhook (bucket, sheet);

-- How far it was called: places are a position and a part. From `from_position` on a callback is
-- pending; NULL: none is.
CREATE TABLE callback_cursor (
    bucket                INTEGER NOT NULL,
    webhook_id            TEXT NOT NULL,
    acked_position        INTEGER NOT NULL,
    acked_part            INTEGER NOT NULL,
    from_position         INTEGER,
    from_part             INTEGER,
    to_position           INTEGER,
    to_part               INTEGER,
    nonce                 TEXT,
    built_at              INTEGER,
    acknowledged          INTEGER NOT NULL,
    challenged            INTEGER NOT NULL,
    told                  INTEGER NOT NULL,
    last_attempt_at       INTEGER,
    last_attempt_failures INTEGER NOT NULL,
    last_success_at       INTEGER,
    PRIMARY KEY (bucket, webhook_id)
) STRICT;

-- An account's list is one a contract: neither shows the other's webhooks.
ALTER TABLE account_webhook ADD COLUMN contract TEXT NOT NULL DEFAULT 'SMARTSUITE';

-- A page of one contract's list is a range of it.
CREATE INDEX account_webhook_contract ON account_webhook (account, contract, place);
