-- Written by counters only. `slot` is the partition of votes.v1 or views.v1, so each row has one writer.

CREATE TABLE votes (
    discussion text NOT NULL,
    target text NOT NULL,
    voter text NOT NULL,
    value smallint NOT NULL CONSTRAINT value_known CHECK (value IN (-1, 0, 1)),
    changes text[] NOT NULL,
    voted_at timestamptz NOT NULL,
    PRIMARY KEY (discussion, target, voter)
) WITH (fillfactor = 90);
COMMENT ON COLUMN votes.target IS 'A comment''s id, or empty for the discussion itself';
COMMENT ON COLUMN votes.changes IS 'Ids of the last few changes, newest first, as id:value; a repeat is ignored';

CREATE TABLE vote_totals (
    discussion text NOT NULL,
    target text NOT NULL,
    slot smallint NOT NULL,
    up integer NOT NULL CONSTRAINT up_not_negative CHECK (up >= 0),
    down integer NOT NULL CONSTRAINT down_not_negative CHECK (down >= 0),
    PRIMARY KEY (discussion, target, slot)
) WITH (fillfactor = 70);

-- Votes whose comment is not known yet, settled by a sweep of the same partition's owner.
CREATE TABLE parked_votes (
    discussion text NOT NULL,
    target text NOT NULL,
    voter text NOT NULL,
    slot smallint NOT NULL,
    source_offset bigint NOT NULL,
    event_id text NOT NULL,
    event_digest bytea NOT NULL,
    value smallint NOT NULL CONSTRAINT value_known CHECK (value IN (-1, 0, 1)),
    voted_at timestamptz NOT NULL,
    PRIMARY KEY (discussion, target, voter, source_offset)
);
CREATE INDEX parked_votes_slot ON parked_votes (slot, voted_at);

-- One row per (discussion, viewer, 30-minute window): dropped by partition when the window is over.
CREATE TABLE view_keys (
    window_start timestamptz NOT NULL,
    discussion text NOT NULL,
    viewer bytea NOT NULL,
    PRIMARY KEY (window_start, discussion, viewer)
) PARTITION BY RANGE (window_start);

CREATE TABLE view_totals (
    discussion text NOT NULL,
    slot smallint NOT NULL,
    views bigint NOT NULL CONSTRAINT views_not_negative CHECK (views >= 0),
    viewers bytea NOT NULL,
    PRIMARY KEY (discussion, slot)
) WITH (fillfactor = 60);
COMMENT ON COLUMN view_totals.viewers IS 'HyperLogLog sketch of keyed viewer hashes';
