-- Models that learn from decisions, and the decisions that they have not learned from.

-- name: add_lessons
INSERT INTO lessons (discussion, event_id, site, comment, revision, rejected)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::boolean[])
ON CONFLICT (discussion, event_id) DO NOTHING

-- name: sites_with_lessons
SELECT DISTINCT site FROM lessons ORDER BY site

-- name: lessons_of
-- A text that is not there any more (an erasure) is a lesson without a body.
SELECT l.discussion, l.event_id, l.rejected, r.body
  FROM lessons AS l
  LEFT JOIN revisions AS r
         ON r.discussion = l.discussion AND r.comment = l.comment AND r.revision = l.revision
 WHERE l.site = $1
 ORDER BY l.sequence
 LIMIT $2

-- name: forget_lessons
DELETE FROM lessons AS l
 USING unnest($1::text[], $2::text[]) AS learned (discussion, event_id)
 WHERE l.discussion = learned.discussion AND l.event_id = learned.event_id

-- name: versions
SELECT site, label, version, enough FROM models

-- name: state
SELECT version, state, enough FROM models WHERE site = $1 AND label = $2

-- name: make
INSERT INTO models (site, label, version, state, positives, negatives, enough)
VALUES ($1, $2, 1, $3, $4, $5, $6)
ON CONFLICT (site, label) DO NOTHING
RETURNING version

-- name: replace
-- No row: another process has learned meanwhile.
UPDATE models
   SET version = version + 1, state = $4, positives = $5, negatives = $6, enough = $7,
       learned_at = now()
 WHERE site = $1 AND label = $2 AND version = $3
RETURNING version
