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
INSERT INTO ruleset_proposals (hash, parent, files, author, reason, rejects, effect, proposed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING id

-- name: proposals
SELECT id, hash, parent, author, reason, rejects, effect, state, settled_by, settled_at, proposed_at
  FROM ruleset_proposals
 ORDER BY id DESC
 LIMIT $1

-- name: proposal
SELECT id, hash, parent, author, reason, rejects, effect, state, settled_by, settled_at, proposed_at,
       files
  FROM ruleset_proposals
 WHERE id = $1

-- name: settle
UPDATE ruleset_proposals
   SET state = $2, settled_by = $3, settled_at = $4
 WHERE id = $1 AND state = 'open'
RETURNING id

-- name: did
-- Revisions of a site that a rule's version held or rejected, by pages in key order.
SELECT o.discussion, o.comment, o.revision
  FROM outcomes o
 WHERE o.verdict IS NOT NULL AND o.result IN ('held', 'rejected')
   AND o.verdict -> 'findings' @> jsonb_build_array(
           jsonb_build_object('rule', $2::text, 'version', $3::text))
   AND starts_with(o.discussion, $1 || '/') AND o.recorded_at >= $4
   AND (o.discussion COLLATE "C", o.comment COLLATE "C", o.revision)
       > ($5::text COLLATE "C", $6::text COLLATE "C", $7::integer)
   AND EXISTS (SELECT FROM jsonb_array_elements(o.verdict -> 'findings') AS f
                WHERE f ->> 'rule' = $2 AND f ->> 'version' = $3
                  AND f ->> 'action' IN ('hold', 'reject'))
 GROUP BY o.discussion, o.comment, o.revision
 ORDER BY o.discussion COLLATE "C", o.comment COLLATE "C", o.revision
 LIMIT $8
