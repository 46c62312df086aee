-- name: drop_entries
-- Entries of these discussions in scopes that they no longer show in.
DELETE FROM feed_entries e
WHERE e.discussion = ANY ($1::text[])
  AND NOT EXISTS (
      SELECT FROM unnest($2::text[], $3::text[], $4::text[]) AS n (discussion, language, section)
      WHERE n.discussion = e.discussion AND n.language = e.language AND n.section = e.section
  )
RETURNING e.site, e.language, e.section

-- name: put_entries
INSERT INTO feed_entries
    (site, language, section, discussion, opened_at, last_activity, hot, score)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[],
    $5::timestamptz[], $6::timestamptz[], $7::float8[], $8::integer[]
)
ON CONFLICT (discussion, language, section) DO UPDATE
SET opened_at = excluded.opened_at, last_activity = excluded.last_activity,
    hot = excluded.hot, score = excluded.score
WHERE (feed_entries.opened_at, feed_entries.last_activity, feed_entries.hot, feed_entries.score)
    IS DISTINCT FROM
      (excluded.opened_at, excluded.last_activity, excluded.hot, excluded.score)

-- name: mark_feeds
-- In key order, so that publishers of two shards never wait for each other in a circle. A row that
-- is dirty already is locked all the same: a fold that runs now waits, and reads what we write.
INSERT INTO feeds (site, feed, language, section, shard, incarnation, version, content_hash, dirty, as_of)
SELECT site, feed, language, section, shard, 0, 0, '', true, 'epoch'
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[])
    AS n (site, feed, language, section, shard)
ORDER BY site COLLATE "C", feed COLLATE "C", language COLLATE "C", section COLLATE "C"
ON CONFLICT (site, feed, language, section) DO UPDATE SET dirty = true
WHERE NOT feeds.dirty

-- name: due_feeds
SELECT site, feed, language, section
FROM feeds
WHERE shard = ANY ($1::integer[])
  AND (dirty OR published_version < version OR expires_at <= now() OR incarnation < $2)
LIMIT 1000

-- name: lock_feeds
SELECT f.site, f.feed, f.language, f.section, f.incarnation, f.version, f.published_version,
    f.content_hash, f.as_of, now() AS now
FROM feeds f
JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS n (site, feed, language, section)
  ON f.site = n.site AND f.feed = n.feed AND f.language = n.language AND f.section = n.section
ORDER BY f.site COLLATE "C", f.feed COLLATE "C", f.language COLLATE "C", f.section COLLATE "C"
FOR UPDATE OF f

-- name: candidates_latest
SELECT n.ordinal, e.discussion
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
    WITH ORDINALITY AS n (site, language, section, since, ordinal)
CROSS JOIN LATERAL (
    SELECT c.discussion FROM feed_entries c
    WHERE c.site = n.site AND c.language = n.language AND c.section = n.section
    ORDER BY c.last_activity DESC, c.discussion COLLATE "C" LIMIT $5
) e

-- name: candidates_hot
SELECT n.ordinal, e.discussion
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
    WITH ORDINALITY AS n (site, language, section, since, ordinal)
CROSS JOIN LATERAL (
    SELECT c.discussion FROM feed_entries c
    WHERE c.site = n.site AND c.language = n.language AND c.section = n.section
    ORDER BY c.hot DESC, c.discussion COLLATE "C" LIMIT $5
) e

-- name: candidates_top
SELECT n.ordinal, e.discussion
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
    WITH ORDINALITY AS n (site, language, section, since, ordinal)
CROSS JOIN LATERAL (
    SELECT c.discussion FROM feed_entries c
    WHERE c.site = n.site AND c.language = n.language AND c.section = n.section
      AND c.opened_at > n.since
    ORDER BY c.score DESC, c.opened_at DESC, c.discussion COLLATE "C" LIMIT $5
) e

-- name: write_feeds
UPDATE feeds f
SET incarnation = $1, version = n.version, content_hash = n.content_hash, as_of = n.as_of,
    expires_at = n.expires_at, dirty = false
FROM unnest(
    $2::text[], $3::text[], $4::text[], $5::text[],
    $6::bigint[], $7::bytea[], $8::timestamptz[], $9::timestamptz[]
) AS n (site, feed, language, section, version, content_hash, as_of, expires_at)
WHERE f.site = n.site AND f.feed = n.feed AND f.language = n.language AND f.section = n.section

-- name: keep_feeds
-- Folded, and nothing differs.
UPDATE feeds f
SET dirty = false, expires_at = n.expires_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    AS n (site, feed, language, section, expires_at)
WHERE f.site = n.site AND f.feed = n.feed AND f.language = n.language AND f.section = n.section

-- name: set_published
UPDATE feeds f
SET published_version = n.version
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    AS n (site, feed, language, section, version)
WHERE f.site = n.site AND f.feed = n.feed AND f.language = n.language AND f.section = n.section
  AND f.published_version < n.version

-- name: overtaken
-- Of these feeds and the versions that their last records carry: whose acknowledged version is higher.
SELECT f.site, f.feed, f.language, f.section, f.incarnation, f.published_version
FROM feeds f
JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
    AS last (site, feed, language, section, incarnation, version)
  ON f.site = last.site AND f.feed = last.feed
 AND f.language = last.language AND f.section = last.section
WHERE f.published_version > 0
  AND (f.incarnation, f.published_version) > (last.incarnation, last.version)

-- name: send_again
UPDATE feeds f
SET published_version = 0
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    AS n (site, feed, language, section, version)
WHERE f.site = n.site AND f.feed = n.feed AND f.language = n.language AND f.section = n.section
  AND f.published_version = n.version
RETURNING f.site, f.feed, f.language, f.section
