-- The file of one comment, and of one author.

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
