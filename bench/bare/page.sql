-- A page's rows, by the covering index.
SELECT position, body
FROM change_log
WHERE bucket = ? AND account = ? AND solution = ? AND position > ?
ORDER BY position
LIMIT ?
