-- How far each webhook is from its end, and the time that the sweeps keep (contract 1.7;
-- mechanics L8).

-- The sweeps' one row: a reference table. Lifecycle time is the wall clock without `paused_ms`: it
-- stands still while no sweeper runs, so that downtime is added to every limit by one write.
CREATE TABLE sweep (
    only_row  smallint PRIMARY KEY CHECK (only_row = 1),
    swept_at  bigint,
    paused_ms bigint NOT NULL
) WITH (fillfactor = 30);

-- Nobody swept before.
INSERT INTO sweep (only_row, swept_at, paused_ms) VALUES (1, NULL, 0);

-- Of a webhook: how far it is from its end (domain/lifecycle.py) and since when; the revision at
-- which the notice that stands was raised; since when its limits count, in lifecycle time, where it
-- wasn't listed since; when a sweep must look at it, in lifecycle time.
ALTER TABLE webhook
    ADD COLUMN stage text NOT NULL DEFAULT 'ACTIVE',
    ADD COLUMN staged_at bigint,
    ADD COLUMN noticed integer,
    ADD COLUMN extended_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN due_at bigint NOT NULL DEFAULT 0;

-- Since when its limits count, in lifecycle time: the last listing.
ALTER TABLE reading ADD COLUMN extended_at bigint NOT NULL DEFAULT 0;

-- What is due is a range of it, for each stage.
CREATE INDEX webhook_due ON webhook (stage, due_at);
