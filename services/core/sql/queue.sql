-- The moderators' queue: what is held, and who looks at it.

-- name: held_page
-- Oldest first, after a key; $5 narrows by reason, $6 by label ('' for all).
SELECT c.discussion, c.comment, c.author, c.author_name, c.parent, c.submitted_at, c.status,
       c.revision, c.published_revision, c.held_revision, c.held_reason, c.held_since,
       held.body AS held_body, held.written_at AS held_written_at, shown.body AS published_body,
       d.title, d.url, d.language, d.section,
       c.labels, claims.moderator AS claimed_by, claims.expires_at AS claim_expires_at,
       (SELECT o.verdict FROM outcomes o
         WHERE o.discussion = c.discussion AND o.comment = c.comment
           AND o.revision = c.held_revision AND o.verdict IS NOT NULL
           AND o.cause <> 'veche.report.filed.v1'
         ORDER BY o.recorded_at DESC LIMIT 1) AS verdict,
       (SELECT o.verdict FROM outcomes o
         WHERE o.discussion = c.discussion AND o.comment = c.comment
           AND o.revision = c.held_revision AND o.verdict IS NOT NULL
           AND o.cause = 'veche.report.filed.v1'
         ORDER BY o.recorded_at DESC LIMIT 1) AS reported_verdict
  FROM comments c
  JOIN discussions d ON d.discussion = c.discussion
  JOIN revisions held ON held.discussion = c.discussion AND held.comment = c.comment
                     AND held.revision = c.held_revision
  LEFT JOIN revisions shown ON shown.discussion = c.discussion AND shown.comment = c.comment
                           AND shown.revision = c.published_revision
  LEFT JOIN claims ON claims.discussion = c.discussion AND claims.comment = c.comment
                  AND claims.expires_at > now()
 WHERE c.site = $1 AND c.held_revision IS NOT NULL
   AND c.held_since <= now()  -- what waits for a score is not in the queue yet
   AND (c.held_since, c.discussion, c.comment) > ($2, $3, $4)
   AND ($5 = '' OR c.held_reason = $5)
   AND ($6 = '' OR $6 = ANY(c.labels))
 ORDER BY c.held_since, c.discussion, c.comment
 LIMIT $7;

-- name: reports_on
-- Reports by reason, of the revisions asked for.
SELECT r.discussion, r.comment, r.revision, r.reason, count(*) AS count
  FROM reports r
  JOIN unnest($1::text[], $2::text[], $3::integer[]) AS asked (discussion, comment, revision)
    ON r.discussion = asked.discussion AND r.comment = asked.comment
   AND r.revision = asked.revision
 GROUP BY r.discussion, r.comment, r.revision, r.reason
 ORDER BY count DESC, r.reason;

-- name: report_weights
-- Of the reports that nobody has ruled on, as rules weigh them.
SELECT r.discussion, r.comment, r.revision,
       sum(2 * (coalesce(t.upheld, 0) + 1)::float8
           / (coalesce(t.upheld, 0) + coalesce(t.dismissed, 0) + 2)) AS weight
  FROM reports r
  JOIN unnest($1::text[], $2::text[], $3::integer[]) AS asked (discussion, comment, revision)
    ON r.discussion = asked.discussion AND r.comment = asked.comment
   AND r.revision = asked.revision
 CROSS JOIN LATERAL (
       SELECT sum(s.upheld) AS upheld, sum(s.dismissed) AS dismissed
         FROM reporter_totals s
        WHERE s.site = split_part(r.discussion, '/', 1) AND s.reporter = r.reporter) AS t
 WHERE r.settled = ''
 GROUP BY r.discussion, r.comment, r.revision;

-- name: free_items
-- The oldest held comments that nobody else looks at.
SELECT c.discussion, c.comment
  FROM comments c
  LEFT JOIN claims ON claims.discussion = c.discussion AND claims.comment = c.comment
                  AND claims.expires_at > now() AND claims.moderator <> $2
 WHERE c.site = $1 AND c.held_revision IS NOT NULL AND c.held_since <= now()
   AND claims.comment IS NULL
 ORDER BY c.held_since, c.discussion, c.comment
 LIMIT $3;

-- name: claim
-- Takes free, expired and own claims; a live claim of another moderator stays. In key order.
INSERT INTO claims (discussion, comment, moderator, expires_at)
SELECT asked.discussion, asked.comment, $3, now() + make_interval(secs => $4)
  FROM unnest($1::text[], $2::text[]) AS asked (discussion, comment)
 ORDER BY asked.discussion, asked.comment
ON CONFLICT (discussion, comment) DO UPDATE
   SET moderator = excluded.moderator, expires_at = excluded.expires_at
 WHERE claims.moderator = excluded.moderator OR claims.expires_at <= now()
RETURNING discussion, comment, moderator, expires_at;

-- name: claims_on
SELECT claims.discussion, claims.comment, claims.moderator, claims.expires_at
  FROM claims
  JOIN unnest($1::text[], $2::text[]) AS asked (discussion, comment)
    ON claims.discussion = asked.discussion AND claims.comment = asked.comment
 WHERE claims.expires_at > now();

-- name: release
DELETE FROM claims
 USING unnest($1::text[], $2::text[]) AS asked (discussion, comment)
 WHERE claims.discussion = asked.discussion AND claims.comment = asked.comment
   AND claims.moderator = $3
RETURNING claims.discussion, claims.comment;

-- name: release_all
DELETE FROM claims
 WHERE moderator = $2 AND starts_with(discussion, $1)
RETURNING discussion, comment;

-- name: forget_expired_claims
DELETE FROM claims
 WHERE (discussion, comment) IN (
       SELECT discussion, comment FROM claims
        WHERE expires_at < now() - interval '10 minutes'
        LIMIT 200 FOR UPDATE SKIP LOCKED);

-- name: queue_stats
SELECT held_reason AS reason, count(*) AS held, min(held_since) AS oldest_held_since
  FROM comments WHERE site = $1 AND held_revision IS NOT NULL AND held_since <= now()
 GROUP BY held_reason ORDER BY held_reason;

-- name: live_claims
SELECT count(*) FROM claims WHERE starts_with(discussion, $1) AND expires_at > now();
