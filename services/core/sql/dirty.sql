-- name: mark
-- One writer per (discussion, topic, partition); rows come in key order.
INSERT INTO dirty_discussions (discussion, topic, partition, shard)
SELECT d.discussion, $1, $2, d.shard
FROM unnest($3::text::text[], $4::text::integer[]) AS d (discussion, shard)
ON CONFLICT (discussion, topic, partition) DO UPDATE SET mark = excluded.mark

-- name: take
-- The discussions of a shard that wait longest, with every mark seen on them.
SELECT d.discussion, d.topic, d.partition, d.mark, d.since
FROM dirty_discussions d
JOIN (
    SELECT discussion, min(since) AS since
    FROM dirty_discussions
    WHERE shard = $1
    GROUP BY discussion
    ORDER BY min(since), discussion
    LIMIT $2
) AS waiting ON waiting.discussion = d.discussion
ORDER BY waiting.since, d.discussion, d.topic, d.partition

-- name: clear
-- Compare and set: a mark made after the one that was published stays. SKIP LOCKED: a row that a
-- writer holds is about to get another mark; waiting for it could close a circle.
DELETE FROM dirty_discussions d
USING (
    SELECT m.discussion, m.topic, m.partition
    FROM dirty_discussions m
    JOIN unnest($1::text[], $2::text[], $3::integer[], $4::bigint[])
        AS seen (discussion, topic, partition, mark)
      ON m.discussion = seen.discussion AND m.topic = seen.topic
     AND m.partition = seen.partition AND m.mark = seen.mark
    FOR UPDATE OF m SKIP LOCKED
) claimed
WHERE d.discussion = claimed.discussion AND d.topic = claimed.topic
  AND d.partition = claimed.partition

-- name: waiting
SELECT shard, count(DISTINCT discussion) AS discussions, min(since) AS oldest
FROM dirty_discussions
GROUP BY shard
