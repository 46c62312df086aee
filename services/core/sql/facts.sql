-- The facts that rules judge on. Lists are cut per asked record: the newest within (at - window, at].
-- Each use is told once, however many records of a batch ask for it: in a flood all ask for the same.

-- name: totals
-- Each author once in $1, $2.
SELECT found.site, found.author, sum(found.published)::integer AS published,
       sum(found.rejected)::integer AS rejected, max(found.until) AS until
  FROM (SELECT t.site, t.author, t.published, t.rejected, NULL::timestamptz AS until
          FROM author_totals t
          JOIN unnest($1::text::text[], $2::text::text[]) AS asked (site, author)
            ON t.site = asked.site AND t.author = asked.author
         UNION ALL
        SELECT l.site, l.author, 0, 0, l.until
          FROM author_limits l
          JOIN unnest($1::text::text[], $2::text::text[]) AS asked (site, author)
            ON l.site = asked.site AND l.author = asked.author) AS found
 GROUP BY found.site, found.author

-- name: first
-- Since when each author writes on the site. Each once in $1, $2.
SELECT asked.site, asked.author, found.submitted_at AS at
  FROM unnest($1::text::text[], $2::text::text[]) AS asked (site, author)
 CROSS JOIN LATERAL (
       SELECT c.submitted_at
         FROM comments c
        WHERE c.site = asked.site AND c.author = asked.author
        ORDER BY c.submitted_at
        LIMIT 1) AS found

-- name: rated
-- $3 the most: each author's newest comments and how readers rate them. Each once in $1, $2.
SELECT asked.site, asked.author, found.submitted_at AS at, found.discussion, found.comment,
       coalesce((SELECT sum(t.up - t.down) FROM vote_totals t
                  WHERE t.discussion = found.discussion AND t.target = found.comment), 0)::integer
           AS rating
  FROM unnest($1::text::text[], $2::text::text[]) AS asked (site, author)
 CROSS JOIN LATERAL (
       SELECT c.submitted_at, c.discussion, c.comment
         FROM comments c
        WHERE c.site = asked.site AND c.author = asked.author
        ORDER BY c.submitted_at DESC, c.discussion COLLATE "C" DESC, c.comment COLLATE "C" DESC
        LIMIT $3) AS found

-- name: uses
-- Before each record: the author's newest comments ($8 the window, $9 the most), and the newest uses
-- of its text ($10 the window), by the author ($11 the most) and on the site ($12).
WITH asked AS MATERIALIZED (
    SELECT site, author, discussion, comment, decode(hash, 'hex') AS body_hash,
           ($6::timestamptz[])[place] AS at
      FROM unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::text[],
                  $5::text::text[], $7::text::integer[])
           AS each (site, author, discussion, comment, hash, place)
)
SELECT DISTINCT 'recent' AS kind, asked.site, asked.author, NULL::bytea AS body_hash,
       found.submitted_at AS at, found.discussion, found.comment, asked.author AS used_by
  FROM (SELECT DISTINCT site, author, discussion, comment, at FROM asked) AS asked
 CROSS JOIN LATERAL (
       SELECT c.submitted_at, c.discussion, c.comment
         FROM comments c
        WHERE c.site = asked.site AND c.author = asked.author
          AND c.submitted_at > asked.at - $8::interval AND c.submitted_at <= asked.at
          AND (c.discussion, c.comment) <> (asked.discussion, asked.comment)
        ORDER BY c.submitted_at DESC, c.discussion COLLATE "C" DESC, c.comment COLLATE "C" DESC
        LIMIT $9) AS found
 UNION ALL
SELECT DISTINCT 'own', asked.site, asked.author, asked.body_hash,
       found.written_at, found.discussion, found.comment, asked.author
  FROM (SELECT DISTINCT * FROM asked) AS asked
 CROSS JOIN LATERAL (
       SELECT r.written_at, r.discussion, r.comment
         FROM revisions r
        WHERE r.site = asked.site AND r.author = asked.author AND r.body_hash = asked.body_hash
          AND r.written_at > asked.at - $10::interval AND r.written_at <= asked.at
          AND (r.discussion, r.comment) <> (asked.discussion, asked.comment)
        ORDER BY r.written_at DESC, r.discussion COLLATE "C" DESC, r.comment COLLATE "C" DESC
        LIMIT $11) AS found
 UNION ALL
SELECT DISTINCT 'site', asked.site, '', asked.body_hash,
       found.written_at, found.discussion, found.comment, found.author
  FROM (SELECT DISTINCT site, body_hash, discussion, comment, at FROM asked) AS asked
 CROSS JOIN LATERAL (
       SELECT r.written_at, r.discussion, r.comment, r.author
         FROM revisions r
        WHERE r.site = asked.site AND r.body_hash = asked.body_hash
          AND r.written_at > asked.at - $10::interval AND r.written_at <= asked.at
          AND (r.discussion, r.comment) <> (asked.discussion, asked.comment)
        ORDER BY r.written_at DESC, r.discussion COLLATE "C" DESC, r.comment COLLATE "C" DESC
        LIMIT $12) AS found

-- name: add_totals
INSERT INTO author_totals (site, author, slot, published, rejected)
SELECT site, author, $1, published, rejected
  FROM unnest($2::text::text[], $3::text::text[], $4::text::integer[], $5::text::integer[])
       AS new (site, author, published, rejected)
ON CONFLICT (site, author, slot) DO UPDATE
   SET published = author_totals.published + excluded.published,
       rejected = author_totals.rejected + excluded.rejected

-- name: reporters
SELECT t.site, t.reporter, sum(t.upheld)::integer AS upheld, sum(t.dismissed)::integer AS dismissed
  FROM reporter_totals t
  JOIN unnest($1::text[], $2::text[]) AS asked (site, reporter)
    ON t.site = asked.site AND t.reporter = asked.reporter
 GROUP BY t.site, t.reporter

-- name: add_reporters
INSERT INTO reporter_totals (site, reporter, slot, upheld, dismissed)
SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[], $4::integer[], $5::integer[])
ON CONFLICT (site, reporter, slot) DO UPDATE
   SET upheld = reporter_totals.upheld + excluded.upheld,
       dismissed = reporter_totals.dismissed + excluded.dismissed

-- name: add_limits
INSERT INTO author_limits (site, author, slot, until)
SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[], $4::timestamptz[])
ON CONFLICT (site, author, slot) DO UPDATE
   SET until = greatest(author_limits.until, excluded.until)

-- name: near
-- $7 the window, $8 the most: the newest revisions that share a band, of each band asked for. Each
-- revision is told once, with the bands that it was found by.
SELECT array_agg(asked.band) AS bands, asked.site, found.written_at AS at, found.discussion,
       found.comment, found.revision, found.author, found.bits
  FROM unnest($1::text::bigint[], $2::text::text[], $3::text::text[], $4::text::text[],
              $6::text::integer[]) AS asked (band, site, discussion, comment, place)
 CROSS JOIN LATERAL (
       SELECT n.written_at, n.discussion, n.comment, n.revision, n.author, n.bits
         FROM near_bands n
        WHERE n.site = asked.site AND n.band = asked.band
          AND n.written_at > ($5::timestamptz[])[asked.place] - $7::interval
          AND n.written_at <= ($5::timestamptz[])[asked.place]
          AND (n.discussion, n.comment) <> (asked.discussion, asked.comment)
        ORDER BY n.written_at DESC, n.discussion COLLATE "C" DESC, n.comment COLLATE "C" DESC,
                 n.revision DESC
        LIMIT $8) AS found
 GROUP BY asked.site, found.written_at, found.discussion, found.comment, found.revision,
          found.author, found.bits

-- name: add_near
-- `bands` of one revision come joined by commas.
INSERT INTO near_bands (site, band, written_at, discussion, comment, revision, author, bits, slot,
                        recorded_at)
SELECT site, band, ($8::timestamptz[])[place], discussion, comment, revision, author,
       decode(bits, 'hex'), $10, $11
  FROM unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::text[],
              $5::text::text[], $6::text::text[], $7::text::integer[], $9::text::integer[])
       AS new (site, discussion, comment, author, bands, bits, revision, place),
       unnest(string_to_array(bands, ',')::bigint[]) AS band

-- name: sweep_near
-- Of one slot, $2 behind the newest record of its partition; at most $3 rows.
DELETE FROM near_bands
 WHERE ctid = ANY(ARRAY(
       SELECT n.ctid FROM near_bands n
        WHERE n.slot = $1
          AND n.recorded_at < (SELECT f.record_at - $2::interval FROM fences f
                                WHERE f.consumer_group = 'moderation' AND f.topic = 'comments.v1'
                                  AND f.partition = $1)
        LIMIT $3))
