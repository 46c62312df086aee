-- What moderation reads before a batch and writes after it.

-- name: discussions_named
SELECT discussion, site, revision, url, title, language, section, state, policy, opened_at,
       visible_comments
  FROM discussions
 WHERE discussion = ANY($1::text::text[])

-- name: comments_named
-- The comments asked for and all their ancestors.
WITH named AS (
    SELECT c.discussion, c.comment, c.path
      FROM comments c
      JOIN unnest($1::text::text[], $2::text::text[]) AS asked (discussion, comment)
        ON c.discussion = asked.discussion AND c.comment = asked.comment
), wanted AS (
    SELECT discussion, comment FROM named
    UNION
    SELECT named.discussion, ancestor FROM named, unnest(named.path) AS ancestor
)
SELECT c.discussion, c.comment, c.site, c.author, c.author_name, c.parent, c.path, c.submitted_at,
       c.status, c.revision, c.published_revision, c.held_revision, c.held_reason, c.held_since,
       c.deleted_at, c.ruling, c.ruled_revision, c.ruled_by, c.ruled_at, c.ruling_reason,
       c.reports, c.visible_descendants, c.labels
  FROM comments c
  JOIN wanted ON c.discussion = wanted.discussion AND c.comment = wanted.comment

-- name: bodies_named
-- The first and the newest text of the comments asked for.
SELECT r.discussion, r.comment, r.revision, r.body
  FROM unnest($1::text::text[], $2::text::text[]) AS asked (discussion, comment)
  JOIN comments c ON c.discussion = asked.discussion AND c.comment = asked.comment
  JOIN revisions r ON r.discussion = asked.discussion AND r.comment = asked.comment
   AND r.revision IN (1, c.revision, c.published_revision)

-- name: reports_named
-- Distinct reporters of the revisions asked for, and whether the reader asked for is one.
SELECT asked.discussion, asked.comment, asked.revision, asked.reporter,
       (SELECT count(*) FROM reports r
         WHERE r.discussion = asked.discussion AND r.comment = asked.comment
           AND r.revision = asked.revision) AS reports,
       EXISTS (SELECT FROM reports r
         WHERE r.discussion = asked.discussion AND r.comment = asked.comment
           AND r.revision = asked.revision AND r.reporter = asked.reporter) AS reported
  FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[])
       AS asked (discussion, comment, revision, reporter)

-- name: reporters_named
-- How reports on the revisions asked for are settled: $4 of each, at most, by the reporters' ids.
SELECT asked.discussion, asked.comment, asked.revision, found.reporter, found.settled
  FROM unnest($1::text[], $2::text[], $3::bigint[]) AS asked (discussion, comment, revision)
 CROSS JOIN LATERAL (
       SELECT r.reporter, r.settled
         FROM reports r
        WHERE r.discussion = asked.discussion AND r.comment = asked.comment
          AND r.revision = asked.revision
        ORDER BY r.reporter COLLATE "C"
        LIMIT $4) AS found

-- name: settle_reports
UPDATE reports r
   SET settled = new.settled
  FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[])
       AS new (discussion, comment, revision, reporter, settled)
 WHERE r.discussion = new.discussion AND r.comment = new.comment
   AND r.revision = new.revision AND r.reporter = new.reporter

-- name: put_discussions
INSERT INTO discussions (discussion, site, revision, url, title, language, section, state, policy,
                         opened_at, visible_comments)
SELECT discussion, site, revision, url, title, language, section, state, policy,
       ($11::timestamptz[])[opened], visible
  FROM unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::text[],
              $5::text::text[], $6::text::text[], $7::text::text[], $8::text::text[],
              $9::text::bigint[], $10::text::integer[], $12::text::integer[])
       AS new (discussion, site, url, title, language, section, state, policy, revision, visible,
               opened)
ON CONFLICT (discussion) DO UPDATE
   SET revision = excluded.revision, url = excluded.url, title = excluded.title,
       language = excluded.language, section = excluded.section, state = excluded.state,
       policy = excluded.policy, visible_comments = excluded.visible_comments

-- name: put_comments
-- `path` comes as ids joined by `/`, which no id contains; `labels` joined by commas.
INSERT INTO comments (discussion, comment, site, author, author_name, parent, path, submitted_at,
                      status, revision, published_revision, held_revision, held_reason, held_since,
                      deleted_at, ruling, ruled_revision, ruled_by, ruled_at, ruling_reason,
                      reports, visible_descendants, labels)
SELECT discussion, comment, site, author, author_name, parent, string_to_array(path, '/'),
       ($20::timestamptz[])[submitted], status, revision, published_revision, held_revision,
       held_reason, ($22::timestamptz[])[held], ($24::timestamptz[])[deleted], ruling,
       ruled_revision, ruled_by, ($26::timestamptz[])[ruled], ruling_reason,
       reports, visible_descendants, string_to_array(labels, ',')
  FROM unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::text[],
              $5::text::text[], $6::text::text[], $7::text::text[], $8::text::text[],
              $9::text::text[], $10::text::text[], $11::text::text[], $12::text::text[],
              $13::text::text[], $14::text::integer[], $15::text::integer[], $16::text::integer[],
              $17::text::integer[], $18::text::integer[], $19::text::integer[],
              $21::text::integer[], $23::text::integer[], $25::text::integer[],
              $27::text::integer[])
       AS new (discussion, comment, site, author, author_name, status, path, labels, parent,
               held_reason, ruling, ruled_by, ruling_reason, revision, published_revision,
               held_revision, ruled_revision, reports, visible_descendants, submitted, held,
               deleted, ruled)
ON CONFLICT (discussion, comment) DO UPDATE
   SET status = excluded.status, revision = excluded.revision,
       published_revision = excluded.published_revision,
       held_revision = excluded.held_revision, held_reason = excluded.held_reason,
       held_since = excluded.held_since, deleted_at = excluded.deleted_at,
       ruling = excluded.ruling, ruled_revision = excluded.ruled_revision,
       ruled_by = excluded.ruled_by, ruled_at = excluded.ruled_at,
       ruling_reason = excluded.ruling_reason, reports = excluded.reports,
       visible_descendants = excluded.visible_descendants, labels = excluded.labels

-- name: add_revisions
INSERT INTO revisions (discussion, comment, revision, site, author, body, body_hash, event_id,
                       written_at)
SELECT discussion, comment, revision, site, author, body, decode(body_hash, 'hex'), event_id,
       ($9::timestamptz[])[written]
  FROM unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::text[],
              $5::text::text[], $6::text::text[], $7::text::text[], $8::text::integer[],
              $10::text::integer[])
       AS new (discussion, comment, site, author, body, event_id, body_hash, revision, written)

-- name: add_reports
INSERT INTO reports (discussion, comment, revision, reporter, reason, note, event_id, filed_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::timestamptz[])

-- name: mark_changed
INSERT INTO changed_comments (discussion, comment)
SELECT * FROM unnest($1::text::text[], $2::text::text[])
ON CONFLICT (discussion, comment) DO UPDATE SET mark = changed_comments.mark + 1

-- name: held_by_site
SELECT site, count(*) AS held, min(held_since) AS oldest
  FROM comments
 WHERE held_revision IS NOT NULL AND held_since <= now()
 GROUP BY site
