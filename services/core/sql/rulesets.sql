-- Rulesets that control.v1 activated, and the changes that are proposed to them.

-- name: newest
SELECT version, hash FROM rulesets ORDER BY version DESC LIMIT 1

-- name: activate
-- Takes effect where it replaces what it was made for, or brings an earlier one back ($11).
INSERT INTO rulesets (version, hash, parent, files, author, approved_by, reason, effect, event_id,
                      activated_at)
SELECT coalesce(last.version, 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9
  FROM (VALUES (1)) AS once
  LEFT JOIN (SELECT version, hash FROM rulesets ORDER BY version DESC LIMIT 1) AS last ON true
 WHERE $10 OR last.hash IS NULL OR last.hash = $2
ON CONFLICT (event_id) DO NOTHING
RETURNING version

-- name: versions
-- The newest first.
SELECT version, hash, parent, author, approved_by, reason, effect, activated_at
  FROM rulesets
 WHERE version < $1
 ORDER BY version DESC
 LIMIT $2

-- name: one
SELECT version, hash, parent, author, approved_by, reason, effect, activated_at, files
  FROM rulesets
 WHERE version = $1

-- name: settled
-- Whether an event of control.v1 at offset $2 took effect, and whether it was looked at at all.
SELECT (SELECT version FROM rulesets WHERE event_id = $1) AS version,
       EXISTS (SELECT FROM fences WHERE consumer_group = 'moderation' AND topic = 'control.v1'
                  AND partition = $3 AND next_offset > $2) AS passed

-- name: propose
INSERT INTO ruleset_proposals (hash, parent, files, author, reason, rejects, reach, effect,
                               proposed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING id

-- name: proposals
SELECT id, hash, parent, author, reason, rejects, reach, effect, state, settled_by,
       settled_at, proposed_at
  FROM ruleset_proposals
 ORDER BY id DESC
 LIMIT $1

-- name: proposal
SELECT id, hash, parent, author, reason, rejects, reach, effect, state, settled_by,
       settled_at, proposed_at,
       files
  FROM ruleset_proposals
 WHERE id = $1

-- name: settle
UPDATE ruleset_proposals
   SET state = $2, settled_by = $3, settled_at = $4
 WHERE id = $1 AND state = 'open'
RETURNING id

-- name: did
-- Revisions of a site that a rule's version held or rejected, at most $8, in the order of the
-- records behind ($4, $5, $6): of the next $7 outcomes that stopped anything. Each revision where it
-- did so first. Every row says how many were looked at and where that ended; at least one row.
WITH looked_at AS MATERIALIZED (
    SELECT recorded_at, discussion, event_id, comment, revision, verdict
      FROM outcomes
     WHERE verdict IS NOT NULL AND result IN ('held', 'rejected')
       AND (recorded_at, discussion, event_id) > ($4::timestamptz, $5::text, $6::text)
     ORDER BY recorded_at, discussion, event_id
     LIMIT $7
), found AS (
    SELECT l.recorded_at, l.discussion, l.event_id, l.comment, l.revision
      FROM looked_at l, (VALUES (
               jsonb_build_array(jsonb_build_object('rule', $2::text, 'version', $3::text,
                                                    'action', 'hold')),
               jsonb_build_array(jsonb_build_object('rule', $2::text, 'version', $3::text,
                                                    'action', 'reject')))) AS did (held, rejected)
     WHERE starts_with(l.discussion, $1 || '/')
       AND (l.verdict -> 'findings' @> did.held OR l.verdict -> 'findings' @> did.rejected)
       AND NOT EXISTS (
           SELECT FROM outcomes e
            WHERE e.discussion = l.discussion AND e.comment = l.comment AND e.revision = l.revision
              AND (e.recorded_at, e.event_id) < (l.recorded_at, l.event_id)
              AND e.result IN ('held', 'rejected')
              AND (e.verdict -> 'findings' @> did.held OR e.verdict -> 'findings' @> did.rejected))
     ORDER BY l.recorded_at, l.discussion, l.event_id
     LIMIT $8
)
SELECT f.recorded_at, f.discussion, f.event_id, f.comment, f.revision, ended.looked_at,
       ended.recorded_at AS end_at, ended.discussion AS end_discussion,
       ended.event_id AS end_event
  FROM (SELECT recorded_at, discussion, event_id, (SELECT count(*) FROM looked_at) AS looked_at
          FROM looked_at
         ORDER BY recorded_at DESC, discussion DESC, event_id DESC
         LIMIT 1) AS ended
  LEFT JOIN found f ON true
 ORDER BY f.recorded_at, f.discussion, f.event_id
