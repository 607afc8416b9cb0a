-- The mean size of an event as it is kept.
SELECT avg(length(body)) FROM change_log WHERE kind > 0
