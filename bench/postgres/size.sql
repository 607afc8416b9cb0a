-- What the log takes with all that belongs to it, and the mean size of an event as it is kept.
SELECT
    (
        SELECT sum(pg_total_relation_size(day.inhrelid))
        FROM pg_inherits AS day
        WHERE day.inhparent = 'change_log'::regclass
    ) AS taken,
    (SELECT avg(octet_length(body)) FROM change_log WHERE kind > 0) AS kept
