-- What rules tell people of: written by moderation, read in the console.

-- name: add
-- The first rule that speaks to a channel about a revision is the one named.
INSERT INTO notices (discussion, comment, revision, channel, site, rule, recorded_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[],
                     $7::timestamptz[])
ON CONFLICT (discussion, comment, revision, channel) DO NOTHING

-- name: horizon
-- Every notice that was ever read lies before it.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: page
-- In the order of transactions, up to the oldest that still runs: a reader who goes on from the
-- last one misses none, whichever partition was slow.
SELECT n.discussion, n.comment, n.revision, n.channel, n.rule, n.recorded_at, n.written,
       c.status, c.deleted_at, c.revision AS newest_revision, c.held_revision, c.labels, d.title, d.url, r.body
  FROM notices n
  JOIN comments c ON c.discussion = n.discussion AND c.comment = n.comment
  JOIN discussions d ON d.discussion = n.discussion
  JOIN revisions r ON r.discussion = n.discussion AND r.comment = n.comment
                  AND r.revision = n.revision
 WHERE n.site = $1 AND n.channel = $2
   AND n.written < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
   AND (n.written, n.discussion, n.comment, n.revision) > ($3::bigint, $4::text, $5::text, $6::integer)
 ORDER BY n.written, n.discussion, n.comment, n.revision
 LIMIT $7
