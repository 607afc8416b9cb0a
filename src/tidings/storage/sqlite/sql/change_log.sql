-- name: last_position
-- The bucket's greatest position, or its floor where nothing is left; and the floor.
SELECT
    max(coalesce((SELECT max(position) FROM change_log WHERE bucket = ?1), 0), floor),
    floor
FROM head
WHERE bucket = ?1

-- name: last_positions
-- The last positions of many buckets (a JSON list), as one JSON object, so in one step.
SELECT json_group_object(
    bucket,
    max(
        coalesce((SELECT max(position) FROM change_log WHERE bucket = head.bucket), 0), floor
    )
)
FROM head
WHERE bucket IN (SELECT value FROM json_each(?))

-- name: insert_entry
-- One entry at a position that was given under the write lock.
INSERT INTO change_log (
    bucket, position, account, solution, application, kind, mask, subject, changed, by,
    change_agent, body
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: remember_key
-- Keep a publish's receipt under its key; changes nothing where the key is known.
INSERT INTO idempotency (
    bucket, account, solution, key, kept_at, body_hash, accepted, suppressed, batch_id,
    first_position, last_position
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING

-- name: find_key
-- What is kept under a key, and since when (mechanics L4).
SELECT kept_at, body_hash, accepted, suppressed, batch_id, first_position, last_position
FROM idempotency
WHERE bucket = ? AND account = ? AND solution = ? AND key = ?

-- name: forget_key
-- Drop a key that is too old to count, so that it can be used anew.
DELETE FROM idempotency WHERE bucket = ? AND account = ? AND solution = ? AND key = ?

-- name: buckets_with_news
-- Of buckets and their tails, given as a JSON object, those with entries behind the tail, and from
-- where on: what retention has dropped isn't read, also where its rows are still there.
SELECT head.bucket, max(tails.value, head.floor) AS tail
FROM json_each(?1) AS tails
CROSS JOIN head ON head.bucket = CAST(tails.key AS INTEGER)
WHERE EXISTS (
    SELECT 1 FROM change_log AS entry
    WHERE entry.bucket = head.bucket AND entry.position > max(tails.value, head.floor)
)
ORDER BY head.bucket

-- name: read_tail
-- The headers behind a bucket's tail, in order.
SELECT bucket, position, account, solution, kind, application, subject, changed
FROM change_log
WHERE bucket = ? AND position > ?
ORDER BY position
LIMIT ?

-- name: slice_end
-- The position of the last of the next n index rows of a solution, up to the bound.
SELECT position
FROM change_log
WHERE bucket = ? AND account = ? AND solution = ? AND position > ? AND position <= ?
ORDER BY position
LIMIT 1 OFFSET ?

-- name: scan_span
-- The rows of a solution within (after, until] that one revision may cover, in order. The inner
-- scan decides kind, application and mask on the covering index; only what passes costs a row.
SELECT entry.position, entry.changed, entry.body
FROM change_log AS place
CROSS JOIN change_log AS entry ON entry.rowid = place.rowid
WHERE
    place.bucket = :bucket AND place.account = :account AND place.solution = :solution
    AND place.position > :after AND place.position <= :until
    AND (:kind_bits >> place.kind) & 1
    AND (
        :applications IS NULL
        OR place.application IN (SELECT value FROM json_each(:applications))
    )
    AND (:mask IS NULL OR place.mask & :mask)
ORDER BY place.position

-- name: scan_callback
-- The same for what a callback is made of, of the body no more than it needs: all of it where its
-- events hang on the data, otherwise its beginning, where the time stands.
SELECT
    entry.position, entry.kind, entry.subject, entry.changed, entry.by, entry.change_agent,
    iif(
        entry.kind = 1 OR (entry.kind = 2 AND entry.changed IS NULL),
        entry.body,
        substr(entry.body, 1, 128)
    )
FROM change_log AS place
CROSS JOIN change_log AS entry ON entry.rowid = place.rowid
WHERE
    place.bucket = :bucket AND place.account = :account AND place.solution = :solution
    AND place.position > :after AND place.position <= :until
    AND (:kind_bits >> place.kind) & 1
    AND place.application IN (SELECT value FROM json_each(:applications))
    AND (:mask IS NULL OR place.mask & :mask)
ORDER BY place.position
LIMIT :limit

-- name: standing
-- How a webhook stands: its stage, and from where on each of its revisions holds, oldest first. None
-- where it is gone.
SELECT webhook.stage, revision.from_position
FROM webhook
INNER JOIN webhook_revision AS revision
    ON revision.bucket = webhook.bucket AND revision.webhook_id = webhook.webhook_id
WHERE webhook.bucket = ? AND webhook.webhook_id = ?
ORDER BY revision.from_position

-- name: last_of_solution
-- The last position of a solution up to the bound.
SELECT max(position)
FROM change_log
WHERE bucket = ? AND account = ? AND solution = ? AND position <= ?
