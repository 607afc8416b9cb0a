-- How many webhooks an account has, for the caps (mechanics D8).

-- The solutions in which an account has webhooks, and how many: a reference table (mechanics L1).
CREATE TABLE account_solution (
    account  text NOT NULL,
    solution text NOT NULL,
    webhooks integer NOT NULL,
    PRIMARY KEY (account, solution)
) WITH (fillfactor = 70);
