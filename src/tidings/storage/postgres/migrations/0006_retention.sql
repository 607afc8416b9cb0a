-- What retention needs to find what is over its time without looking at all the rest.

-- From where on the next revision holds; NULL for the one that holds now (mechanics L7).
ALTER TABLE webhook_revision ADD COLUMN superseded_position bigint;

-- Those that retention may drop are a range of it.
CREATE INDEX webhook_revision_superseded ON webhook_revision (bucket, superseded_position)
WHERE superseded_position IS NOT NULL;
