-- name: schema
-- What was handled, in the order of handling, and which rows are live by it. It stands beside the
-- receiver's inbox in one file, so that both move in one transaction.
CREATE TABLE IF NOT EXISTS handled (
    number INTEGER PRIMARY KEY, object_type TEXT, event_type TEXT, row_id INTEGER, column_id INTEGER
);

-- The rows of the sheet as row events tell it.
CREATE TABLE IF NOT EXISTS live (row_id INTEGER PRIMARY KEY);

-- name: add_handled
-- An event was handled.
INSERT INTO handled (object_type, event_type, row_id, column_id) VALUES (?, ?, ?, ?)

-- name: add_live
-- A row was created.
INSERT INTO live (row_id) VALUES (?)

-- name: drop_live
-- A row was deleted.
DELETE FROM live WHERE row_id = ?

-- name: count_handled
-- How many events were handled: none is ever taken out.
SELECT coalesce(max(number), 0) FROM handled

-- name: all_handled
-- All of them, in order.
SELECT object_type, event_type, row_id, column_id FROM handled ORDER BY number

-- name: all_live
-- The live rows.
SELECT row_id FROM live
