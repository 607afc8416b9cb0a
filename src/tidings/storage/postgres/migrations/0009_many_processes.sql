-- Who is there, and what processes tell each other (mechanics D1, D6, G3).

-- The processes that said lately that they are there, in each of their roles: a reference table. It
-- is written every few seconds by each: most of each page is free for it, and no index holds what
-- changes.
CREATE TABLE attendance (
    role    text NOT NULL,
    holder  text NOT NULL,
    since   bigint NOT NULL,
    ends_at bigint NOT NULL,
    PRIMARY KEY (role, holder)
) WITH (fillfactor = 30);

-- Pages that were listed, on their way to the dispatcher of another process: it deletes what it
-- took. Hints only, so a crash of the database may empty it, and nothing is written ahead for it.
CREATE UNLOGGED TABLE read_note (
    bucket        smallint NOT NULL,
    webhook_id    text NOT NULL,
    account       text NOT NULL,
    key_id        text NOT NULL,
    listed_at     bigint NOT NULL,
    read_position bigint NOT NULL,
    has_more      boolean NOT NULL,
    asked         bigint,
    PRIMARY KEY (bucket, webhook_id)
);
