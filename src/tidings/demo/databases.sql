-- name: create_schema
-- A schema for one act; its name is ours, never a user's.
CREATE SCHEMA {schema}

-- name: drop_schema
-- Leave nothing behind.
DROP SCHEMA {schema} CASCADE
