-- Rate limits over all processes (contract 1.8, 2.7, 3.2).

-- What each API process admitted, on its way to the others, who read it four times a second; then it
-- lies for a minute and a half, for those that start. Hints only, so a crash of the database may empty
-- it, nothing is written ahead for it, and no commit of it waits for a disk or a standby. `counted`
-- is told in one piece: a row a key would be thousands of rows a second, of which nobody asks for one.
CREATE UNLOGGED TABLE count_note (
    bucket  smallint NOT NULL,
    told_at bigint NOT NULL,
    teller  text NOT NULL,
    number  bigint NOT NULL,
    counted bytea NOT NULL,
    PRIMARY KEY (bucket, told_at, teller, number)
);
