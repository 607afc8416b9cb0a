-- name: raise_floor
-- Let a bucket's log begin behind this position; never back. One statement a bucket, ascending, as
-- appends lock them.
UPDATE head SET floor = $2 WHERE bucket = $1 AND floor < $2

-- name: lowest_floor
-- Up to where all buckets' logs are dropped.
SELECT min(floor) AS floor FROM head

-- name: drop_revisions
-- Of one bucket revisions that no position behind the floor asks for any more.
DELETE FROM webhook_revision
WHERE
    bucket = $1
    AND (webhook_id, from_position) IN (
        SELECT old.webhook_id, old.from_position
        FROM webhook_revision AS old
        WHERE
            old.bucket = $1
            AND old.superseded_position <= (SELECT head.floor FROM head WHERE head.bucket = $1)
        LIMIT $2
    )
RETURNING bucket
