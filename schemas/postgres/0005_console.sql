-- Who looks at what in the console. Operational: left out of a rebuild.
CREATE TABLE claims (
    discussion text NOT NULL,
    comment text NOT NULL,
    moderator text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (discussion, comment)
) WITH (fillfactor = 80);
COMMENT ON TABLE claims IS 'A claim tells other moderators, it locks nothing: decisions are conditional on what was seen';
CREATE INDEX claims_expiry ON claims (expires_at);
