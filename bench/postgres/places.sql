-- Positions of a bucket, one in so many.
SELECT position
FROM (SELECT position, row_number() OVER (ORDER BY position) AS place FROM change_log WHERE bucket = %s) AS log
WHERE place %% %s = 0
ORDER BY position
