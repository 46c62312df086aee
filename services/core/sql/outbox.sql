-- name: add
-- In the order given: one writer per source partition makes sequence order its offset order.
INSERT INTO outbox (source_topic, source_partition, topic, key, value)
SELECT $1, $2, r.topic, r.key, r.value
FROM unnest($3::text::text[], $4::bytea[], $5::bytea[]) WITH ORDINALITY AS r (topic, key, value, place)
ORDER BY r.place

-- name: take
SELECT sequence, topic, key, value, created_at
FROM outbox
WHERE source_topic = $1 AND source_partition = $2
ORDER BY sequence
LIMIT $3

-- name: remove
DELETE FROM outbox
WHERE source_topic = $1 AND source_partition = $2 AND sequence = ANY ($3::bigint[])

-- name: waiting
SELECT source_topic, source_partition, count(*) AS records, min(created_at) AS oldest
FROM outbox
GROUP BY source_topic, source_partition
