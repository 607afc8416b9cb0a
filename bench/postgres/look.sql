-- Takes a snapshot, as the first statement of a transaction does.
SELECT count(*) FROM head
