-- What a rebuild reads first, what it asks while it applies, and how it checks the result.

-- name: add_outcomes
-- The first recorded outcome wins.
INSERT INTO recorded_outcomes (discussion, event_id, event_digest, outcome)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[])
ON CONFLICT (discussion, event_id, event_digest) DO NOTHING

-- name: add_dead_letters
INSERT INTO recorded_dead_letters (topic, partition, source_offset)
SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])
ON CONFLICT (topic, partition, source_offset) DO NOTHING

-- name: put_ends
INSERT INTO rebuild_ends (topic, partition, end_offset)
SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])
ON CONFLICT (topic, partition) DO UPDATE SET end_offset = excluded.end_offset

-- name: ends
SELECT topic, partition, end_offset FROM rebuild_ends ORDER BY topic, partition

-- name: recorded
SELECT r.discussion, r.event_id, r.event_digest, r.outcome
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS k (discussion, event_id, event_digest)
JOIN recorded_outcomes r ON r.discussion = k.discussion
    AND r.event_id = k.event_id AND r.event_digest = k.event_digest

-- name: recorded_of_parked
SELECT r.discussion, r.event_id, r.event_digest, r.outcome
FROM parked_votes p
JOIN recorded_outcomes r ON r.discussion = p.discussion
    AND r.event_id = p.event_id AND r.event_digest = p.event_digest
WHERE p.slot = $1::smallint

-- name: dead_offsets
SELECT source_offset FROM recorded_dead_letters
WHERE topic = $1 AND partition = $2 AND source_offset BETWEEN $3 AND $4

-- name: analyze
-- Hundreds of look-ups a second come next: the planner must know how long these tables are.
ANALYZE recorded_outcomes, recorded_dead_letters

-- name: forget
TRUNCATE recorded_outcomes, recorded_dead_letters, rebuild_ends

-- name: holds_tables
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg\_%')

-- name: holds_fences
SELECT to_regclass('fences') IS NOT NULL

-- name: holds_rows
SELECT EXISTS (SELECT FROM fences) OR EXISTS (SELECT FROM discussions)
    OR EXISTS (SELECT FROM outcomes)

-- name: others_connected
-- Services of Veche that are connected to this database.
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'veche'

-- name: hold_publishers
-- No publisher can take a shard of this database before it is verified.
INSERT INTO leases (name, owner, expires_at)
SELECT 'shard/' || shard, 'rebuild', 'infinity' FROM generate_series(0, $1::integer - 1) AS shard
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at

-- name: release_publishers
DELETE FROM leases WHERE owner = 'rebuild' AND expires_at = 'infinity'

-- name: outbox_topics
SELECT topic, count(*) AS records FROM outbox GROUP BY topic ORDER BY topic

-- name: outbox_page
SELECT source_topic, source_partition, sequence, value FROM outbox
WHERE topic = $1 AND sequence > $2 ORDER BY sequence LIMIT 1000

-- name: drop_outbox
DELETE FROM outbox WHERE sequence = ANY ($1::bigint[])

-- name: unsettled
-- What the live services still owe, so that their state is not yet that of their offsets.
SELECT (SELECT count(*) FROM outbox) AS outbox,
    (SELECT count(*) FROM parked_votes p
     JOIN comments c ON c.discussion = p.discussion AND c.comment = p.target) AS parked

-- name: discussions_after
SELECT discussion FROM discussions WHERE discussion > $1 ORDER BY discussion LIMIT 5000

-- name: mark_dirty
INSERT INTO dirty_discussions (discussion, topic, partition, shard)
SELECT d.discussion, $1, d.shard, d.shard
FROM unnest($2::text[], $3::integer[]) AS d (discussion, shard)
ON CONFLICT (discussion, topic, partition) DO UPDATE SET mark = excluded.mark

-- name: clear_changed
-- The first strip of an incarnation says: reload.
DELETE FROM changed_comments

-- name: newest_incarnation
SELECT coalesce(max(incarnation), 0) FROM incarnations

-- name: begin_incarnation
INSERT INTO incarnations (incarnation, cause) VALUES ($1, $2)

-- name: counts
SELECT (SELECT count(*) FROM discussions) AS discussions, (SELECT count(*) FROM comments) AS comments,
    (SELECT count(*) FROM revisions) AS revisions, (SELECT count(*) FROM outcomes) AS outcomes,
    (SELECT count(*) FROM votes) AS votes, (SELECT count(*) FROM parked_votes) AS parked_votes,
    (SELECT coalesce(sum(views), 0)::bigint FROM view_totals) AS views

-- name: check_visible_comments
-- Discussions whose count of visible comments is not that of their comments.
SELECT count(*) FROM discussions d
WHERE d.visible_comments <>
    (SELECT count(*) FROM comments c WHERE c.discussion = d.discussion AND c.visible)

-- name: check_visible_descendants
SELECT count(*) FROM comments a
LEFT JOIN (
    SELECT c.discussion, ancestor, count(*) AS visible
    FROM comments c CROSS JOIN unnest(c.path) AS ancestor
    WHERE c.visible GROUP BY c.discussion, ancestor
) d ON d.discussion = a.discussion AND d.ancestor = a.comment
WHERE a.visible_descendants <> coalesce(d.visible, 0)

-- name: check_revisions
SELECT count(*) FROM comments c
LEFT JOIN (SELECT discussion, comment, max(revision) AS newest, count(*) AS held
           FROM revisions GROUP BY discussion, comment) r
    ON r.discussion = c.discussion AND r.comment = c.comment
WHERE (c.revision, c.revision) IS DISTINCT FROM (r.newest, r.held)

-- name: check_reports
SELECT count(*) FROM comments c
LEFT JOIN (SELECT discussion, comment, revision, count(*) AS filed
           FROM reports GROUP BY discussion, comment, revision) r
    ON r.discussion = c.discussion AND r.comment = c.comment AND r.revision = c.revision
WHERE c.reports <> coalesce(r.filed, 0)

-- name: check_author_totals
SELECT count(*) FROM (
    SELECT site, author, count(*) FILTER (WHERE status = 'published') AS published,
        count(*) FILTER (WHERE status = 'rejected') AS rejected
    FROM comments GROUP BY site, author
) c
LEFT JOIN (
    SELECT site, author, sum(published) AS published, sum(rejected) AS rejected
    FROM author_totals GROUP BY site, author
) t ON t.site = c.site AND t.author = c.author
WHERE (c.published, c.rejected) <> (coalesce(t.published, 0), coalesce(t.rejected, 0))

-- name: check_reporter_totals
SELECT count(*) FROM (
    SELECT split_part(discussion, '/', 1) AS site, reporter,
        count(*) FILTER (WHERE settled = 'upheld') AS upheld,
        count(*) FILTER (WHERE settled = 'dismissed') AS dismissed
    FROM reports GROUP BY 1, 2
) r
LEFT JOIN (
    SELECT site, reporter, sum(upheld) AS upheld, sum(dismissed) AS dismissed
    FROM reporter_totals GROUP BY site, reporter
) t ON t.site = r.site AND t.reporter = r.reporter
WHERE (r.upheld, r.dismissed) <> (coalesce(t.upheld, 0), coalesce(t.dismissed, 0))

-- name: check_vote_totals
SELECT count(*) FROM (
    SELECT discussion, target, count(*) FILTER (WHERE value = 1) AS up,
        count(*) FILTER (WHERE value = -1) AS down
    FROM votes GROUP BY discussion, target
) v
LEFT JOIN (
    SELECT discussion, target, sum(up) AS up, sum(down) AS down
    FROM vote_totals GROUP BY discussion, target
) t ON t.discussion = v.discussion AND t.target = v.target
WHERE (v.up, v.down) <> (coalesce(t.up, 0), coalesce(t.down, 0))

-- name: check_outcomes
-- Recorded outcomes that did not come out again, or came out otherwise.
SELECT count(*) FROM recorded_outcomes r
LEFT JOIN outcomes o ON o.discussion = r.discussion
    AND o.event_id = r.event_id AND o.event_digest = r.event_digest
CROSS JOIN LATERAL (SELECT r.outcome::jsonb AS said) s
WHERE (o.result, o.comment, o.revision, o.reason, o.status) IS DISTINCT FROM (
    said ->> 'result', coalesce(said ->> 'comment', ''), coalesce((said ->> 'revision')::integer, 0),
    coalesce(said ->> 'reason', ''), coalesce(said ->> 'status', ''))

-- name: check_ends
-- Partitions that did not reach the end.
SELECT count(*) FROM rebuild_ends e
LEFT JOIN fences f ON f.topic = e.topic AND f.partition = e.partition
WHERE f.next_offset IS DISTINCT FROM e.end_offset
