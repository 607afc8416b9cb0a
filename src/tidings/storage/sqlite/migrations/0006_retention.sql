-- What retention needs to find what is over its time without looking at all the rest.

-- From where on the next revision holds; NULL for the one that holds now (mechanics L7).
ALTER TABLE webhook_revision ADD COLUMN superseded_position INTEGER;

-- So it was for those that are there.
UPDATE webhook_revision SET superseded_position = (
    SELECT min(later.from_position) FROM webhook_revision AS later
    WHERE
        later.bucket = webhook_revision.bucket
        AND later.webhook_id = webhook_revision.webhook_id
        AND later.from_position > webhook_revision.from_position
);

-- Those that retention may drop are a range of it.
CREATE INDEX webhook_revision_superseded ON webhook_revision (superseded_position)
WHERE superseded_position IS NOT NULL;

-- A page of an account's list goes on from a place, which needs no row any more: a deleted webhook
-- leaves none behind, however often one is created and deleted.
DELETE FROM account_webhook WHERE deleted;

-- Nobody asks for it any more.
ALTER TABLE account_webhook DROP COLUMN deleted;
