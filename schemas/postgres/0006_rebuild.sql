-- What a rebuild was told before it reads the input topics. Empty outside of a rebuild.

CREATE TABLE recorded_outcomes (
    discussion text NOT NULL,
    event_id text NOT NULL,
    event_digest bytea NOT NULL,
    outcome text NOT NULL,
    PRIMARY KEY (discussion, event_id, event_digest)
);
COMMENT ON COLUMN recorded_outcomes.outcome IS 'JSON: the first outcome that outcomes.v1 holds for this event';

CREATE TABLE recorded_dead_letters (
    topic text NOT NULL,
    partition integer NOT NULL,
    source_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition, source_offset)
);

CREATE TABLE rebuild_ends (
    topic text NOT NULL,
    partition integer NOT NULL,
    end_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
COMMENT ON COLUMN rebuild_ends.end_offset IS 'Where the rebuild stops: the first offset that it does not apply';
