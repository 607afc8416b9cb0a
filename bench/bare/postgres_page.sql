-- A page's rows, by the covering index's order.
SELECT position, body
FROM change_log
WHERE bucket = $1 AND account = $2 AND solution = $3 AND position > $4
ORDER BY position
LIMIT $5
