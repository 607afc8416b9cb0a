-- How many webhooks an account has, for the caps (mechanics D8).

-- The solutions in which an account has webhooks, and how many: a reference table (mechanics L1).
-- So that creating the hundred-thousandth costs what creating the first does.
CREATE TABLE account_solution (
    account  TEXT NOT NULL,
    solution TEXT NOT NULL,
    webhooks INTEGER NOT NULL,
    PRIMARY KEY (account, solution)
) STRICT;

-- What is there already.
INSERT INTO account_solution (account, solution, webhooks)
SELECT account, solution, count(*)
FROM account_webhook
WHERE deleted = 0
GROUP BY account, solution;
