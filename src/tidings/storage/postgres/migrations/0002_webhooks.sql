-- Webhooks, what they covered when, and how far they were read. Instants are milliseconds since
-- 1970, filters and kinds JSON text, both as the engine writes them.

-- A webhook as it stands now; `revision` counts every change of the row.
CREATE TABLE webhook (
    bucket                     smallint NOT NULL,
    webhook_id                 text NOT NULL,
    account                    text NOT NULL,
    solution                   text NOT NULL,
    filter                     text NOT NULL,
    kinds                      text NOT NULL,
    enabled                    boolean NOT NULL,
    url                        text,
    reason                     text,
    disabled_at                bigint,
    last_error                 text,
    secret                     text NOT NULL,
    previous_secret            text,
    previous_secret_expires_at bigint,
    created_by                 text NOT NULL,
    created_at                 bigint NOT NULL,
    updated_by                 text NOT NULL,
    updated_at                 bigint NOT NULL,
    revision                   integer NOT NULL,
    start_position             bigint NOT NULL,
    created_position           bigint NOT NULL,
    PRIMARY KEY (bucket, webhook_id)
);

-- What a webhook covers from a position on (mechanics L7).
CREATE TABLE webhook_revision (
    bucket        smallint NOT NULL,
    webhook_id    text NOT NULL,
    from_position bigint NOT NULL,
    filter        text NOT NULL,
    kinds         text NOT NULL,
    PRIMARY KEY (bucket, webhook_id, from_position)
);

-- An account that has or had webhooks or applications: the row that is locked while one is added,
-- so that no number of them at once gets past a cap. A reference table (mechanics L1).
CREATE TABLE account (
    account text PRIMARY KEY
);

-- An account's webhooks in the order of their creation: a reference table (mechanics L1).
CREATE TABLE account_webhook (
    account    text NOT NULL,
    webhook_id text NOT NULL,
    place      bigint NOT NULL,
    bucket     smallint NOT NULL,
    solution   text NOT NULL,
    PRIMARY KEY (account, webhook_id),
    UNIQUE (account, place)
);

-- When and how far a webhook was listed, apart from its row: reads don't change its revision. It is
-- updated each second while somebody reads: no index holds what changes, and a third of each page
-- is free, so that the new row lies beside the old one (HOT) and nothing waits for a vacuum.
CREATE TABLE reading (
    bucket         smallint NOT NULL,
    webhook_id     text NOT NULL,
    last_listed_at bigint NOT NULL,
    read_position  bigint NOT NULL,
    listed_by      text NOT NULL,
    PRIMARY KEY (bucket, webhook_id)
) WITH (fillfactor = 70);

-- Which solution an application belongs to: a reference table (mechanics L1).
CREATE TABLE application (
    account     text NOT NULL,
    application text NOT NULL,
    solution    text NOT NULL,
    name        text,
    PRIMARY KEY (account, application)
);

-- API keys, by hash: a reference table (mechanics L1). The last use is written each minute.
CREATE TABLE api_key (
    key_id       text PRIMARY KEY,
    account      text NOT NULL,
    name         text NOT NULL,
    role         text NOT NULL,
    key_hash     bytea NOT NULL UNIQUE,
    created_at   bigint NOT NULL,
    revoked_at   bigint,
    last_used_at bigint
) WITH (fillfactor = 70);

-- Names are unique among an account's living keys.
CREATE UNIQUE INDEX api_key_name ON api_key (account, name) WHERE revoked_at IS NULL;
