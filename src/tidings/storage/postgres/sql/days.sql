-- name: days_of
-- The partitions of a table that is kept a day a partition, and which of them a detach was begun
-- for and not ended.
SELECT day.relname AS name, link.inhdetachpending AS pending
FROM pg_inherits AS link
INNER JOIN pg_class AS day ON day.oid = link.inhrelid
WHERE link.inhparent = $1::text::regclass
ORDER BY day.relname

-- name: loose_days
-- Tables that were detached and not dropped yet, or made and not attached yet.
SELECT day.relname AS name
FROM pg_class AS day
WHERE
    day.relnamespace = (SELECT whole.relnamespace FROM pg_class AS whole
        WHERE whole.oid = $1::text::regclass)
    AND day.relkind = 'r' AND NOT day.relispartition
    AND day.relname ~ ('^' || $1 || '_[0-9]{8}$')
ORDER BY day.relname

-- name: create_day
-- A plain table for one day. Making it as a partition at once would lock the whole table against
-- every reader and writer (mechanics G1).
CREATE TABLE IF NOT EXISTS {day} (
    LIKE {table} INCLUDING ALL,
    CONSTRAINT {day}_bounds CHECK ({column} >= {begins} AND {column} < {ends})
)

-- name: attach_day
-- Make it a partition: with the CHECK nothing has to be read, and readers and writers go on.
ALTER TABLE {table} ATTACH PARTITION {day} FOR VALUES FROM ({begins}) TO ({ends})

-- name: detach_day
-- Take a day's table out without keeping out readers and writers. Not inside a transaction.
ALTER TABLE {table} DETACH PARTITION {day} CONCURRENTLY

-- name: detach_day_alone
-- The same where CONCURRENTLY isn't known: with nobody else at the whole table, for a moment.
ALTER TABLE {table} DETACH PARTITION {day}

-- name: finish_detaching
-- End a detach that was broken off half-way; nothing else may be detached before.
ALTER TABLE {table} DETACH PARTITION {day} FINALIZE

-- name: drop_day
-- Drop a table that is no partition any more.
DROP TABLE {day}
