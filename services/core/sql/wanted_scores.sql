-- Comments that a portal's own classifier is to be asked about.

-- name: want
INSERT INTO wanted_scores (discussion, comment, revision, site, names, recorded_at)
SELECT discussion, comment, revision, site, string_to_array(names, ','), recorded_at
  FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::timestamptz[])
       AS new (discussion, comment, revision, site, names, recorded_at)
ON CONFLICT (discussion, comment, revision) DO NOTHING

-- name: take
-- The newest first: where there are more than can be answered, some are in time all the same.
WITH chosen AS (
    SELECT discussion, comment, revision
      FROM wanted_scores
     WHERE taken_until <= $1
     ORDER BY recorded_at DESC
     LIMIT $3
       FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE wanted_scores w
       SET taken_until = $2
      FROM chosen
     WHERE w.discussion = chosen.discussion AND w.comment = chosen.comment
       AND w.revision = chosen.revision
    RETURNING w.discussion, w.comment, w.revision, w.site, w.names, w.recorded_at
)
SELECT taken.discussion, taken.comment, taken.revision, taken.site, taken.names, taken.recorded_at,
       r.body, d.language
  FROM taken
  LEFT JOIN revisions r ON r.discussion = taken.discussion AND r.comment = taken.comment
                       AND r.revision = taken.revision
  LEFT JOIN discussions d ON d.discussion = taken.discussion

-- name: forget
DELETE FROM wanted_scores WHERE discussion = $1 AND comment = $2 AND revision = $3

-- name: forget_late
WITH late AS (
    DELETE FROM wanted_scores WHERE recorded_at < $1 RETURNING 1
)
SELECT count(*) FROM late

-- name: waiting
SELECT count(*) FROM wanted_scores
