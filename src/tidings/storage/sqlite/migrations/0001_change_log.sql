-- The change log, its heads, and the keys under which publishes are remembered.
-- Every key begins with the bucket; rowid tables throughout, since WITHOUT ROWID made the file
-- 3.4 times larger.

-- One row a change (kind 1..9) or control entry (kind 0). The body comes last, so that what
-- stands before it is read without its overflow pages.
CREATE TABLE change_log (
    bucket       INTEGER NOT NULL,
    position     INTEGER NOT NULL,
    account      TEXT NOT NULL,
    solution     TEXT NOT NULL,
    application  TEXT NOT NULL,
    kind         INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 63),
    mask         INTEGER NOT NULL,
    subject      TEXT NOT NULL,
    changed      TEXT,
    by           TEXT,
    change_agent TEXT,
    body         BLOB NOT NULL
) STRICT;

-- For the tail (mechanics L6), and the last line of defence of "one entry a position".
CREATE UNIQUE INDEX change_log_tail ON change_log (bucket, position);

-- For pages (mechanics L6): a page scans its own solution only, and all but the exact fields is
-- decided on the index.
CREATE INDEX change_log_page
    ON change_log (bucket, account, solution, position, application, kind, mask);

-- A bucket's head: what retention has dropped. The last position is read from the index; a row
-- that each append updates would rot under a long snapshot (mechanics L2).
CREATE TABLE head (
    bucket INTEGER NOT NULL PRIMARY KEY,
    floor  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- All heads are there from the start, so that an append never makes one.
WITH RECURSIVE numbers (bucket) AS (
    SELECT 0 UNION ALL SELECT bucket + 1 FROM numbers WHERE bucket < 255
)
INSERT INTO head (bucket) SELECT bucket FROM numbers;

-- Receipts by idempotency key (mechanics L4). A row is never updated, only replaced, so rowids
-- ascend with kept_at and the old ones are a range at the table's beginning.
CREATE TABLE idempotency (
    bucket         INTEGER NOT NULL,
    account        TEXT NOT NULL,
    solution       TEXT NOT NULL,
    key            TEXT NOT NULL,
    kept_at        INTEGER NOT NULL,
    body_hash      BLOB NOT NULL,
    accepted       INTEGER NOT NULL,
    suppressed     INTEGER NOT NULL,
    batch_id       TEXT NOT NULL,
    first_position INTEGER,
    last_position  INTEGER,
    UNIQUE (bucket, account, solution, key)
) STRICT;
