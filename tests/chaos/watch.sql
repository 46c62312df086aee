-- What the harness writes down beside the services' own tables, in their very transactions:
-- every step of a fence, every dead letter put into the outbox. Rolled back with them.
CREATE SCHEMA chaos;

CREATE TABLE chaos.fence_steps (
    step bigint GENERATED ALWAYS AS IDENTITY,
    topic text, partition integer, stood bigint, stands bigint, epoch_was bigint, epoch_is bigint
);
CREATE FUNCTION chaos.note_fence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.fence_steps (topic, partition, stood, stands, epoch_was, epoch_is)
    VALUES (NEW.topic, NEW.partition, OLD.next_offset, NEW.next_offset, OLD.epoch, NEW.epoch);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_fence AFTER UPDATE OF next_offset ON fences
    FOR EACH ROW EXECUTE FUNCTION chaos.note_fence();

CREATE TABLE chaos.letters (source_topic text, source_partition integer, value bytea);
CREATE FUNCTION chaos.note_letter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.letters VALUES (NEW.source_topic, NEW.source_partition, NEW.value);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_letter AFTER INSERT ON outbox
    FOR EACH ROW WHEN (NEW.topic LIKE '%.dead') EXECUTE FUNCTION chaos.note_letter();
