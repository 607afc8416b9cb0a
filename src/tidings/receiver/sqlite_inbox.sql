-- An inbox in a SQLite file, which may be the consumer's own: every name begins with tidings_.

-- name: create_known
-- What came before: one row an identity, in the order in which they came, each with its own end.
CREATE TABLE IF NOT EXISTS tidings_known (
  number INTEGER PRIMARY KEY,
  identity BLOB NOT NULL UNIQUE,
  until_ms INTEGER NOT NULL
);

-- name: create_notification
-- What was kept and isn't worked off. AUTOINCREMENT: a number names one notification for ever.
CREATE TABLE IF NOT EXISTS tidings_notification (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  receiver TEXT NOT NULL,
  unopened INTEGER NOT NULL,
  stale INTEGER NOT NULL,
  received_ms INTEGER NOT NULL,
  identity BLOB,
  message_id BLOB NOT NULL,
  body BLOB NOT NULL
);

-- name: create_notification_index
-- Those that are to be taken apart.
CREATE INDEX IF NOT EXISTS tidings_notification_unopened
ON tidings_notification (receiver, number) WHERE unopened = 1;

-- name: create_item
-- The parts of notifications. due_ms is NULL while an earlier one of the object is in the way, and
-- where dead_ms says when it was given up.
CREATE TABLE IF NOT EXISTS tidings_item (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  receiver TEXT NOT NULL,
  notification INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  place INTEGER NOT NULL,
  object_key BLOB NOT NULL,
  tries INTEGER NOT NULL,
  due_ms INTEGER,
  dead_ms INTEGER,
  error TEXT
);

-- name: create_item_order
-- The live items of one object, in order.
CREATE INDEX IF NOT EXISTS tidings_item_order
ON tidings_item (receiver, object_key, number) WHERE dead_ms IS NULL;

-- name: create_item_due
-- What is to be tried, longest due first.
CREATE INDEX IF NOT EXISTS tidings_item_due
ON tidings_item (receiver, due_ms, number) WHERE due_ms IS NOT NULL;

-- name: create_item_notification
-- Whether a notification has items left.
CREATE INDEX IF NOT EXISTS tidings_item_notification ON tidings_item (notification);

-- name: create_item_dead
-- The dead letters.
CREATE INDEX IF NOT EXISTS tidings_item_dead
ON tidings_item (receiver, number) WHERE dead_ms IS NOT NULL;

-- name: create_claim
-- Who works a receiver's inbox off.
CREATE TABLE IF NOT EXISTS tidings_claim (
  receiver TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  holder TEXT NOT NULL,
  until_ms INTEGER NOT NULL
);

-- name: begin
-- Take the write lock at once: a later upgrade could fail.
BEGIN IMMEDIATE;

-- name: commit
-- Make it durable.
COMMIT;

-- name: rollback
-- Undo it.
ROLLBACK;

-- name: begin_one
-- What one handler does can be undone alone.
SAVEPOINT tidings_event;

-- name: keep_one
-- It stands, if the transaction does.
RELEASE tidings_event;

-- name: undo_one
-- It is undone; keep_one has to follow.
ROLLBACK TO tidings_event;

-- name: last_known
-- Behind which new identities stand.
SELECT coalesce(max(number), 0) FROM tidings_known;

-- name: known_since
-- The identities that were new.
SELECT identity FROM tidings_known WHERE number > ?;

-- name: remember
-- Remember an identity; no row is changed where it is known.
INSERT INTO tidings_known (identity, until_ms) VALUES (?, ?) ON CONFLICT DO NOTHING;

-- name: keep
-- Keep a notification as it came.
INSERT INTO tidings_notification (receiver, unopened, stale, received_ms, identity, message_id, body)
VALUES (?, 1, ?, ?, ?, ?, ?);

-- name: held
-- How many notifications there are, and the bytes of their bodies (no body is read for that).
SELECT count(*), coalesce(sum(length(body)), 0) FROM tidings_notification WHERE receiver = ?;

-- name: claim
-- Take a claim that is nobody's, or over, or one's own; the epoch grows when the holder changes.
INSERT INTO tidings_claim (receiver, epoch, holder, until_ms) VALUES (:receiver, 1, :holder, :until)
ON CONFLICT (receiver) DO UPDATE SET
  epoch = epoch + (holder <> excluded.holder), holder = excluded.holder, until_ms = excluded.until_ms
WHERE holder = excluded.holder OR until_ms <= :now
RETURNING epoch;

-- name: release
-- End a claim, if it is still one's own.
UPDATE tidings_claim SET until_ms = 0, holder = '' WHERE receiver = ? AND epoch = ?;

-- name: holds
-- Whether a claim is still one's own: whoever takes it over raises the epoch.
SELECT 1 FROM tidings_claim WHERE receiver = ? AND epoch = ?;

-- name: unopened
-- The oldest notifications that aren't taken apart, until their bodies are enough.
SELECT number, identity, message_id, received_ms, body, stale FROM tidings_notification
WHERE number IN (
  SELECT number FROM (
    SELECT number, sum(size) OVER (ORDER BY number) - size AS before
    FROM (
      SELECT number, length(body) AS size FROM tidings_notification
      WHERE receiver = ? AND unopened = 1 ORDER BY number LIMIT ?
    )
  )
  WHERE before < ?
)
ORDER BY number;

-- name: contents
-- One notification.
SELECT number, identity, message_id, received_ms, body, stale FROM tidings_notification
WHERE number = ?;

-- name: opened
-- It is taken apart.
UPDATE tidings_notification SET unopened = 0 WHERE number = ?;

-- name: add_item
-- Add a part behind what its object has already: due at once only where nothing is in the way.
INSERT INTO tidings_item (receiver, notification, kind, place, object_key, tries, due_ms, dead_ms, error)
VALUES (:receiver, :notification, :kind, :place, :object_key, 0,
  CASE WHEN :error IS NULL AND NOT EXISTS (
    SELECT 1 FROM tidings_item
    WHERE receiver = :receiver AND object_key = :object_key AND dead_ms IS NULL
  ) THEN :now END,
  CASE WHEN :error IS NOT NULL THEN :now END, :error);

-- name: due
-- What is to be tried by now, longest due first.
SELECT number, notification, kind, place, object_key, tries FROM tidings_item
WHERE receiver = ? AND due_ms <= ? ORDER BY due_ms, number LIMIT ?;

-- name: next_due
-- When the next is to be tried.
SELECT min(due_ms) FROM tidings_item WHERE receiver = ? AND due_ms IS NOT NULL;

-- name: drop_item
-- An item that was handled, while it is still to be handled.
DELETE FROM tidings_item WHERE number = ? AND due_ms IS NOT NULL;

-- name: release_next
-- The object's next item is due, where none is.
UPDATE tidings_item SET due_ms = :now
WHERE number = (
  SELECT number FROM tidings_item
  WHERE receiver = :receiver AND object_key = :object_key AND dead_ms IS NULL
  ORDER BY number LIMIT 1
) AND due_ms IS NULL;

-- name: drop_finished
-- A notification that has no items left.
DELETE FROM tidings_notification
WHERE number = :notification
  AND NOT EXISTS (SELECT 1 FROM tidings_item WHERE notification = :notification);

-- name: postpone
-- A try failed; there is another.
UPDATE tidings_item SET tries = tries + 1, due_ms = ? WHERE number = ? AND due_ms IS NOT NULL;

-- name: bury
-- An item is given up.
UPDATE tidings_item SET tries = tries + 1, due_ms = NULL, dead_ms = ?, error = ?
WHERE number = ? AND due_ms IS NOT NULL;

-- name: dead
-- Items that were given up, behind a number.
SELECT number, notification, kind, place, object_key, tries, dead_ms, error FROM tidings_item
WHERE receiver = ? AND dead_ms IS NOT NULL AND number > ? ORDER BY number LIMIT ?;

-- name: dead_one
-- An item that was given up.
SELECT notification, object_key FROM tidings_item
WHERE receiver = ? AND number = ? AND dead_ms IS NOT NULL;

-- name: revive
-- It waits again; release_next makes it due where it is its object's first.
UPDATE tidings_item SET tries = 0, dead_ms = NULL, error = NULL, due_ms = NULL WHERE number = ?;

-- name: rest
-- An object's item that was due waits behind one that has come before it again.
UPDATE tidings_item SET due_ms = NULL
WHERE receiver = :receiver AND object_key = :object_key AND dead_ms IS NULL
  AND due_ms IS NOT NULL AND number > :number;

-- name: drop_dead
-- A dead letter that nobody wants.
DELETE FROM tidings_item WHERE receiver = ? AND number = ? AND dead_ms IS NOT NULL;

-- name: oldest_known
-- The identities that were remembered first.
SELECT number, until_ms FROM tidings_known ORDER BY number LIMIT ?;

-- name: forget
-- The identities up to a number.
DELETE FROM tidings_known WHERE number <= ?;
