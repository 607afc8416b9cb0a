-- name: attend
-- A process is there for so many milliseconds more; one that was away stands last again.
INSERT INTO attendance AS known (role, holder, since, ends_at)
SELECT $1, $2, moment.now_ms, moment.now_ms + $3::bigint
FROM (
    SELECT floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint AS now_ms
) AS moment
ON CONFLICT (role, holder) DO UPDATE
SET
    since = CASE
        WHEN known.ends_at <= excluded.since THEN excluded.since
        ELSE known.since
    END,
    ends_at = excluded.ends_at

-- name: present
-- Who is there, who came first before the others.
SELECT holder
FROM attendance
WHERE
    role = $1
    AND ends_at > floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint
ORDER BY since, holder

-- name: forget_absent
-- Forget those who have been away for an hour.
DELETE FROM attendance
WHERE ends_at <= floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint - 3600000

-- name: leave
-- A process is there no more.
DELETE FROM attendance WHERE role = $1 AND holder = $2
