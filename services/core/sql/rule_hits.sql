-- What rules did, hour by hour: brakes count it, the watcher compares it with its history.

-- name: lately
-- Of the rules $1 in the hours $3 to $4, every version; and, with zeros, the hour in which each
-- version ($1, $2) hit first.
SELECT rule, version, hour, sum(hits)::integer AS hits, sum(holds)::integer AS holds,
       sum(rejects)::integer AS rejects, sum(acts)::integer AS acts
  FROM rule_hits
 WHERE rule = ANY($1::text[]) AND hour BETWEEN $3::timestamptz AND $4::timestamptz
 GROUP BY rule, version, hour
UNION ALL
SELECT asked.rule, asked.version, found.hour, 0, 0, 0, 0
  FROM unnest($1::text[], $2::text[]) AS asked (rule, version)
 CROSS JOIN LATERAL (
       SELECT h.hour FROM rule_hits h
        WHERE h.rule = asked.rule AND h.version = asked.version
        ORDER BY h.hour LIMIT 1) AS found

-- name: add
INSERT INTO rule_hits (rule, hour, version, slot, hits, holds, rejects, acts)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::smallint[], $5::integer[],
                     $6::integer[], $7::integer[], $8::integer[])
ON CONFLICT (rule, hour, version, slot) DO UPDATE
   SET hits = rule_hits.hits + excluded.hits, holds = rule_hits.holds + excluded.holds,
       rejects = rule_hits.rejects + excluded.rejects, acts = rule_hits.acts + excluded.acts

-- name: forget
-- At most $1 rows of hours that ended 90 days before the newest record (dump.sql shows the others).
DELETE FROM rule_hits
 WHERE ctid = ANY(ARRAY(
       SELECT h.ctid FROM rule_hits h
        WHERE h.hour < (SELECT date_trunc('hour', max(f.record_at) - interval '90 days', 'UTC')
                          FROM fences f
                         WHERE f.consumer_group = 'moderation' AND f.topic = 'comments.v1')
        LIMIT $1))

-- name: hourly
-- Hits of the versions ($1, $2) since $3 until before $4, hour by hour.
SELECT h.rule, h.version, h.hour, sum(h.hits)::integer AS hits
  FROM rule_hits h
  JOIN unnest($1::text[], $2::text[]) AS asked (rule, version)
    ON h.rule = asked.rule AND h.version = asked.version
 WHERE h.hour >= $3::timestamptz AND h.hour < $4::timestamptz
 GROUP BY h.rule, h.version, h.hour
