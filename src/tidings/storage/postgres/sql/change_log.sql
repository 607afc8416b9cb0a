-- name: read_heads
-- After the locks: of each bucket the floor and the greatest position, the clock, and the sweeps'
-- time, by which the clock is judged (mechanics L2, L8).
SELECT
    head.bucket,
    head.floor,
    greatest(head.floor, coalesce(
        (
            SELECT entry.position
            FROM change_log AS entry
            WHERE entry.bucket = head.bucket
            ORDER BY entry.position DESC
            LIMIT 1
        ),
        0
    )) AS last,
    floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint AS now_ms,
    (SELECT sweep.swept_at FROM sweep) AS swept_at
FROM head
WHERE head.bucket = ANY($1::smallint [])

-- name: insert_entries
-- Entries at positions that were given under the head lock; from about ten on they are copied.
INSERT INTO change_log (
    bucket, position, account, solution, application, kind, mask, subject, changed, by,
    change_agent, body
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: find_keys
-- What is kept under keys, in the day of the position that is about to be given and in the day
-- before (mechanics L4).
SELECT
    given.number, kept.kept_at, kept.body_hash, kept.accepted, kept.suppressed, kept.batch_id,
    kept.first_position, kept.last_position
FROM unnest(
    $1::integer [], $2::smallint [], $3::text [], $4::text [], $5::text [], $6::integer []
) AS given (number, bucket, account, solution, key, day)
INNER JOIN idempotency AS kept
    ON
        kept.bucket = given.bucket AND kept.account = given.account
        AND kept.solution = given.solution AND kept.key = given.key
        AND kept.kept_day >= given.day - 1 AND kept.kept_day <= given.day
ORDER BY given.number, kept.kept_at

-- name: remember_keys
-- Keep publishes' receipts under their keys, in the day of their time.
INSERT INTO idempotency (
    bucket, account, solution, key, kept_day, kept_at, body_hash, accepted, suppressed, batch_id,
    first_position, last_position
)
SELECT
    given.bucket, given.account, given.solution, given.key, given.kept_at / 86400000,
    given.kept_at, given.body_hash, given.accepted, given.suppressed, given.batch_id,
    given.first_position, given.last_position
FROM unnest(
    $1::smallint [], $2::text [], $3::text [], $4::text [], $5::bigint [], $6::bytea [],
    $7::integer [], $8::integer [], $9::text [], $10::bigint [], $11::bigint []
) AS given (
    bucket, account, solution, key, kept_at, body_hash, accepted, suppressed, batch_id,
    first_position, last_position
)

-- name: read_tail
-- Behind each of a lane's tails the next headers, in order, at most so many of each bucket; what
-- retention has dropped isn't read, also where its rows are still there (mechanics G3).
SELECT
    news.bucket, news.position, news.account, news.solution, news.kind, news.application,
    news.subject, news.changed
FROM unnest($1::smallint [], $2::bigint []) AS tail (bucket, position)
INNER JOIN head ON head.bucket = tail.bucket
CROSS JOIN LATERAL (
    SELECT
        entry.bucket, entry.position, entry.account, entry.solution, entry.kind,
        entry.application, entry.subject, entry.changed
    FROM change_log AS entry
    WHERE entry.bucket = tail.bucket AND entry.position > greatest(tail.position, head.floor)
    ORDER BY entry.position
    LIMIT $3
) AS news
ORDER BY news.bucket, news.position

-- name: page_rows
-- The next rows of a whole solution, and before them one of what else a page needs that is full with
-- them: the floor, the clock, and how its webhook ($10) stands, all from one snapshot. Looked at are
-- $7 rows at most, before $5, so that only the days between are opened; of bodies over $9 bytes each
-- there is none. A page that isn't full ends at a bound: for that it takes the other statements.
SELECT
    NULL::bigint AS position,
    NULL::text AS changed,
    NULL::bytea AS body,
    head.floor,
    floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint AS now_ms,
    (
        SELECT webhook.stage FROM webhook WHERE webhook.bucket = $1 AND webhook.webhook_id = $10
    ) AS stage,
    ARRAY(
        SELECT revision.from_position
        FROM webhook_revision AS revision
        WHERE revision.bucket = $1 AND revision.webhook_id = $10
        ORDER BY revision.from_position
    ) AS revised_at
FROM head
WHERE head.bucket = $1
UNION ALL
(
    SELECT
        near.position,
        near.changed,
        CASE WHEN octet_length(near.body) <= $9::bigint THEN near.body END,
        NULL,
        NULL,
        NULL,
        NULL
    FROM (
        SELECT whole.position, whole.kind, whole.changed, whole.body
        FROM change_log AS whole
        WHERE
            whole.bucket = $1 AND whole.account = $2 AND whole.solution = $3
            AND whole.position > $4 AND whole.position < $5
            AND whole.position > (SELECT head.floor FROM head WHERE head.bucket = $1)
        ORDER BY whole.position
        LIMIT $7
    ) AS near
    WHERE ($6::bigint >> near.kind) & 1 = 1
    LIMIT $8
)

-- name: page_head
-- Where a slice of a page's scan begins and ends, from one snapshot (mechanics P1): the floor, the
-- bound ($5, or the bucket's last position, NULL if it isn't $7 or more; OFFSET 0 has it looked up
-- once), the clock, the last of the slice's next rows up to the bound (NULL where the bound comes
-- first), the solution's last position behind the slice's beginning up to the bound, and how the
-- webhook ($8) stands. That positions lie behind numbers that are given spares the days before.
SELECT
    head.floor,
    bound.position AS bound,
    floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint AS now_ms,
    (
        SELECT place.position
        FROM change_log AS place
        WHERE
            place.bucket = head.bucket AND place.account = $2 AND place.solution = $3
            AND place.position > $4 AND place.position > head.floor
            AND place.position <= bound.position
        ORDER BY place.position
        LIMIT 1 OFFSET $6
    ) AS slice_end,
    (
        SELECT place.position
        FROM change_log AS place
        WHERE
            place.bucket = head.bucket AND place.account = $2 AND place.solution = $3
            AND place.position > $4 AND place.position <= bound.position
        ORDER BY place.position DESC
        LIMIT 1
    ) AS last_of_solution,
    (
        SELECT webhook.stage FROM webhook WHERE webhook.bucket = $1 AND webhook.webhook_id = $8
    ) AS stage,
    ARRAY(
        SELECT revision.from_position
        FROM webhook_revision AS revision
        WHERE revision.bucket = $1 AND revision.webhook_id = $8
        ORDER BY revision.from_position
    ) AS revised_at
FROM head
CROSS JOIN LATERAL (
    SELECT
        coalesce(
            $5::bigint,
            (
                SELECT entry.position
                FROM change_log AS entry
                WHERE entry.bucket = head.bucket AND entry.position >= $7
                ORDER BY entry.position DESC
                LIMIT 1
            )
        ) AS position
    OFFSET 0
) AS bound
WHERE head.bucket = $1

-- name: scan_span
-- The rows of a solution within (after, until] that one revision may cover, in order, and the floor
-- of the same moment, also where there is none. The inner scan decides kind, application and mask on
-- the covering index; only what passes costs a row, which is found by either index: a plan that was
-- made while a day was empty can't choose the wrong one. Where bodies take more than $10 bytes the next
-- row comes without its body, as a sign that there is more.
SELECT head.floor, entry.position, entry.changed, entry.body
FROM head
LEFT JOIN LATERAL (
    SELECT
        found.position,
        found.changed,
        CASE
            WHEN
                sum(octet_length(found.body)) OVER (ORDER BY found.position)
                - octet_length(found.body) < $10
                THEN found.body
        END AS body
    FROM (
        SELECT whole.position, whole.changed, whole.body
        FROM change_log AS place
        INNER JOIN change_log AS whole
            ON
                whole.bucket = place.bucket AND whole.position = place.position
                AND whole.account = $2 AND whole.solution = $3
        WHERE
            place.bucket = head.bucket AND place.account = $2 AND place.solution = $3
            AND place.position > $4 AND place.position > head.floor AND place.position <= $5
            AND ($6::bigint >> place.kind) & 1 = 1
            AND ($7::text [] IS NULL OR place.application = ANY($7::text []))
            AND ($8::bigint IS NULL OR place.mask & $8::bigint <> 0)
        ORDER BY place.position
        LIMIT $9
    ) AS found
) AS entry ON true
WHERE head.bucket = $1
ORDER BY entry.position

-- name: scan_whole_span
-- The same where the index has only kinds to decide, as for a webhook of a whole solution: each row
-- is read where the index finds it. In the join its day is looked for anew, which costs more than
-- all the rest. All of its conditions are the page's index's, so that no other is ever cheaper.
SELECT head.floor, entry.position, entry.changed, entry.body
FROM head
LEFT JOIN LATERAL (
    SELECT
        found.position,
        found.changed,
        CASE
            WHEN
                sum(octet_length(found.body)) OVER (ORDER BY found.position)
                - octet_length(found.body) < $8
                THEN found.body
        END AS body
    FROM (
        SELECT whole.position, whole.changed, whole.body
        FROM change_log AS whole
        WHERE
            whole.bucket = head.bucket AND whole.account = $2 AND whole.solution = $3
            AND whole.position > $4 AND whole.position > head.floor AND whole.position <= $5
            AND ($6::bigint >> whole.kind) & 1 = 1
        ORDER BY whole.position
        LIMIT $7
    ) AS found
) AS entry ON true
WHERE head.bucket = $1
ORDER BY entry.position

-- name: scan_callback
-- The same for what a callback is made of, of the body no more than it needs: all of it where its
-- events hang on the data, otherwise its beginning, where the time stands.
SELECT
    head.floor, entry.position, entry.kind, entry.subject, entry.changed, entry.by,
    entry.change_agent,
    CASE
        WHEN entry.kind = 1 OR (entry.kind = 2 AND entry.changed IS NULL) THEN entry.body
        ELSE substr(entry.body, 1, 128)
    END AS body
FROM head
LEFT JOIN LATERAL (
    SELECT
        whole.position, whole.kind, whole.subject, whole.changed, whole.by, whole.change_agent,
        whole.body
    FROM change_log AS place
    INNER JOIN change_log AS whole
        ON
            whole.bucket = place.bucket AND whole.position = place.position
            AND whole.account = $2 AND whole.solution = $3
    WHERE
        place.bucket = head.bucket AND place.account = $2 AND place.solution = $3
        AND place.position > $4 AND place.position > head.floor AND place.position <= $5
        AND ($6::bigint >> place.kind) & 1 = 1
        AND ($7::text [] IS NULL OR place.application = ANY($7::text []))
        AND ($8::bigint IS NULL OR place.mask & $8::bigint <> 0)
    ORDER BY place.position
    LIMIT $9
) AS entry ON true
WHERE head.bucket = $1
ORDER BY entry.position
