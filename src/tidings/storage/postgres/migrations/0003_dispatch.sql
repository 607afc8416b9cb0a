-- What the dispatcher must remember (mechanics D1, D2, D6).

-- Who owns a bucket until when; the epoch grows with every take and is never given twice. Renewing
-- changes `ends_at` alone, which goes by those who fence with a KEY SHARE lock (mechanics D6). It is
-- done every three seconds: most of each page is free for it, and no index holds what changes (HOT).
CREATE TABLE lease (
    bucket  smallint PRIMARY KEY,
    holder  text NOT NULL,
    epoch   bigint NOT NULL,
    ends_at bigint NOT NULL
) WITH (fillfactor = 30);

-- All leases are there from the start, free, so that there is always a row to lock.
INSERT INTO lease (bucket, holder, epoch, ends_at)
SELECT bucket, '', 0, 0 FROM generate_series(0, 255) AS numbers (bucket);

-- Everything up to this position of a bucket is settled or owed. Moved each second: most of each
-- page is free for it.
CREATE TABLE checkpoint (
    bucket   smallint PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 30);

-- How far a webhook was matched and notified; how far it was read is in `reading`. Updated each
-- second while it has news: half of each page is free for it, and no index holds what changes.
CREATE TABLE dispatch_state (
    bucket     smallint NOT NULL,
    webhook_id text NOT NULL,
    matched    bigint NOT NULL,
    notified   bigint NOT NULL,
    PRIMARY KEY (bucket, webhook_id)
) WITH (fillfactor = 50);

-- The ping that a webhook is owed since an attempt failed: one row at most, for life. Updated by
-- each failed try.
CREATE TABLE debt (
    bucket          smallint NOT NULL,
    webhook_id      text NOT NULL,
    owed_through    bigint NOT NULL,
    failures        integer NOT NULL,
    next_attempt_at bigint NOT NULL,
    since_at        bigint NOT NULL,
    last_error      text NOT NULL,
    PRIMARY KEY (bucket, webhook_id)
) WITH (fillfactor = 70);

-- The log of attempts, for people to look at, a day a partition. It has no key: nothing refers to a
-- row, and the same try isn't written twice.
CREATE TABLE attempt (
    bucket          smallint NOT NULL,
    webhook_id      text NOT NULL,
    attempted_at    bigint NOT NULL,
    notification_id text NOT NULL,
    covered         bigint NOT NULL,
    status          integer,
    error           text,
    elapsed_ms      bigint NOT NULL
) PARTITION BY RANGE (attempted_at);

-- A webhook's newest attempts are a range of it.
CREATE INDEX attempt_of_webhook ON attempt (bucket, webhook_id, attempted_at);
