-- name: claim
-- Takes a partition: waits for a commit still in flight on the row, then bumps the epoch.
-- The topic's id and the first offset count for a new row only.
INSERT INTO fences (consumer_group, topic, partition, topic_id, next_offset, epoch, owner)
VALUES ($1, $2, $3, $4, $5, 1, $6)
ON CONFLICT (consumer_group, topic, partition)
DO UPDATE SET epoch = fences.epoch + 1, owner = excluded.owner
RETURNING topic_id, next_offset, epoch, owner, stopped_reason, stopped_detail

-- name: advance
-- The first statement of every batch: no row means that epoch or offset are not what we believe.
UPDATE fences
SET next_offset = $6, record_at = greatest(record_at, $7)
WHERE consumer_group = $1 AND topic = $2 AND partition = $3
  AND epoch = $4 AND next_offset = $5 AND stopped_reason IS NULL
RETURNING next_offset

-- name: look
SELECT topic_id, next_offset, epoch, owner, stopped_reason, stopped_detail
FROM fences
WHERE consumer_group = $1 AND topic = $2 AND partition = $3

-- name: look_locked
SELECT topic_id, next_offset, epoch, owner, stopped_reason, stopped_detail
FROM fences
WHERE consumer_group = $1 AND topic = $2 AND partition = $3
FOR UPDATE

-- name: stop
UPDATE fences
SET stopped_reason = $5, stopped_detail = $6, stopped_at = now()
WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND epoch = $4
RETURNING next_offset

-- name: resume
-- The operator's way back. Bumps the epoch, so that whoever works on the partition claims it anew.
UPDATE fences
SET stopped_reason = NULL, stopped_detail = NULL, stopped_at = NULL, epoch = epoch + 1,
    next_offset = coalesce($4, next_offset), topic_id = coalesce($5, topic_id)
WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND stopped_reason IS NOT NULL
RETURNING topic_id, next_offset, epoch, owner, stopped_reason, stopped_detail

-- name: every
SELECT consumer_group, topic, partition, topic_id, next_offset, epoch, owner, record_at,
       stopped_reason, stopped_detail, stopped_at
FROM fences
ORDER BY consumer_group, topic, partition
