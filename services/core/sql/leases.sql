-- name: take
-- Takes or renews: no row means that somebody else holds the lease.
INSERT INTO leases (name, owner, expires_at)
VALUES ($1, $2, now() + $3::interval)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
WHERE leases.owner = excluded.owner OR leases.expires_at < now()
RETURNING expires_at

-- name: give_back
DELETE FROM leases WHERE name = $1 AND owner = $2

-- name: held
SELECT name, owner, expires_at FROM leases WHERE name LIKE $1 AND expires_at >= now() ORDER BY name
