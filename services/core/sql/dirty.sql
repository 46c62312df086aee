-- name: mark
-- One writer per (discussion, topic, partition); rows come in key order.
INSERT INTO dirty_discussions (discussion, topic, partition, shard)
SELECT d.discussion, $1, $2, d.shard
FROM unnest($3::text[], $4::integer[]) AS d (discussion, shard)
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
-- Compare and set: a mark made after the one that was published stays.
DELETE FROM dirty_discussions d
USING unnest($1::text[], $2::text[], $3::integer[], $4::bigint[])
    AS seen (discussion, topic, partition, mark)
WHERE d.discussion = seen.discussion AND d.topic = seen.topic
  AND d.partition = seen.partition AND d.mark = seen.mark

-- name: waiting
SELECT shard, count(DISTINCT discussion) AS discussions, min(since) AS oldest
FROM dirty_discussions
GROUP BY shard
