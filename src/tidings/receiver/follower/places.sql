-- Where followers keep how far they have come: plain enough for PostgreSQL and for SQLite.

-- name: make_table
-- A row a webhook.
CREATE TABLE IF NOT EXISTS tidings_follower (
  webhook_id varchar(255) NOT NULL PRIMARY KEY,
  token text NOT NULL
)

-- name: load
-- How far a webhook's follower is.
SELECT token FROM tidings_follower WHERE webhook_id = :webhook_id

-- name: begin_row
-- A row to hold, for a webhook that nobody has followed yet.
INSERT INTO tidings_follower (webhook_id, token) VALUES (:webhook_id, '')
ON CONFLICT (webhook_id) DO NOTHING

-- name: hold
-- Take the row's lock before the work, if the place is still what it was. It changes nothing.
UPDATE tidings_follower SET token = token
WHERE webhook_id = :webhook_id AND token = :token

-- name: move
-- Move the held row, after the work.
UPDATE tidings_follower SET token = :token
WHERE webhook_id = :webhook_id

-- name: move_in_transaction
-- The same on PostgreSQL, where a row tells whose it is: the transaction that held it, no later one.
UPDATE tidings_follower SET token = :token
WHERE webhook_id = :webhook_id AND xmin = CAST(pg_current_xact_id() AS xid)
