-- Written by counters only. `slot` is the partition of votes.v1 or views.v1, so each row has one writer.

CREATE TABLE votes (
    discussion text NOT NULL,
    target text NOT NULL,
    voter text NOT NULL,
    value smallint NOT NULL CONSTRAINT value_known CHECK (value IN (-1, 0, 1)),
    changes text[] NOT NULL,
    voted_at timestamptz NOT NULL,
    PRIMARY KEY (discussion, voter, target)
) WITH (fillfactor = 90);
-- The voter before the target: a reader's own votes lie together, and two keys differ sooner.
COMMENT ON COLUMN votes.target IS 'A comment''s id, or empty for the discussion itself';
COMMENT ON COLUMN votes.changes IS 'Ids of the last 8 changes, newest first, as id:value; a repeat is ignored';

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
    voter text NOT NULL,
    target text NOT NULL,
    source_offset bigint NOT NULL,
    slot smallint NOT NULL,
    shard smallint NOT NULL,
    event_id text NOT NULL,
    event_digest bytea NOT NULL,
    value smallint NOT NULL CONSTRAINT value_known CHECK (value IN (-1, 0, 1)),
    voted_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (discussion, voter, target, source_offset)
);
COMMENT ON COLUMN parked_votes.shard IS 'The discussion''s partition of comments.v1: its fence says what a comment can still come before';
COMMENT ON COLUMN parked_votes.recorded_at IS 'The broker''s timestamp: a vote waits 24 hours of the log''s own time';
CREATE INDEX parked_votes_slot ON parked_votes (slot, source_offset);

-- One row per (discussion, viewer, 30-minute window), in partitions of an hour that are dropped
-- once no record of views.v1 can fall into them.
CREATE TABLE view_keys (
    window_start timestamptz NOT NULL,
    discussion text NOT NULL,
    viewer bytea NOT NULL,
    PRIMARY KEY (window_start, discussion, viewer)
) PARTITION BY RANGE (window_start);
COMMENT ON COLUMN view_keys.viewer IS '16-byte keyed hash of the viewer';

-- The same for views that an importer states to be older than an hour: their windows were over
-- before they came, so nothing but their number bounds them.
CREATE TABLE imported_view_keys (
    window_start timestamptz NOT NULL,
    discussion text NOT NULL,
    viewer bytea NOT NULL,
    PRIMARY KEY (discussion, window_start, viewer)
);

CREATE TABLE view_totals (
    discussion text NOT NULL,
    slot smallint NOT NULL,
    views bigint NOT NULL CONSTRAINT views_not_negative CHECK (views >= 0),
    viewers bytea NOT NULL,
    PRIMARY KEY (discussion, slot)
) WITH (fillfactor = 60);
COMMENT ON COLUMN view_totals.viewers IS 'HyperLogLog sketch of keyed viewer hashes';

-- Keys of windows that begin in these hours can be written now. Attaching a table locks the parent
-- against other DDL only, so batches of other partitions go on. Called before a batch writes any
-- key: nobody raises a lock on view_keys to a higher one, so nobody deadlocks.
CREATE FUNCTION open_view_hours(hours timestamptz[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    hour timestamptz;
    name text;
BEGIN
    FOREACH hour IN ARRAY hours LOOP
        name := 'view_keys_' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        LOCK TABLE view_keys IN SHARE UPDATE EXCLUSIVE MODE;
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE view_keys INCLUDING ALL)', name);
        EXECUTE format(
            'ALTER TABLE view_keys ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, hour, hour + interval '1 hour'
        );
    END LOOP;
END $$;

-- Drops the hours that ended by `horizon`; answers how many. Gives way after half a second, since
-- batches queue behind it: it is called again soon.
CREATE FUNCTION close_view_hours(horizon timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    last text := 'view_keys_'
        || to_char((horizon - interval '1 hour') AT TIME ZONE 'UTC', 'YYYYMMDDHH24');
    over regclass[];
    hour regclass;
BEGIN
    PERFORM FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'view_keys'::regclass AND relname <= last;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    PERFORM set_config('lock_timeout', '500ms', true);
    LOCK TABLE view_keys IN ACCESS EXCLUSIVE MODE;
    over := ARRAY(
        SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'view_keys'::regclass AND relname <= last
    );
    FOREACH hour IN ARRAY over LOOP
        EXECUTE format('DROP TABLE %s', hour);
    END LOOP;
    RETURN cardinality(over);
EXCEPTION WHEN lock_not_available THEN
    RETURN 0;
END $$;
