-- name: clock
SELECT now()

-- name: current_incarnation
SELECT max(incarnation) FROM incarnations

-- name: open_strips
-- A row to lock for every discussion that is opened; version 0 is never seen outside its transaction.
INSERT INTO strips (discussion, incarnation, version, strip)
SELECT d.discussion, 0, 0, 'null'
FROM discussions d
WHERE d.discussion = ANY ($1::text[])
  AND NOT EXISTS (SELECT FROM strips s WHERE s.discussion = d.discussion)
ORDER BY d.discussion
ON CONFLICT (discussion) DO NOTHING

-- name: lock_strips
SELECT discussion, incarnation, version, published_version, strip
FROM strips
WHERE discussion = ANY ($1::text[])
ORDER BY discussion
FOR UPDATE

-- name: lock_versions
SELECT discussion, incarnation, version
FROM strips
WHERE discussion = ANY ($1::text[])
ORDER BY discussion
FOR UPDATE

-- name: read_facts
-- One statement, one snapshot: later than the locks, so no older than any version given before.
SELECT
    d.discussion, d.state, d.url, d.title, d.language, d.section, d.opened_at,
    coalesce(
        (SELECT c.submitted_at FROM comments c
         WHERE c.discussion = d.discussion AND c.visible
         ORDER BY c.submitted_at DESC LIMIT 1),
        d.opened_at
    ) AS last_activity,
    d.visible_comments AS comments,
    coalesce(view.views, 0)::bigint AS views,
    view.sketches,
    coalesce(vote.up, 0)::bigint AS up,
    coalesce(vote.down, 0)::bigint AS down,
    changed.comments AS changed_comments,
    changed.marks AS changed_marks
FROM discussions d
LEFT JOIN LATERAL (
    SELECT sum(t.up) AS up, sum(t.down) AS down
    FROM vote_totals t WHERE t.discussion = d.discussion AND t.target = ''
) vote ON true
LEFT JOIN LATERAL (
    SELECT sum(t.views) AS views, array_agg(t.viewers) AS sketches
    FROM view_totals t WHERE t.discussion = d.discussion
) view ON true
LEFT JOIN LATERAL (
    SELECT array_agg(m.comment) AS comments, array_agg(m.mark) AS marks
    FROM (
        SELECT comment, mark FROM changed_comments c WHERE c.discussion = d.discussion LIMIT $2
    ) m
) changed ON true
WHERE d.discussion = ANY ($1::text[])

-- name: write_strips
UPDATE strips s
SET incarnation = $1, version = n.version, strip = n.strip::jsonb
FROM unnest($2::text[], $3::bigint[], $4::text[]) AS n (discussion, version, strip)
WHERE s.discussion = n.discussion

-- name: set_published
UPDATE strips s
SET published_version = n.version
FROM unnest($1::text[], $2::bigint[]) AS n (discussion, version)
WHERE s.discussion = n.discussion AND s.published_version < n.version

-- name: clear_changed
-- SKIP LOCKED: a row that a writer holds is about to get another mark, and stays.
DELETE FROM changed_comments c
USING (
    SELECT m.discussion, m.comment
    FROM changed_comments m
    JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS seen (discussion, comment, mark)
      ON m.discussion = seen.discussion AND m.comment = seen.comment AND m.mark = seen.mark
    FOR UPDATE OF m SKIP LOCKED
) claimed
WHERE c.discussion = claimed.discussion AND c.comment = claimed.comment

-- name: overtaken
-- Of these keys and the versions that their last records carry: whose acknowledged version is higher.
SELECT s.discussion, s.incarnation, s.published_version
FROM strips s
JOIN unnest($1::text[], $2::bigint[], $3::bigint[]) AS last (discussion, incarnation, version)
  ON s.discussion = last.discussion
WHERE s.published_version > 0
  AND (s.incarnation, s.published_version) > (last.incarnation, last.version)

-- name: send_again
UPDATE strips s
SET published_version = 0
FROM unnest($1::text[], $2::bigint[]) AS n (discussion, version)
WHERE s.discussion = n.discussion AND s.published_version = n.version
RETURNING s.discussion

-- name: read_newer_strips
-- The strips whose version is not the one that the caller has.
SELECT s.discussion, s.strip
FROM strips s
JOIN unnest($1::text[], $2::bigint[], $3::bigint[]) AS known (discussion, incarnation, version)
  ON s.discussion = known.discussion
WHERE (s.incarnation, s.version) <> (known.incarnation, known.version) AND s.version > 0
