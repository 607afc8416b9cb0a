-- name: tell
-- Leave a note for the other processes.
INSERT INTO count_note (bucket, told_at, teller, number, counted)
VALUES ($1, floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint, $2, $3, $4)

-- name: drop_old_notes
-- Drop what has lain for so many milliseconds.
DELETE FROM count_note
WHERE
    bucket = $1
    AND told_at <= floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint - $2::bigint

-- name: hear
-- The clock, and beside it what others told since; one row without a note where there is none.
SELECT
    moment.now_ms,
    note.teller,
    note.number,
    note.counted
FROM (
    SELECT floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint AS now_ms
) AS moment
LEFT JOIN count_note AS note
    ON note.bucket = $1 AND note.told_at >= $2 AND note.teller <> $3
ORDER BY note.told_at, note.number
