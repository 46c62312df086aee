-- What became of every event: also what claims an event's id.

-- name: digests_named
-- Digests under which these event ids were applied or refused; votes have ids of their own.
SELECT o.discussion, o.event_id, o.event_digest
  FROM outcomes o
  JOIN unnest($1::text::text[], $2::text::text[]) AS asked (discussion, event_id)
    ON o.discussion = asked.discussion AND o.event_id = asked.event_id
 WHERE o.cause <> 'veche.vote.cast.v1'

-- name: judged_named
-- What the revisions asked for were judged on: by their own event, and by scores since.
SELECT o.discussion, o.comment, o.revision, o.recorded_at, o.facts
  FROM outcomes o
  JOIN unnest($1::text[], $2::text[], $3::integer[]) AS asked (discussion, comment, revision)
    ON o.discussion = asked.discussion AND o.comment = asked.comment
   AND o.revision = asked.revision
 WHERE o.verdict IS NOT NULL
   AND o.cause NOT IN ('veche.rule.undone.v1', 'veche.report.filed.v1')
 ORDER BY o.recorded_at

-- name: verdicts_named
-- Every verdict on the revisions asked for, and which rules were undone since.
SELECT o.discussion, o.comment, o.revision, o.verdict, o.facts -> 'undone' ->> 'rule' AS rule,
       o.facts -> 'undone' ->> 'version' AS version
  FROM outcomes o
  JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::integer[])
               AS each (discussion, comment, revision)) AS asked
    ON o.discussion = asked.discussion AND o.comment = asked.comment
   AND o.revision = asked.revision
 WHERE o.verdict IS NOT NULL AND o.cause <> 'veche.report.filed.v1'
 ORDER BY o.recorded_at, o.event_id COLLATE "C", o.event_digest

-- name: add
INSERT INTO outcomes (discussion, event_id, event_digest, cause, comment, revision, result, reason,
                      status, verdict, facts, recorded_at)
SELECT discussion, event_id, decode(event_digest, 'hex'), cause, comment, revision, result, reason,
       status, verdict, facts, ($12::timestamptz[])[recorded]
  FROM unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::text[],
              $5::text::text[], $6::text::text[], $7::text::text[], $8::text::text[],
              $9::text::jsonb[], $10::text::jsonb[], $11::text::integer[], $13::text::integer[])
       AS new (discussion, event_id, event_digest, cause, comment, result, reason, status, verdict,
               facts, revision, recorded)
