-- name: insert_key
-- A new key.
INSERT INTO api_key (
    key_id, account, name, role, key_hash, created_at, revoked_at, last_used_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: find_keys
-- The living keys with these hashes.
SELECT key_id, account, name, role, key_hash, created_at, revoked_at, last_used_at
FROM api_key
WHERE key_hash = ANY($1::bytea []) AND revoked_at IS NULL

-- name: list_keys
-- Keys of one account or of all, oldest first.
SELECT key_id, account, name, role, key_hash, created_at, revoked_at, last_used_at
FROM api_key
WHERE $1::text IS NULL OR account = $1::text
ORDER BY created_at, key_id

-- name: revoke_key
-- Revoke a living key.
UPDATE api_key SET revoked_at = $1 WHERE key_id = $2 AND revoked_at IS NULL RETURNING key_id

-- name: touch_keys
-- When keys were last used; never back.
UPDATE api_key
SET last_used_at = greatest(api_key.last_used_at, given.used_at)
FROM unnest($1::text [], $2::bigint []) AS given (key_id, used_at)
WHERE api_key.key_id = given.key_id

-- name: solution_of_application
-- The solution that an application belongs to.
SELECT solution FROM application WHERE account = $1 AND application = $2

-- name: save_application
-- An application; where it is known its name changes if one is given.
INSERT INTO application (account, application, solution, name)
VALUES ($1, $2, $3, $4)
ON CONFLICT (account, application) DO UPDATE
SET name = coalesce(excluded.name, application.name)

-- name: note_sheets
-- An application of a solution, if it is new and as far as its account has room: an account's, an
-- application's and a solution's id, and how many applications the account may have.
INSERT INTO application (account, application, solution)
SELECT $1, $2, $3
WHERE (SELECT count(*) FROM application AS other WHERE other.account = $1) < $4
ON CONFLICT (account, application) DO NOTHING
