-- The canonical dump: one query a table, the columns that a rebuild must bring back, in key order.
-- Ids sort by bytes, whatever the database's collation. docs/rebuild.md says what is left out.

-- name: fences
SELECT consumer_group, topic, partition, topic_id, next_offset, record_at
FROM fences
WHERE consumer_group IN ('moderation', 'counters')
ORDER BY consumer_group COLLATE "C", topic COLLATE "C", partition

-- name: site_policies
SELECT site, policy, report_threshold, edit_hold, late_scores FROM site_policies
ORDER BY site COLLATE "C"

-- name: rulesets
SELECT version, hash, parent, files, author, approved_by, reason, effect, event_id, activated_at
FROM rulesets
ORDER BY version

-- name: discussions
SELECT discussion, site, revision, url, title, language, section, state, policy, opened_at,
    visible_comments
FROM discussions
ORDER BY discussion COLLATE "C"

-- name: comments
SELECT discussion, comment, site, author, author_name, parent, path, submitted_at, status, revision,
    published_revision, held_revision, held_reason, held_since, deleted_at, ruling, ruled_revision,
    ruled_by, ruled_at, ruling_reason, reports, visible_descendants, visible, labels
FROM comments
ORDER BY discussion COLLATE "C", comment COLLATE "C"

-- name: revisions
SELECT discussion, comment, revision, site, author, body, body_hash, event_id, written_at
FROM revisions
ORDER BY discussion COLLATE "C", comment COLLATE "C", revision

-- name: author_totals
-- A row of zeros says the same as none: which one it is depends on how batches were cut.
SELECT site, author, slot, published, rejected
FROM author_totals
WHERE (published, rejected) <> (0, 0)
ORDER BY site COLLATE "C", author COLLATE "C", slot

-- name: reports
SELECT discussion, comment, revision, reporter, reason, note, event_id, filed_at, settled
FROM reports
ORDER BY discussion COLLATE "C", comment COLLATE "C", revision, reporter COLLATE "C"

-- name: reporter_totals
-- Zeros as in author_totals.
SELECT site, reporter, slot, upheld, dismissed
FROM reporter_totals
WHERE (upheld, dismissed) <> (0, 0)
ORDER BY site COLLATE "C", reporter COLLATE "C", slot

-- name: outcomes
SELECT discussion, event_id, event_digest, cause, comment, revision, result, reason, status,
    verdict, facts, recorded_at
FROM outcomes
ORDER BY discussion COLLATE "C", event_id COLLATE "C", event_digest

-- name: rule_hits
-- Of the last 90 days of the log: when older ones are dropped is a watcher's rhythm.
SELECT rule, hour, version, slot, hits, holds, rejects, acts
FROM rule_hits
WHERE hour >= (
    SELECT coalesce(date_trunc('hour', max(record_at) - interval '90 days', 'UTC'), '-infinity')
    FROM fences WHERE consumer_group = 'moderation' AND topic = 'comments.v1'
)
ORDER BY rule COLLATE "C", hour, version COLLATE "C", slot

-- name: rule_failures
SELECT discussion, comment, rule, version, recorded_at
FROM rule_failures
ORDER BY discussion COLLATE "C", comment COLLATE "C", rule COLLATE "C", version COLLATE "C"

-- name: author_limits
SELECT site, author, slot, until
FROM author_limits
ORDER BY site COLLATE "C", author COLLATE "C", slot

-- name: notices
SELECT discussion, comment, revision, channel, site, rule, recorded_at
FROM notices
ORDER BY discussion COLLATE "C", comment COLLATE "C", revision, channel COLLATE "C"

-- name: votes
SELECT discussion, target, voter, value, changes, voted_at
FROM votes
ORDER BY discussion COLLATE "C", target COLLATE "C", voter COLLATE "C"

-- name: vote_totals
-- Zeros as in author_totals.
SELECT discussion, target, slot, up, down
FROM vote_totals
WHERE (up, down) <> (0, 0)
ORDER BY discussion COLLATE "C", target COLLATE "C", slot

-- name: parked_votes
SELECT discussion, voter, target, source_offset, slot, shard, event_id, event_digest, value,
    voted_at, recorded_at
FROM parked_votes
ORDER BY discussion COLLATE "C", voter COLLATE "C", target COLLATE "C", source_offset

-- name: view_keys
-- Of hours that are not over: when the others are dropped is a matter of the sweep's rhythm.
SELECT window_start, discussion, viewer
FROM view_keys
WHERE window_start >= (
    SELECT coalesce(date_trunc('hour', min(record_at) - interval '2 hours', 'UTC'), '-infinity')
    FROM fences WHERE consumer_group = 'counters' AND topic = 'views.v1'
)
ORDER BY window_start, discussion COLLATE "C", viewer

-- name: imported_view_keys
SELECT window_start, discussion, viewer
FROM imported_view_keys
ORDER BY discussion COLLATE "C", window_start, viewer

-- name: view_totals
SELECT discussion, slot, views, viewers
FROM view_totals
ORDER BY discussion COLLATE "C", slot
