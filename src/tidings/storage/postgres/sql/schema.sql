-- name: find_version
-- Whether the schema's own table is there, and whether any other is.
SELECT
    to_regclass('tidings_schema') IS NOT NULL AS ours,
    EXISTS (
        SELECT 1 FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
    ) AS tables

-- name: read_version
-- The number of the last migration that was applied.
SELECT version FROM tidings_schema

-- name: create_version
-- The schema's own table: one row, which is locked while migrations run. A reference table.
CREATE TABLE IF NOT EXISTS tidings_schema (
    only_row smallint PRIMARY KEY CHECK (only_row = 1),
    version  integer NOT NULL
)

-- name: first_version
-- A new database is at 0.
INSERT INTO tidings_schema (only_row, version) VALUES (1, 0) ON CONFLICT DO NOTHING

-- name: lock_version
-- One migration at a time; whoever waited for it finds what the other has done.
SELECT version FROM tidings_schema FOR UPDATE

-- name: keep_version
-- Raised with the migration, in its transaction.
UPDATE tidings_schema SET version = $1
