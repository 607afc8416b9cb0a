-- name: attend
-- A process is there until an instant; one that was away stands last again.
INSERT INTO attendance (role, holder, since, ends_at)
VALUES (:role, :holder, :now, :ends_at)
ON CONFLICT (role, holder) DO UPDATE
SET
    since = iif(ends_at <= excluded.since, excluded.since, since),
    ends_at = excluded.ends_at

-- name: present
-- Who is there, who came first before the others.
SELECT holder FROM attendance
WHERE role = :role AND ends_at > :now
ORDER BY since, holder

-- name: forget_absent
-- Forget those who have been away for an hour.
DELETE FROM attendance WHERE ends_at <= :now - 3600000

-- name: leave
-- A process is there no more.
DELETE FROM attendance WHERE role = :role AND holder = :holder
