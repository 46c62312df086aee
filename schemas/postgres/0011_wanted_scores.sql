-- Comments that a portal's own classifier is to be asked about. Operational: left out of a rebuild.

CREATE TABLE wanted_scores (
    discussion text NOT NULL,
    comment text NOT NULL,
    revision integer NOT NULL,
    site text NOT NULL,
    names text[] NOT NULL,
    recorded_at timestamptz NOT NULL,
    taken_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (discussion, comment, revision)
) WITH (fillfactor = 70);
COMMENT ON COLUMN wanted_scores.names IS 'NAME of every score(NAME) that a rule''s answer hangs on';
COMMENT ON COLUMN wanted_scores.recorded_at IS 'When the revision was recorded: its score is late half a minute after';
COMMENT ON COLUMN wanted_scores.taken_until IS 'A copy of the scorer works on it until then';
CREATE INDEX wanted_scores_newest ON wanted_scores (recorded_at);
