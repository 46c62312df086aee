-- Comments that a rule's version failed on.

-- name: add
INSERT INTO rule_failures (discussion, comment, rule, version, recorded_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
ON CONFLICT (discussion, comment, rule, version) DO NOTHING

-- name: often
-- Versions that failed on $1 comments within $2, whenever that was.
SELECT DISTINCT rule, version
  FROM (SELECT rule, version, recorded_at,
               lag(recorded_at, $1 - 1) OVER (
                   PARTITION BY rule, version ORDER BY recorded_at) AS before
          FROM rule_failures) AS failed
 WHERE before >= recorded_at - $2::interval
