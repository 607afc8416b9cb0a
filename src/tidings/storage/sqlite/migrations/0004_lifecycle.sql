-- How far each webhook is from its end, and the time that the sweeps keep (contract 1.7;
-- mechanics L8).

-- The sweeps' one row. Lifecycle time is the wall clock without `paused_ms`: it stands still while
-- no sweeper runs, so that downtime is added to every limit by one write, however many there are.
CREATE TABLE sweep (
    only      INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    swept_at  INTEGER,
    paused_ms INTEGER NOT NULL
) STRICT;

-- How far it is from its end (domain/lifecycle.py).
ALTER TABLE webhook ADD COLUMN stage TEXT NOT NULL DEFAULT 'ACTIVE';

-- Since when.
ALTER TABLE webhook ADD COLUMN staged_at INTEGER;

-- The revision at which the notice that stands was raised.
ALTER TABLE webhook ADD COLUMN noticed INTEGER;

-- Since when its limits count, in lifecycle time, where it wasn't listed since.
ALTER TABLE webhook ADD COLUMN extended_at INTEGER NOT NULL DEFAULT 0;

-- When a sweep must look at it, in lifecycle time; a listing leaves it alone, so it may be early.
ALTER TABLE webhook ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;

-- Since when its limits count, in lifecycle time: the last listing.
ALTER TABLE reading ADD COLUMN extended_at INTEGER NOT NULL DEFAULT 0;

-- Nobody swept before, so the limits of what is there begin to run with the first sweep: it adds
-- what lies between the last that happened and itself.
INSERT INTO sweep (only, swept_at, paused_ms)
SELECT
    1,
    (
        SELECT max(latest_at)
        FROM (
            SELECT max(created_at) AS latest_at FROM webhook
            UNION ALL
            SELECT max(last_listed_at) FROM reading
        )
    ),
    0;

-- They count from the same instant, whenever each was listed last.
UPDATE webhook
SET
    extended_at = (SELECT swept_at FROM sweep),
    due_at = (SELECT swept_at FROM sweep) + 6 * 24 * 3600 * 1000;

-- What is due is a range of it, for each stage.
CREATE INDEX webhook_due ON webhook (stage, due_at);
