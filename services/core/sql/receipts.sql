-- What became of one event, for the holder of its receipt.

-- name: progress
-- $1 consumer group, $2 topic, $3 partition
SELECT next_offset, stopped_reason FROM fences
WHERE consumer_group = $1 AND topic = $2 AND partition = $3

-- name: outcome
-- $1 discussion, $2 event id, $3 digest
SELECT comment, revision, result, reason, status, nullif(verdict, 'null')::text AS verdict, recorded_at
FROM outcomes WHERE discussion = $1 AND event_id = $2 AND event_digest = $3

-- name: comment_now
-- $1 discussion, $2 comment
SELECT status, revision, published_revision, held_revision, held_reason, deleted_at,
       ruling, ruled_revision, ruling_reason
FROM comments WHERE discussion = $1 AND comment = $2

-- name: vote_now
-- $1 discussion, $2 target, $3 voter
SELECT value, changes FROM votes WHERE discussion = $1 AND target = $2 AND voter = $3

-- name: parked
-- $1 discussion, $2 target, $3 voter, $4 event id
SELECT true FROM parked_votes
WHERE discussion = $1 AND target = $2 AND voter = $3 AND event_id = $4
LIMIT 1
