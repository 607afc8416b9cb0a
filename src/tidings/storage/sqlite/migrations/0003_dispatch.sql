-- What the dispatcher must remember (mechanics D1, D2, D6).

-- Who owns a bucket until when; the epoch grows with every take and is never given twice.
CREATE TABLE lease (
    bucket  INTEGER NOT NULL PRIMARY KEY,
    holder  TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT;

-- Everything up to this position of a bucket is settled or owed.
CREATE TABLE checkpoint (
    bucket   INTEGER NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;

-- How far a webhook was matched and notified; how far it was read is in `reading`.
CREATE TABLE dispatch_state (
    bucket     INTEGER NOT NULL,
    webhook_id TEXT NOT NULL,
    matched    INTEGER NOT NULL,
    notified   INTEGER NOT NULL,
    PRIMARY KEY (bucket, webhook_id)
) STRICT;

-- The ping that a webhook is owed since an attempt failed: one row at most, for life.
CREATE TABLE debt (
    bucket          INTEGER NOT NULL,
    webhook_id      TEXT NOT NULL,
    owed_through    INTEGER NOT NULL,
    failures        INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    since_at        INTEGER NOT NULL,
    last_error      TEXT NOT NULL,
    PRIMARY KEY (bucket, webhook_id)
) STRICT;

-- The log of attempts, for people to look at.
CREATE TABLE attempt (
    bucket          INTEGER NOT NULL,
    webhook_id      TEXT NOT NULL,
    attempted_at    INTEGER NOT NULL,
    notification_id TEXT NOT NULL,
    covered         INTEGER NOT NULL,
    status          INTEGER,
    error           TEXT,
    elapsed_ms      INTEGER NOT NULL
) STRICT;

-- A webhook's newest attempts are a range of it.
CREATE INDEX attempt_of_webhook ON attempt (bucket, webhook_id, attempted_at);
