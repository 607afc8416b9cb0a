-- name: add_account
-- An account's row, which is locked while something of it is counted.
INSERT INTO account (account) VALUES ($1) ON CONFLICT DO NOTHING

-- name: lock_account
-- One at a time adds to what an account has (mechanics D8).
SELECT account FROM account WHERE account = $1 FOR UPDATE

-- name: kept_of_account
-- What an account has of webhooks, and how many of them in one solution.
SELECT
    coalesce(sum(webhooks), 0) AS account_webhooks,
    count(*) AS account_solutions,
    coalesce(sum(webhooks) FILTER (WHERE solution = $2), 0) AS solution_webhooks
FROM account_solution
WHERE account = $1

-- name: add_webhook
-- One webhook more in a solution.
INSERT INTO account_solution (account, solution, webhooks)
VALUES ($1, $2, 1)
ON CONFLICT (account, solution) DO UPDATE SET webhooks = account_solution.webhooks + 1

-- name: drop_webhook
-- One webhook less in a solution.
UPDATE account_solution SET webhooks = webhooks - 1 WHERE account = $1 AND solution = $2

-- name: drop_empty_solution
-- A solution without webhooks has no row.
DELETE FROM account_solution WHERE account = $1 AND solution = $2 AND webhooks = 0

-- name: revisions_of_webhook
-- How many revisions a webhook has.
SELECT count(*) FROM webhook_revision WHERE bucket = $1 AND webhook_id = $2

-- name: applications_of_account
-- How many applications an account has.
SELECT count(*) FROM application WHERE account = $1
