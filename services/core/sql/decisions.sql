-- What a decision stands on, and what became of it.

-- name: states
-- How comments stand now.
SELECT c.discussion, c.comment, c.status, c.revision, c.published_revision, c.held_revision,
       c.held_reason, c.deleted_at, c.ruling, c.ruled_revision, c.ruled_by, c.ruled_at,
       c.ruling_reason
  FROM comments c
  JOIN unnest($1::text[], $2::text[]) AS asked (discussion, comment)
    ON c.discussion = asked.discussion AND c.comment = asked.comment;

-- name: outcomes_named
-- What became of the events asked for; an event without a row still waits.
SELECT o.discussion, o.event_id, o.event_digest, o.comment, o.revision, o.result, o.reason, o.status
  FROM outcomes o
  JOIN unnest($1::text[], $2::text[], $3::bytea[]) AS asked (discussion, event_id, event_digest)
    ON o.discussion = asked.discussion AND o.event_id = asked.event_id
   AND o.event_digest = asked.event_digest;

-- name: known_ids
SELECT o.discussion, o.event_id
  FROM outcomes o
  JOIN unnest($1::text[], $2::text[]) AS asked (discussion, event_id)
    ON o.discussion = asked.discussion AND o.event_id = asked.event_id
