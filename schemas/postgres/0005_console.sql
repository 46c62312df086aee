-- Who looks at what in the console. Operational: left out of a rebuild.
CREATE TABLE claims (
    discussion text NOT NULL,
    comment text NOT NULL,
    moderator text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (discussion, comment)
);
