-- Policies of whole sites, as control.v1 set them.

-- name: policies_of
SELECT site, policy, report_threshold, edit_hold, late_scores
  FROM site_policies
 WHERE site = ANY($1::text[])

-- name: put
INSERT INTO site_policies (site, policy, report_threshold, edit_hold, late_scores)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[])
ON CONFLICT (site) DO UPDATE
   SET policy = excluded.policy, report_threshold = excluded.report_threshold,
       edit_hold = excluded.edit_hold, late_scores = excluded.late_scores
