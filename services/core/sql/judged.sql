-- What was judged, what it was judged on, and what moderators said of it.

-- name: stream
-- Revisions as they were recorded from $1 on, the oldest first; of one site, or all ('').
SELECT o.discussion, o.comment, o.revision, r.site, r.author, r.body, r.written_at, o.recorded_at,
       d.section, d.language,
       (SELECT m.facts ->> 'ruling' FROM outcomes m
         WHERE m.discussion = o.discussion AND m.comment = o.comment AND m.revision = o.revision
           AND m.cause = 'veche.decision.made.v1' AND m.result = 'applied'
         ORDER BY m.recorded_at DESC LIMIT 1) AS ruling,
       (SELECT min(c.submitted_at) FROM comments c
         WHERE c.site = r.site AND c.author = r.author) AS author_since,
       o.facts,
       (SELECT s.facts FROM outcomes s
         WHERE s.discussion = o.discussion AND s.comment = o.comment AND s.revision = o.revision
           AND s.cause = 'veche.score.given.v1' AND s.verdict IS NOT NULL
         ORDER BY s.recorded_at DESC LIMIT 1) AS scored
  FROM outcomes o
  JOIN revisions r ON r.discussion = o.discussion AND r.comment = o.comment
                  AND r.revision = o.revision
  JOIN discussions d ON d.discussion = o.discussion
 WHERE o.verdict IS NOT NULL AND o.recorded_at >= $1
   AND o.cause IN ('veche.comment.submitted.v1', 'veche.comment.edited.v1')
   AND ($2 = '' OR starts_with(o.discussion, $2 || '/'))
 ORDER BY o.recorded_at

-- name: since_of_newest
-- Since when there are so many.
SELECT o.recorded_at
  FROM outcomes o
 WHERE o.verdict IS NOT NULL
   AND o.cause IN ('veche.comment.submitted.v1', 'veche.comment.edited.v1')
   AND ($2 = '' OR starts_with(o.discussion, $2 || '/'))
 ORDER BY o.recorded_at DESC
OFFSET $1 - 1 LIMIT 1

-- name: newest_of
-- The newest judged revision of one comment, as it was written; or, with $3, as it was reported.
SELECT o.revision, r.author, r.body, r.written_at, o.recorded_at, d.section, d.language, o.result,
       o.verdict, o.facts,
       (SELECT s.facts FROM outcomes s
         WHERE NOT $3 AND s.discussion = o.discussion AND s.comment = o.comment
           AND s.revision = o.revision
           AND s.cause = 'veche.score.given.v1' AND s.verdict IS NOT NULL
         ORDER BY s.recorded_at DESC LIMIT 1) AS scored
  FROM outcomes o
  JOIN revisions r ON r.discussion = o.discussion AND r.comment = o.comment
                  AND r.revision = o.revision
  JOIN discussions d ON d.discussion = o.discussion
 WHERE o.discussion = $1 AND o.comment = $2 AND o.verdict IS NOT NULL
   AND o.cause = ANY(CASE WHEN $3 THEN ARRAY['veche.report.filed.v1']
                          ELSE ARRAY['veche.comment.submitted.v1', 'veche.comment.edited.v1'] END)
 ORDER BY o.revision DESC, o.recorded_at DESC, o.event_id COLLATE "C"
 LIMIT 1

-- name: agreement
-- What every version of a rule said, or would have in the shadow, of the newest $3 verdicts, and the
-- newest ruling on the same revision. A comment counts once for a version.
WITH judged AS MATERIALIZED (
    SELECT o.discussion, o.comment, o.revision, o.recorded_at, o.verdict
      FROM outcomes o
     WHERE o.verdict IS NOT NULL AND o.recorded_at >= $1 AND o.cause <> 'veche.rule.undone.v1'
       AND ($2 = '' OR starts_with(o.discussion, $2 || '/'))
     ORDER BY o.recorded_at DESC
     LIMIT $3
), found AS (
    SELECT j.discussion, j.comment, j.revision, max(j.recorded_at) AS recorded_at,
           f.rule, coalesce(f.version, '') AS version,
           coalesce(nullif(f.would, ''), f.action) AS says, coalesce(f.shadow, false) AS shadow
      FROM judged j,
           jsonb_to_recordset(coalesce(j.verdict -> 'findings', '[]'))
               AS f (rule text, version text, action text, would text, shadow boolean)
     WHERE coalesce(nullif(f.would, ''), f.action) <> 'note'
     GROUP BY 1, 2, 3, 5, 6, 7, 8
), ruled AS MATERIALIZED (
    SELECT DISTINCT ON (o.discussion, o.comment, o.revision)
           o.discussion, o.comment, o.revision, o.facts ->> 'ruling' AS ruling
      FROM outcomes o
     WHERE o.cause = 'veche.decision.made.v1' AND o.result = 'applied' AND o.recorded_at >= $1
       AND ($2 = '' OR starts_with(o.discussion, $2 || '/'))
     ORDER BY o.discussion, o.comment, o.revision, o.recorded_at DESC
)
SELECT f.rule, f.version, f.says, f.shadow, count(*) AS hits, count(r.ruling) AS ruled,
       count(*) FILTER (WHERE (r.ruling = 'reject') = (f.says <> 'publish')) AS agreed,
       (array_agg(f.discussion || '/' || f.comment ORDER BY f.recorded_at DESC)
           FILTER (WHERE (r.ruling = 'reject') <> (f.says <> 'publish')))[1:5] AS disagreed_on,
       (array_agg(f.discussion || '/' || f.comment ORDER BY f.recorded_at DESC))[1:5] AS samples,
       max(f.recorded_at) AS last_at
  FROM found f
  LEFT JOIN ruled r ON r.discussion = f.discussion AND r.comment = f.comment
                   AND r.revision = f.revision
 GROUP BY f.rule, f.version, f.says, f.shadow
 ORDER BY f.rule, last_at DESC

-- name: reaches
-- Since when the newest $3 verdicts are; null where there are no more than that.
SELECT o.recorded_at
  FROM outcomes o
 WHERE o.verdict IS NOT NULL AND o.recorded_at >= $1 AND o.cause <> 'veche.rule.undone.v1'
   AND ($2 = '' OR starts_with(o.discussion, $2 || '/'))
 ORDER BY o.recorded_at DESC
OFFSET $3 LIMIT 1
