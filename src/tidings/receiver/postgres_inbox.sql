-- An inbox in PostgreSQL, which may be the consumer's own: every name begins with tidings_.

-- name: create_known
-- What came before: one row an identity, in the order in which they came, each with its own end.
CREATE TABLE IF NOT EXISTS tidings_known (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  identity bytea NOT NULL UNIQUE,
  until_ms bigint NOT NULL
);

-- name: create_notification
-- What was kept and isn't worked off.
CREATE TABLE IF NOT EXISTS tidings_notification (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  receiver text NOT NULL,
  unopened boolean NOT NULL DEFAULT true,
  stale boolean NOT NULL,
  received_ms bigint NOT NULL,
  identity bytea,
  message_id bytea NOT NULL,
  body bytea NOT NULL
);

-- name: create_notification_index
-- Those that are to be taken apart.
CREATE INDEX IF NOT EXISTS tidings_notification_unopened
ON tidings_notification (receiver, number) WHERE unopened;

-- name: create_item
-- The parts of notifications. due_ms is NULL while an earlier one of the object is in the way, and
-- where dead_ms says when it was given up.
CREATE TABLE IF NOT EXISTS tidings_item (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  receiver text NOT NULL,
  notification bigint NOT NULL,
  kind integer NOT NULL,
  place integer NOT NULL,
  object_key bytea NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  due_ms bigint,
  dead_ms bigint,
  error text
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
  receiver text PRIMARY KEY,
  epoch bigint NOT NULL,
  holder text NOT NULL,
  until_ms bigint NOT NULL
);

-- name: remember
-- Remember identities, sorted, so that no two processes wait for each other; return the new ones.
INSERT INTO tidings_known (identity, until_ms)
SELECT given.identity, $2
FROM unnest($1::bytea[]) AS given (identity)
ORDER BY given.identity
ON CONFLICT DO NOTHING
RETURNING identity;

-- name: keep
-- Keep notifications as they came, in order.
INSERT INTO tidings_notification (receiver, stale, received_ms, identity, message_id, body)
SELECT $1, given.stale, given.received_ms, given.identity, given.message_id, given.body
FROM unnest($2::boolean[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[])
  WITH ORDINALITY AS given (stale, received_ms, identity, message_id, body, place)
ORDER BY given.place;

-- name: held
-- How many notifications there are, and the bytes of their bodies (no body is read for that).
SELECT count(*), coalesce(sum(octet_length(body)), 0)::bigint
FROM tidings_notification WHERE receiver = $1;

-- name: claim
-- Take a claim that is nobody's, or over, or one's own; the epoch grows when the holder changes.
INSERT INTO tidings_claim AS found (receiver, epoch, holder, until_ms) VALUES ($1, 1, $2, $4)
ON CONFLICT (receiver) DO UPDATE SET
  epoch = found.epoch + (found.holder <> excluded.holder)::int,
  holder = excluded.holder,
  until_ms = excluded.until_ms
WHERE found.holder = excluded.holder OR found.until_ms <= $3
RETURNING epoch;

-- name: release
-- End a claim, if it is still one's own.
UPDATE tidings_claim SET until_ms = 0, holder = '' WHERE receiver = $1 AND epoch = $2;

-- name: holds
-- Whether a claim is still one's own; until the transaction ends nobody takes it over.
SELECT 1 FROM tidings_claim WHERE receiver = $1 AND epoch = $2 FOR SHARE;

-- name: unopened
-- The oldest notifications that aren't taken apart, until their bodies are enough.
SELECT number, identity, message_id, received_ms, body, stale FROM tidings_notification
WHERE number IN (
  SELECT number FROM (
    SELECT number, sum(size) OVER (ORDER BY number) - size AS before
    FROM (
      SELECT number, octet_length(body) AS size FROM tidings_notification
      WHERE receiver = $1 AND unopened ORDER BY number LIMIT $2
    ) AS oldest
  ) AS measured
  WHERE before < $3
)
ORDER BY number;

-- name: contents
-- One notification.
SELECT number, identity, message_id, received_ms, body, stale FROM tidings_notification
WHERE number = $1;

-- name: opened
-- It is taken apart.
UPDATE tidings_notification SET unopened = false WHERE number = $1;

-- name: add_item
-- Add a part behind what its object has already: due at once only where nothing is in the way.
INSERT INTO tidings_item (receiver, notification, kind, place, object_key, due_ms, dead_ms, error)
VALUES ($1, $2, $3, $4, $5,
  CASE WHEN $7::text IS NULL AND NOT EXISTS (
    SELECT 1 FROM tidings_item
    WHERE receiver = $1 AND object_key = $5 AND dead_ms IS NULL
  ) THEN $6::bigint END,
  CASE WHEN $7::text IS NOT NULL THEN $6::bigint END, $7);

-- name: due
-- What is to be tried by now, longest due first.
SELECT number, notification, kind, place, object_key, tries FROM tidings_item
WHERE receiver = $1 AND due_ms <= $2 ORDER BY due_ms, number LIMIT $3;

-- name: next_due
-- When the next is to be tried.
SELECT min(due_ms) FROM tidings_item WHERE receiver = $1 AND due_ms IS NOT NULL;

-- name: drop_item
-- An item that was handled, while it is still to be handled.
DELETE FROM tidings_item WHERE number = $1 AND due_ms IS NOT NULL RETURNING number;

-- name: release_next
-- The object's next item is due, where none is.
UPDATE tidings_item SET due_ms = $3
WHERE number = (
  SELECT number FROM tidings_item
  WHERE receiver = $1 AND object_key = $2 AND dead_ms IS NULL
  ORDER BY number LIMIT 1
) AND due_ms IS NULL;

-- name: drop_finished
-- A notification that has no items left.
DELETE FROM tidings_notification
WHERE number = $1 AND NOT EXISTS (SELECT 1 FROM tidings_item WHERE notification = $1);

-- name: postpone
-- A try failed; there is another.
UPDATE tidings_item SET tries = tries + 1, due_ms = $1 WHERE number = $2 AND due_ms IS NOT NULL;

-- name: bury
-- An item is given up.
UPDATE tidings_item SET tries = tries + 1, due_ms = NULL, dead_ms = $1, error = $2
WHERE number = $3 AND due_ms IS NOT NULL;

-- name: dead
-- Items that were given up, behind a number.
SELECT number, notification, kind, place, object_key, tries, dead_ms, error FROM tidings_item
WHERE receiver = $1 AND dead_ms IS NOT NULL AND number > $2 ORDER BY number LIMIT $3;

-- name: dead_one
-- An item that was given up.
SELECT notification, object_key FROM tidings_item
WHERE receiver = $1 AND number = $2 AND dead_ms IS NOT NULL FOR UPDATE;

-- name: revive
-- It waits again; release_next makes it due where it is its object's first.
UPDATE tidings_item SET tries = 0, dead_ms = NULL, error = NULL, due_ms = NULL WHERE number = $1;

-- name: rest
-- An object's item that was due waits behind one that has come before it again.
UPDATE tidings_item SET due_ms = NULL
WHERE receiver = $1 AND object_key = $2 AND dead_ms IS NULL AND due_ms IS NOT NULL AND number > $3;

-- name: drop_dead
-- A dead letter that nobody wants.
DELETE FROM tidings_item WHERE receiver = $1 AND number = $2 AND dead_ms IS NOT NULL;

-- name: oldest_known
-- The identities that were remembered first.
SELECT number, until_ms FROM tidings_known ORDER BY number LIMIT $1;

-- name: forget
-- The identities up to a number, as far as their time is over.
DELETE FROM tidings_known WHERE number <= $1 AND until_ms <= $2;
