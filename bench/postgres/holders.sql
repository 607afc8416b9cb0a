-- How many buckets each dispatcher holds.
SELECT count(*) AS held FROM lease WHERE holder <> '' GROUP BY holder
