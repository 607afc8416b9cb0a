-- name: insert_key
-- A new key.
INSERT INTO api_key (
    key_id, account, name, role, key_hash, created_at, revoked_at, last_used_at
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: living_name
-- Whether an account has a living key of this name.
SELECT 1 FROM api_key WHERE account = ? AND name = ? AND revoked_at IS NULL

-- name: find_key
-- The living key with this hash.
SELECT key_id, account, name, role, key_hash, created_at, revoked_at, last_used_at
FROM api_key
WHERE key_hash = ? AND revoked_at IS NULL

-- name: list_keys
-- Keys of one account or of all, oldest first.
SELECT key_id, account, name, role, key_hash, created_at, revoked_at, last_used_at
FROM api_key
WHERE ?1 IS NULL OR account = ?1
ORDER BY created_at, rowid

-- name: revoke_key
-- Revoke a living key.
UPDATE api_key SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL

-- name: touch_key
-- When a key was last used; never back.
UPDATE api_key SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE key_id = ?

-- name: solution_of_application
-- The solution that an application belongs to.
SELECT solution FROM application WHERE account = ? AND application = ?

-- name: save_application
-- An application; where it is known its name changes if one is given.
INSERT INTO application (account, application, solution, name)
VALUES (?, ?, ?, ?)
ON CONFLICT (account, application) DO UPDATE SET name = coalesce(excluded.name, name)

-- name: note_sheets
-- Applications (a JSON list) of a solution, those that are new, as far as the account has room.
INSERT OR IGNORE INTO application (account, application, solution)
SELECT :account, sheet.value, :solution
FROM json_each(:sheets) AS sheet
WHERE
    NOT EXISTS (
        SELECT 1 FROM application
        WHERE application.account = :account AND application.application = sheet.value
    )
LIMIT max(0, :at_most - (SELECT count(*) FROM application WHERE account = :account))
