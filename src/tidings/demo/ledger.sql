-- name: schema
-- What the receiver keeps. `progress` has one row; its token and the table move together.
CREATE TABLE IF NOT EXISTS ping (identity TEXT, covered INTEGER, received_at REAL);

-- The table that is rebuilt from events alone.
CREATE TABLE IF NOT EXISTS constituent (key TEXT PRIMARY KEY, record TEXT) WITHOUT ROWID;

-- Every event that was applied, to see that none comes twice.
CREATE TABLE IF NOT EXISTS applied (event_id TEXT PRIMARY KEY) WITHOUT ROWID;

-- The saved page token, and counters of what must not happen.
CREATE TABLE IF NOT EXISTS progress (
    token TEXT, last_position INTEGER, pages INTEGER, events INTEGER,
    repeated INTEGER, out_of_order INTEGER, wrong_previous INTEGER
);

-- A fresh receiver has read nothing.
INSERT INTO progress
SELECT NULL, 0, 0, 0, 0, 0, 0
WHERE NOT EXISTS (SELECT 1 FROM progress);

-- name: add_ping
-- A ping is kept before it is acknowledged.
INSERT INTO ping (identity, covered, received_at) VALUES (?, ?, ?)

-- name: pings
-- All pings, in the order of their coming.
SELECT identity, covered, received_at FROM ping ORDER BY received_at

-- name: newest_covered
-- The newest position that a ping told of.
SELECT coalesce(max(covered), 0) FROM ping

-- name: progress
-- How far events were applied.
SELECT token, last_position, pages, events, repeated, out_of_order, wrong_previous FROM progress

-- name: set_progress
-- The new token and counters, in the transaction of the page's events.
UPDATE progress
SET token = ?, last_position = ?, pages = ?, events = ?,
    repeated = ?, out_of_order = ?, wrong_previous = ?

-- name: add_applied
-- Take note of an event; changes nothing where it was applied before.
INSERT OR IGNORE INTO applied (event_id) VALUES (?)

-- name: record
-- One record as it stands.
SELECT record FROM constituent WHERE key = ?

-- name: put_record
-- A record was created or updated.
INSERT INTO constituent (key, record) VALUES (?, ?)
ON CONFLICT (key) DO UPDATE SET record = excluded.record

-- name: delete_record
-- A record was deleted.
DELETE FROM constituent WHERE key = ?

-- name: records
-- The whole rebuilt table.
SELECT key, record FROM constituent
