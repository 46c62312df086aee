-- Threads as readers see them. A comment is listed when it is visible, or when something visible
-- stands below it (then as a tombstone: no author, no body).

-- name: discussion_state
-- $1 discussion
SELECT state FROM discussions WHERE discussion = $1

-- name: strips_by_key
-- $1 discussions
SELECT discussion, strip::text AS strip FROM strips WHERE discussion = ANY ($1::text[])
  AND version > 0

-- name: feed_version
-- $1 site, $2 feed, $3 language, $4 section
SELECT incarnation, version FROM feeds
WHERE site = $1 AND feed = $2 AND language = $3 AND section = $4 AND version > 0

-- name: roots_newest
-- $1 discussion, $2 before (submitted_at), $3 before (comment), $4 limit, $5 first replies of each
WITH roots AS MATERIALIZED (
    SELECT * FROM comments
    WHERE discussion = $1 AND path = '{}' AND (visible OR visible_descendants > 0)
      AND ($2::timestamptz IS NULL OR (submitted_at, comment) < ($2::timestamptz, $3::text))
    ORDER BY submitted_at DESC, comment DESC
    LIMIT $4
), listed AS (
    SELECT * FROM roots
    UNION ALL
    SELECT replies.* FROM roots CROSS JOIN LATERAL (
        SELECT * FROM comments
        WHERE discussion = $1 AND path <> '{}' AND path[1] = roots.comment
          AND (visible OR visible_descendants > 0)
        ORDER BY submitted_at, comment
        LIMIT $5
    ) AS replies
)
SELECT c.comment, c.parent, c.path, c.submitted_at, c.visible, c.visible_descendants,
       c.author, c.author_name, c.published_revision, r.body, r.written_at, v.up, v.down
FROM listed AS c
LEFT JOIN revisions AS r
  ON r.discussion = $1 AND r.comment = c.comment AND r.revision = c.published_revision AND c.visible
CROSS JOIN LATERAL (
    SELECT coalesce(sum(up), 0)::integer AS up, coalesce(sum(down), 0)::integer AS down
    FROM vote_totals WHERE discussion = $1 AND target = c.comment
) AS v
ORDER BY (c.path <> '{}'), CASE WHEN c.path = '{}' THEN c.submitted_at END DESC,
         CASE WHEN c.path = '{}' THEN c.comment END DESC, c.submitted_at, c.comment

-- name: roots_oldest
-- $1 discussion, $2 after (submitted_at), $3 after (comment), $4 limit, $5 first replies of each
WITH roots AS MATERIALIZED (
    SELECT * FROM comments
    WHERE discussion = $1 AND path = '{}' AND (visible OR visible_descendants > 0)
      AND ($2::timestamptz IS NULL OR (submitted_at, comment) > ($2::timestamptz, $3::text))
    ORDER BY submitted_at, comment
    LIMIT $4
), listed AS (
    SELECT * FROM roots
    UNION ALL
    SELECT replies.* FROM roots CROSS JOIN LATERAL (
        SELECT * FROM comments
        WHERE discussion = $1 AND path <> '{}' AND path[1] = roots.comment
          AND (visible OR visible_descendants > 0)
        ORDER BY submitted_at, comment
        LIMIT $5
    ) AS replies
)
SELECT c.comment, c.parent, c.path, c.submitted_at, c.visible, c.visible_descendants,
       c.author, c.author_name, c.published_revision, r.body, r.written_at, v.up, v.down
FROM listed AS c
LEFT JOIN revisions AS r
  ON r.discussion = $1 AND r.comment = c.comment AND r.revision = c.published_revision AND c.visible
CROSS JOIN LATERAL (
    SELECT coalesce(sum(up), 0)::integer AS up, coalesce(sum(down), 0)::integer AS down
    FROM vote_totals WHERE discussion = $1 AND target = c.comment
) AS v
ORDER BY (c.path <> '{}'), c.submitted_at, c.comment

-- name: roots_by_id
-- $1 discussion, $2 roots in the order wanted, $3 first replies of each
WITH roots AS MATERIALIZED (
    SELECT * FROM comments
    WHERE discussion = $1 AND comment = ANY ($2::text[]) AND path = '{}'
      AND (visible OR visible_descendants > 0)
), listed AS (
    SELECT * FROM roots
    UNION ALL
    SELECT replies.* FROM roots CROSS JOIN LATERAL (
        SELECT * FROM comments
        WHERE discussion = $1 AND path <> '{}' AND path[1] = roots.comment
          AND (visible OR visible_descendants > 0)
        ORDER BY submitted_at, comment
        LIMIT $3
    ) AS replies
)
SELECT c.comment, c.parent, c.path, c.submitted_at, c.visible, c.visible_descendants,
       c.author, c.author_name, c.published_revision, r.body, r.written_at, v.up, v.down
FROM listed AS c
LEFT JOIN revisions AS r
  ON r.discussion = $1 AND r.comment = c.comment AND r.revision = c.published_revision AND c.visible
CROSS JOIN LATERAL (
    SELECT coalesce(sum(up), 0)::integer AS up, coalesce(sum(down), 0)::integer AS down
    FROM vote_totals WHERE discussion = $1 AND target = c.comment
) AS v
ORDER BY (c.path <> '{}'),
         CASE WHEN c.path = '{}' THEN array_position($2::text[], c.comment) END,
         c.submitted_at, c.comment

-- name: replies
-- All listed descendants of a comment in order of time.
-- $1 discussion, $2 root, $3 comment, $4 after (submitted_at), $5 after (comment), $6 limit
SELECT c.comment, c.parent, c.path, c.submitted_at, c.visible, c.visible_descendants,
       c.author, c.author_name, c.published_revision, r.body, r.written_at, v.up, v.down
FROM (
    SELECT * FROM comments
    WHERE discussion = $1 AND path <> '{}' AND path[1] = $2 AND $3::text = ANY (path)
      AND (visible OR visible_descendants > 0)
      AND ($4::timestamptz IS NULL OR (submitted_at, comment) > ($4::timestamptz, $5::text))
    ORDER BY submitted_at, comment
    LIMIT $6
) AS c
LEFT JOIN revisions AS r
  ON r.discussion = $1 AND r.comment = c.comment AND r.revision = c.published_revision AND c.visible
CROSS JOIN LATERAL (
    SELECT coalesce(sum(up), 0)::integer AS up, coalesce(sum(down), 0)::integer AS down
    FROM vote_totals WHERE discussion = $1 AND target = c.comment
) AS v
ORDER BY c.submitted_at, c.comment

-- name: root_of
-- $1 discussion, $2 comment
SELECT coalesce(path[1], comment) AS root FROM comments
WHERE discussion = $1 AND comment = $2 AND (visible OR visible_descendants > 0)

-- name: by_id
-- $1 discussion, $2 comments
SELECT c.comment, c.parent, c.path, c.submitted_at, c.visible, c.visible_descendants,
       c.author, c.author_name, c.published_revision, r.body, r.written_at, v.up, v.down
FROM comments AS c
LEFT JOIN revisions AS r
  ON r.discussion = $1 AND r.comment = c.comment AND r.revision = c.published_revision AND c.visible
CROSS JOIN LATERAL (
    SELECT coalesce(sum(up), 0)::integer AS up, coalesce(sum(down), 0)::integer AS down
    FROM vote_totals WHERE discussion = $1 AND target = c.comment
) AS v
WHERE c.discussion = $1 AND c.comment = ANY ($2::text[])
  AND (c.visible OR c.visible_descendants > 0)
ORDER BY c.submitted_at, c.comment

-- name: root_votes
-- Votes on every listed root, for ranking.
-- $1 discussion
SELECT c.comment, c.submitted_at,
       coalesce(sum(v.up), 0)::integer AS up, coalesce(sum(v.down), 0)::integer AS down
FROM comments AS c
LEFT JOIN vote_totals AS v ON v.discussion = $1 AND v.target = c.comment
WHERE c.discussion = $1 AND c.path = '{}' AND (c.visible OR c.visible_descendants > 0)
GROUP BY c.comment, c.submitted_at

-- name: own_comments
-- What its author sees and others do not: pending and rejected comments, and edits that wait.
-- $1 discussion, $2 author, $3 limit
SELECT c.comment, c.parent, c.submitted_at, c.status, c.revision, c.published_revision,
       c.held_revision, c.held_reason, c.ruling, c.ruled_revision, c.ruling_reason,
       r.body, r.written_at, o.reason AS outcome_reason, nullif(o.verdict, 'null')::text AS verdict
FROM comments AS c
JOIN revisions AS r ON r.discussion = $1 AND r.comment = c.comment AND r.revision = c.revision
LEFT JOIN outcomes AS o
  ON o.discussion = $1 AND o.event_id = r.event_id AND o.comment = c.comment
 AND o.result IN ('held', 'rejected', 'published', 'applied')
WHERE c.discussion = $1 AND c.author = $2 AND c.deleted_at IS NULL
  AND (c.status <> 'published' OR c.revision <> c.published_revision OR c.held_revision IS NOT NULL)
ORDER BY c.submitted_at DESC, c.comment DESC
LIMIT $3

-- name: own_votes
-- $1 discussion, $2 voter
SELECT target, value, voted_at FROM votes
WHERE discussion = $1 AND voter = $2 AND value <> 0
UNION ALL
SELECT target, value, voted_at FROM parked_votes
WHERE discussion = $1 AND voter = $2
ORDER BY voted_at
