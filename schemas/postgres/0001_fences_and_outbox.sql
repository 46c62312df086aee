-- The commit point: every effect is written in the transaction that advances its partition's fence.

CREATE TABLE fences (
    consumer_group text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    topic_id uuid NOT NULL,
    next_offset bigint NOT NULL CONSTRAINT next_offset_not_negative CHECK (next_offset >= 0),
    epoch bigint NOT NULL,
    owner text NOT NULL,
    record_at timestamptz,
    stopped_reason text,
    stopped_detail text,
    stopped_at timestamptz,
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);
COMMENT ON COLUMN fences.record_at IS 'Broker timestamp of the newest record behind next_offset';
COMMENT ON COLUMN fences.stopped_reason IS 'Not null: the partition waits for an operator at next_offset';

-- Records to produce, written with the effect that causes them, deleted after the acknowledgement.
CREATE TABLE outbox (
    source_topic text NOT NULL,
    source_partition integer NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    topic text NOT NULL,
    key bytea NOT NULL,
    value bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_topic, source_partition, sequence)
);
COMMENT ON COLUMN outbox.value IS 'Null: a tombstone';
COMMENT ON TABLE outbox IS 'Taken per source partition by one owner in sequence order: one writer per partition, so sequence order is offset order';

-- Never repeats, so that clearing by compare-and-set cannot take a newer mark for an older one.
CREATE SEQUENCE dirty_marks;

-- Discussions whose strip is older than their state. One writer per (discussion, topic, partition).
CREATE TABLE dirty_discussions (
    discussion text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    shard integer NOT NULL,
    mark bigint NOT NULL DEFAULT nextval('dirty_marks'),
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (discussion, topic, partition)
) WITH (fillfactor = 50);
CREATE INDEX dirty_discussions_shard ON dirty_discussions (shard);
COMMENT ON COLUMN dirty_discussions.shard IS 'The discussion''s partition of comments.v1';
COMMENT ON COLUMN dirty_discussions.mark IS 'Grows with every change; cleared by compare-and-set';

-- Who works on a publisher shard. Operational: left out of a rebuild.
CREATE TABLE leases (
    name text PRIMARY KEY,
    owner text NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- A restore or rebuild starts a new incarnation: versions are (incarnation, number).
CREATE TABLE incarnations (
    incarnation bigint PRIMARY KEY,
    began_at timestamptz NOT NULL DEFAULT now(),
    cause text NOT NULL
);
INSERT INTO incarnations (incarnation, cause) VALUES (1, 'created');
