-- The change log, its heads, and the keys under which publishes are remembered.
-- Every key begins with the bucket. The log and the keys are kept a day a partition, so that what
-- is over its time goes with its table; partitions are made days ahead (mechanics G1), and there is
-- never a DEFAULT one, since attaching a day beside it would have to read it under a lock.

-- One row a change (kind 1..9) or control entry (kind 0), in the day of its position, which is a
-- time. The key is the tail's index (mechanics L6) and the last line of defence of "one entry a
-- position". Bodies of up to some 2 KB lie in the row; larger ones are stored beside it.
CREATE TABLE change_log (
    bucket       smallint NOT NULL,
    position     bigint NOT NULL,
    account      text NOT NULL,
    solution     text NOT NULL,
    application  text NOT NULL,
    kind         smallint NOT NULL CHECK (kind BETWEEN 0 AND 63),
    mask         bigint NOT NULL,
    subject      text NOT NULL,
    changed      text,
    by           text,
    change_agent text,
    body         bytea NOT NULL,
    CONSTRAINT change_log_tail PRIMARY KEY (bucket, position)
) PARTITION BY RANGE (position);

-- For pages (mechanics L6): a page scans its own solution only, and all but the exact fields is
-- decided on the index.
CREATE INDEX change_log_page
    ON change_log (bucket, account, solution, position, application, kind, mask);

-- A bucket's head: what retention has dropped. It is locked by each append and updated by none: the
-- last position is read from the index, because a row that each append updates rots under a long
-- snapshot (mechanics L2). Raising the floor updates it each minute, within the page (HOT), for
-- which half of the page is kept free.
CREATE TABLE head (
    bucket smallint PRIMARY KEY,
    floor  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- All heads are there from the start, so that an append never makes one.
INSERT INTO head (bucket) SELECT bucket FROM generate_series(0, 255) AS numbers (bucket);

-- Receipts by idempotency key (mechanics L4), in the day of the position that was given. Rows are
-- never updated. A key is asked for in two days, so it may stand here twice, but only where it was
-- used anew after its time.
CREATE TABLE idempotency (
    bucket         smallint NOT NULL,
    account        text NOT NULL,
    solution       text NOT NULL,
    key            text NOT NULL,
    kept_day       integer NOT NULL,
    kept_at        bigint NOT NULL,
    body_hash      bytea NOT NULL,
    accepted       integer NOT NULL,
    suppressed     integer NOT NULL,
    batch_id       text NOT NULL,
    first_position bigint,
    last_position  bigint,
    PRIMARY KEY (bucket, account, solution, key, kept_day)
) PARTITION BY RANGE (kept_day);
