-- The moderators' queue: what is held, who looks at it, what became of a decision.

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

-- name: held_state
-- How comments stand now, for conflicts and claims.
SELECT c.discussion, c.comment, c.status, c.revision, c.published_revision, c.held_revision,
       c.held_reason, c.deleted_at, c.ruling, c.ruled_revision, c.ruled_by, c.ruled_at,
       c.ruling_reason
  FROM comments c
  JOIN unnest($1::text[], $2::text[]) AS asked (discussion, comment)
    ON c.discussion = asked.discussion AND c.comment = asked.comment;

-- name: one_comment
SELECT c.discussion, c.comment, c.author, c.author_name, c.parent, c.submitted_at, c.status,
       c.revision, c.published_revision, c.held_revision, c.held_reason, c.held_since,
       c.deleted_at, c.ruling, c.ruled_revision, c.ruled_by, c.ruled_at, c.ruling_reason,
       c.labels, d.title, d.url, d.language, d.section,
       claims.moderator AS claimed_by, claims.expires_at AS claim_expires_at
  FROM comments c
  JOIN discussions d ON d.discussion = c.discussion
  LEFT JOIN claims ON claims.discussion = c.discussion AND claims.comment = c.comment
                  AND claims.expires_at > now()
 WHERE c.discussion = $1 AND c.comment = $2;

-- name: revisions_of
SELECT revision, body, written_at, event_id
  FROM revisions WHERE discussion = $1 AND comment = $2
 ORDER BY revision DESC LIMIT 100;

-- name: outcomes_of
SELECT event_id, cause, revision, result, reason, status, verdict, facts, recorded_at
  FROM outcomes WHERE discussion = $1 AND comment = $2
 ORDER BY recorded_at DESC, event_id LIMIT 200;

-- name: reports_of
SELECT revision, reporter, reason, note, filed_at
  FROM reports WHERE discussion = $1 AND comment = $2
 ORDER BY filed_at DESC, reporter LIMIT 200;

-- name: outcomes_named
-- What became of the events asked for; an event without a row still waits.
SELECT o.discussion, o.event_id, o.event_digest, o.comment, o.revision, o.result, o.reason, o.status
  FROM outcomes o
  JOIN unnest($1::text[], $2::text[], $3::bytea[]) AS asked (discussion, event_id, event_digest)
    ON o.discussion = asked.discussion AND o.event_id = asked.event_id
   AND o.event_digest = asked.event_digest;

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

-- name: author_counts
SELECT max(author_name) AS name, min(submitted_at) AS first_at, max(submitted_at) AS last_at,
       count(*) AS comments,
       count(*) FILTER (WHERE deleted_at IS NULL AND status = 'published') AS published,
       count(*) FILTER (WHERE deleted_at IS NULL AND status = 'rejected') AS rejected,
       count(*) FILTER (WHERE deleted_at IS NULL AND status = 'pending') AS pending,
       count(*) FILTER (WHERE deleted_at IS NOT NULL) AS deleted,
       count(*) FILTER (WHERE held_revision IS NOT NULL) AS held,
       coalesce(sum(reports), 0)::bigint AS reports
  FROM comments WHERE site = $1 AND author = $2;

-- name: author_comments
SELECT c.discussion, c.comment, c.author_name, c.submitted_at, c.status, c.revision,
       c.published_revision, c.held_revision, c.held_reason, c.deleted_at, c.ruling,
       c.ruled_revision, c.ruled_by, c.ruled_at, c.ruling_reason, d.title, r.body,
       (SELECT o.reason FROM outcomes o
         WHERE o.discussion = c.discussion AND o.comment = c.comment
           AND o.revision = c.revision AND o.result IN ('held', 'rejected')
         ORDER BY o.recorded_at DESC LIMIT 1) AS outcome_reason
  FROM comments c
  JOIN discussions d ON d.discussion = c.discussion
  JOIN revisions r ON r.discussion = c.discussion AND r.comment = c.comment
                  AND r.revision = c.revision
 WHERE c.site = $1 AND c.author = $2
 ORDER BY c.submitted_at DESC, c.discussion, c.comment
 LIMIT $3;

-- name: author_decisions
SELECT discussion, comment, ruling, ruled_revision, ruled_by, ruled_at, ruling_reason, status
  FROM comments
 WHERE site = $1 AND author = $2 AND ruling IS NOT NULL
 ORDER BY ruled_at DESC, discussion, comment
 LIMIT $3;

-- name: site_policy
SELECT policy, report_threshold, edit_hold, late_scores FROM site_policies WHERE site = $1;

-- name: queue_stats
SELECT held_reason AS reason, count(*) AS held, min(held_since) AS oldest_held_since
  FROM comments WHERE site = $1 AND held_revision IS NOT NULL AND held_since <= now()
 GROUP BY held_reason ORDER BY held_reason;

-- name: live_claims
SELECT count(*) FROM claims WHERE starts_with(discussion, $1) AND expires_at > now();

-- name: known_ids
SELECT o.discussion, o.event_id
  FROM outcomes o
  JOIN unnest($1::text[], $2::text[]) AS asked (discussion, event_id)
    ON o.discussion = asked.discussion AND o.event_id = asked.event_id
