-- Webhooks, what they covered when, and how far they were read.

-- A webhook as it stands now; `revision` counts every change of the row.
CREATE TABLE webhook (
    bucket                     INTEGER NOT NULL,
    webhook_id                 TEXT NOT NULL,
    account                    TEXT NOT NULL,
    solution                   TEXT NOT NULL,
    filter                     TEXT NOT NULL,
    kinds                      TEXT NOT NULL,
    enabled                    INTEGER NOT NULL,
    url                        TEXT,
    reason                     TEXT,
    disabled_at                INTEGER,
    last_error                 TEXT,
    secret                     TEXT NOT NULL,
    previous_secret            TEXT,
    previous_secret_expires_at INTEGER,
    created_by                 TEXT NOT NULL,
    created_at                 INTEGER NOT NULL,
    updated_by                 TEXT NOT NULL,
    updated_at                 INTEGER NOT NULL,
    revision                   INTEGER NOT NULL,
    start_position             INTEGER NOT NULL,
    created_position           INTEGER NOT NULL,
    PRIMARY KEY (bucket, webhook_id)
) STRICT;

-- What a webhook covers from a position on (mechanics L7).
CREATE TABLE webhook_revision (
    bucket        INTEGER NOT NULL,
    webhook_id    TEXT NOT NULL,
    from_position INTEGER NOT NULL,
    filter        TEXT NOT NULL,
    kinds         TEXT NOT NULL,
    PRIMARY KEY (bucket, webhook_id, from_position)
) STRICT;

-- An account's webhooks in the order of their creation: a reference table (mechanics L1). A
-- deleted webhook keeps its row, because page tokens of the list name places by webhook id.
CREATE TABLE account_webhook (
    account    TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    place      INTEGER NOT NULL,
    bucket     INTEGER NOT NULL,
    solution   TEXT NOT NULL,
    deleted    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, webhook_id),
    UNIQUE (account, place)
) STRICT;

-- When and how far a webhook was listed, apart from its row: reads don't change its revision.
CREATE TABLE reading (
    bucket         INTEGER NOT NULL,
    webhook_id     TEXT NOT NULL,
    last_listed_at INTEGER NOT NULL,
    read_position  INTEGER NOT NULL,
    listed_by      TEXT NOT NULL,
    PRIMARY KEY (bucket, webhook_id)
) STRICT;

-- Which solution an application belongs to: a reference table (mechanics L1).
CREATE TABLE application (
    account     TEXT NOT NULL,
    application TEXT NOT NULL,
    solution    TEXT NOT NULL,
    name        TEXT,
    PRIMARY KEY (account, application)
) STRICT;

-- API keys, by hash: a reference table (mechanics L1).
CREATE TABLE api_key (
    key_id       TEXT NOT NULL PRIMARY KEY,
    account      TEXT NOT NULL,
    name         TEXT NOT NULL,
    role         TEXT NOT NULL,
    key_hash     BLOB NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT;

-- Names are unique among an account's living keys.
CREATE UNIQUE INDEX api_key_name ON api_key (account, name) WHERE revoked_at IS NULL;
