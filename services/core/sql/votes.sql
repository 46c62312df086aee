-- name: standing_votes
-- The stored vote of each (discussion, target, voter) that has one.
SELECT v.discussion, v.target, v.voter, v.value, v.changes, v.voted_at
FROM unnest($1::text::text[], $2::text::text[], $3::text::text[]) AS k (discussion, target, voter)
JOIN votes v ON v.discussion = k.discussion AND v.target = k.target AND v.voter = k.voter

-- name: known_comments
-- Author and time of each (discussion, comment) that exists, whatever became of it.
SELECT c.discussion, c.comment, c.author, c.submitted_at
FROM unnest($1::text::text[], $2::text::text[]) AS k (discussion, comment)
JOIN comments c ON c.discussion = k.discussion AND c.comment = k.comment

-- name: recorded_refusals
-- Digests under which these (discussion, event id) were refused before.
SELECT o.discussion, o.event_id, o.event_digest
FROM unnest($1::text::text[], $2::text::text[]) AS k (discussion, event_id)
JOIN outcomes o ON o.discussion = k.discussion AND o.event_id = k.event_id
WHERE o.result = 'refused'

-- name: any_parked_vote
SELECT EXISTS (SELECT FROM parked_votes WHERE slot = $1::smallint)

-- name: parked_votes_of
-- Every parked vote of each (discussion, voter), oldest first.
SELECT p.discussion, p.target, p.voter, p.value, p.event_id, p.event_digest,
    p.voted_at, p.recorded_at, p.source_offset
FROM unnest($1::text[], $2::text[]) AS k (discussion, voter)
JOIN parked_votes p ON p.discussion = k.discussion AND p.voter = k.voter
ORDER BY p.source_offset

-- name: examine_parked_votes
-- A page of one slot's parked votes: is the comment there, or can it no longer come in time?
-- A comment and its partition's fence are written together, so one snapshot shows both or neither.
SELECT p.discussion, p.target, p.voter, p.source_offset,
    c.comment IS NOT NULL AS known,
    coalesce(f.record_at > p.recorded_at + $6::interval, false) AS overdue
FROM (
    SELECT * FROM parked_votes
    WHERE slot = $1::smallint AND source_offset > $2::bigint
    ORDER BY source_offset
    LIMIT $3::integer
) p
LEFT JOIN comments c ON c.discussion = p.discussion AND c.comment = p.target
LEFT JOIN fences f ON f.consumer_group = $4::text AND f.topic = $5::text AND f.partition = p.shard
ORDER BY p.source_offset

-- name: count_first_votes
-- Stores the votes whose voters had none on the target yet, and adds them to their totals; answers
-- the others, which it leaves as they are: votes that stood before, events that were refused.
-- A voter's votes in a discussion have one writer, so what is not there now will not be there soon.
WITH cast_votes AS MATERIALIZED (
    SELECT n.discussion, n.target, n.voter, n.value, n.event_id,
        ($7::timestamptz[])[n.instant] AS voted_at,
        v.voter IS NULL AND o.event_id IS NULL AS first
    FROM unnest($2::text::text[], $3::text::text[], $4::text::text[], $5::text::smallint[],
        $6::text::text[], $8::text::integer[]
    ) AS n (discussion, target, voter, value, event_id, instant)
    LEFT JOIN votes v
        ON v.discussion = n.discussion AND v.target = n.target AND v.voter = n.voter
    LEFT JOIN outcomes o
        ON o.discussion = n.discussion AND o.event_id = n.event_id AND o.result = 'refused'
), stored AS (
    INSERT INTO votes (discussion, target, voter, value, changes, voted_at)
    SELECT discussion, target, voter, value, ARRAY[event_id || ':' || value], voted_at
    FROM cast_votes
    WHERE first
), counted AS (
    INSERT INTO vote_totals (discussion, target, slot, up, down)
    SELECT discussion, target, $1::smallint,
        count(*) FILTER (WHERE value = 1), count(*) FILTER (WHERE value = -1)
    FROM cast_votes
    WHERE first AND value <> 0
    GROUP BY discussion, target
    ORDER BY discussion, target
    ON CONFLICT (discussion, target, slot) DO UPDATE
    SET up = vote_totals.up + EXCLUDED.up, down = vote_totals.down + EXCLUDED.down
)
SELECT discussion, target, voter FROM cast_votes WHERE NOT first

-- name: count_votes
-- Replaces votes and moves their totals by what each replaced, which the same statement reads.
-- The slot's only writer runs this, so a total is read and written back without a race.
WITH cast_votes AS (
    SELECT discussion, target, voter, value, string_to_array(changes, ' ') AS changes,
        ($7::timestamptz[])[place] AS voted_at
    FROM unnest($2::text::text[], $3::text::text[], $4::text::text[], $5::text::smallint[],
        $6::text::text[], $8::text::integer[]
    ) AS t (discussion, target, voter, value, changes, place)
), deltas AS (
    SELECT n.discussion, n.target,
        sum((n.value = 1)::integer - coalesce(o.value = 1, false)::integer)::integer AS up,
        sum((n.value = -1)::integer - coalesce(o.value = -1, false)::integer)::integer AS down
    FROM cast_votes n
    LEFT JOIN votes o
        ON o.discussion = n.discussion AND o.target = n.target AND o.voter = n.voter
    GROUP BY n.discussion, n.target
), replaced AS (
    INSERT INTO votes (discussion, target, voter, value, changes, voted_at)
    SELECT discussion, target, voter, value, changes, voted_at
    FROM cast_votes
    ORDER BY discussion, target, voter
    ON CONFLICT (discussion, target, voter) DO UPDATE
    SET value = EXCLUDED.value, changes = EXCLUDED.changes, voted_at = EXCLUDED.voted_at
)
INSERT INTO vote_totals (discussion, target, slot, up, down)
SELECT d.discussion, d.target, $1::smallint, coalesce(t.up, 0) + d.up, coalesce(t.down, 0) + d.down
FROM deltas d
LEFT JOIN vote_totals t
    ON t.discussion = d.discussion AND t.target = d.target AND t.slot = $1::smallint
WHERE d.up <> 0 OR d.down <> 0
ORDER BY d.discussion, d.target
ON CONFLICT (discussion, target, slot) DO UPDATE SET up = EXCLUDED.up, down = EXCLUDED.down
RETURNING discussion, target

-- name: park_votes
INSERT INTO parked_votes (slot, discussion, voter, target, source_offset, shard,
    event_id, event_digest, value, voted_at, recorded_at)
SELECT $1::smallint, * FROM unnest(
    $2::text[], $3::text[], $4::text[], $5::bigint[], $6::smallint[],
    $7::text[], $8::bytea[], $9::smallint[], $10::timestamptz[], $11::timestamptz[]
)

-- name: unpark_votes
DELETE FROM parked_votes p
USING unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
    AS k (discussion, voter, target, source_offset)
WHERE p.discussion = k.discussion AND p.voter = k.voter
    AND p.target = k.target AND p.source_offset = k.source_offset

-- name: count_parked_votes
SELECT count(*) FROM parked_votes WHERE slot = $1::smallint

-- name: refuse_votes
-- The first recorded outcome of an event stays; answers those that were not there.
INSERT INTO outcomes (discussion, event_id, event_digest, cause, comment, revision,
    result, reason, status, recorded_at)
SELECT discussion, event_id, event_digest, $1::text, comment, 0, 'refused', reason, '', recorded_at
FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::timestamptz[])
    AS r (discussion, event_id, event_digest, comment, reason, recorded_at)
ORDER BY discussion, event_id, event_digest
ON CONFLICT (discussion, event_id, event_digest) DO NOTHING
RETURNING discussion, event_id, event_digest
