-- Who is there (mechanics D6).

-- The processes that said lately that they are there, in each of their roles. One process serves a
-- file, and hears of each page that is listed in itself.
CREATE TABLE attendance (
    role    TEXT NOT NULL,
    holder  TEXT NOT NULL,
    since   INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    PRIMARY KEY (role, holder)
) STRICT, WITHOUT ROWID;
