-- Reminders, notices, and debts that have ended (contract 1.6, 1.7; mechanics D1, D2).

-- How many reminders were acknowledged since its reader last came on.
ALTER TABLE dispatch_state ADD COLUMN reminders INTEGER NOT NULL DEFAULT 0;

-- When it is reminded next if events are unread by then.
ALTER TABLE dispatch_state ADD COLUMN remind_at INTEGER;

-- The number of the last notice that was acknowledged.
ALTER TABLE dispatch_state ADD COLUMN noticed INTEGER NOT NULL DEFAULT 0;

-- The webhook's revision by which the debt was made; 0: not known.
ALTER TABLE debt ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

-- When its endpoint was given up: notifications are to be disabled, also after a crash.
ALTER TABLE debt ADD COLUMN ended_at INTEGER;
