-- name: open_view_hours
-- Makes the partitions of view_keys that a batch needs; before it writes any key.
SELECT open_view_hours($1::timestamptz[])

-- name: close_view_hours
-- Drops the partitions that no record of any partition of views.v1 can fall into any more.
-- A partition without any record has no keys; what it reads later makes its hours again.
SELECT close_view_hours(min(record_at) - $3::interval)
FROM fences
WHERE consumer_group = $1::text AND topic = $2::text
HAVING count(record_at) > 0

-- name: claim_views
-- Claims keys; answers the places of those that were there before, whose views do not count again.
-- $4 viewers, one after the other, $5 bytes each.
-- A viewer's keys of a discussion have one writer, so what is not there now will not be there soon.
WITH keys AS MATERIALIZED (
    SELECT n.window_start, n.discussion, n.viewer, n.place, v.viewer IS NULL AS first
    FROM (
        SELECT ($1::timestamptz[])[instant] AS window_start, discussion,
            substr($4::bytea, $5::integer * (place::integer - 1) + 1, $5::integer) AS viewer, place
        FROM unnest($2::text::integer[], $3::text::text[])
            WITH ORDINALITY AS k (instant, discussion, place)
    ) n
    LEFT JOIN view_keys v
        ON v.window_start = n.window_start AND v.discussion = n.discussion AND v.viewer = n.viewer
), claimed AS (
    INSERT INTO view_keys (window_start, discussion, viewer)
    SELECT window_start, discussion, viewer FROM keys
    WHERE first
)
SELECT place FROM keys WHERE NOT first

-- name: claim_imported_views
WITH keys AS MATERIALIZED (
    SELECT n.window_start, n.discussion, n.viewer, n.place, v.viewer IS NULL AS first
    FROM (
        SELECT ($1::timestamptz[])[instant] AS window_start, discussion,
            substr($4::bytea, $5::integer * (place::integer - 1) + 1, $5::integer) AS viewer, place
        FROM unnest($2::text::integer[], $3::text::text[])
            WITH ORDINALITY AS k (instant, discussion, place)
    ) n
    LEFT JOIN imported_view_keys v
        ON v.window_start = n.window_start AND v.discussion = n.discussion AND v.viewer = n.viewer
), claimed AS (
    INSERT INTO imported_view_keys (window_start, discussion, viewer)
    SELECT window_start, discussion, viewer FROM keys
    WHERE first
)
SELECT place FROM keys WHERE NOT first

-- name: viewers_of
SELECT t.discussion, t.viewers
FROM unnest($2::text::text[]) AS k (discussion)
JOIN view_totals t ON t.discussion = k.discussion AND t.slot = $1::smallint

-- name: add_views
INSERT INTO view_totals (slot, discussion, views, viewers)
SELECT $1::smallint, * FROM unnest($2::text::text[], $3::text::bigint[], $4::bytea[])
    AS n (discussion, views, viewers)
ORDER BY discussion
ON CONFLICT (discussion, slot) DO UPDATE
SET views = view_totals.views + EXCLUDED.views, viewers = EXCLUDED.viewers
