-- Reminders, notices, and debts that have ended (contract 1.6, 1.7; mechanics D1, D2).

-- How many reminders were acknowledged since its reader last came on; when it is reminded next if
-- events are unread by then; the number of the last notice that was acknowledged.
ALTER TABLE dispatch_state
    ADD COLUMN reminders integer NOT NULL DEFAULT 0,
    ADD COLUMN remind_at bigint,
    ADD COLUMN noticed integer NOT NULL DEFAULT 0;

-- The webhook's revision by which the debt was made (0: not known); when its endpoint was given up:
-- notifications are to be disabled, also after a crash.
ALTER TABLE debt
    ADD COLUMN revision integer NOT NULL DEFAULT 0,
    ADD COLUMN ended_at bigint;
