-- name: kept_of_account
-- What an account has of webhooks, and how many of them in one solution.
SELECT
    coalesce(sum(webhooks), 0),
    count(*),
    coalesce(sum(webhooks) FILTER (WHERE solution = ?2), 0)
FROM account_solution
WHERE account = ?1

-- name: add_webhook
-- One webhook more in a solution.
INSERT INTO account_solution (account, solution, webhooks)
VALUES (?, ?, 1)
ON CONFLICT (account, solution) DO UPDATE SET webhooks = webhooks + 1

-- name: drop_webhook
-- One webhook less in a solution.
UPDATE account_solution SET webhooks = webhooks - 1 WHERE account = ? AND solution = ?

-- name: drop_empty_solution
-- A solution without webhooks has no row.
DELETE FROM account_solution WHERE account = ? AND solution = ? AND webhooks = 0

-- name: revisions_of_webhook
-- How many revisions a webhook has.
SELECT count(*) FROM webhook_revision WHERE bucket = ? AND webhook_id = ?

-- name: applications_of_account
-- How many applications an account has.
SELECT count(*) FROM application WHERE account = ?
