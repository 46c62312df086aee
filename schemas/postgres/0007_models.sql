-- What moderation learns from moderators' decisions. Left out of a rebuild, which learns anew.

CREATE TABLE lessons (
    discussion text NOT NULL,
    event_id text NOT NULL,
    site text NOT NULL,
    comment text NOT NULL,
    revision integer NOT NULL,
    rejected boolean NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (discussion, event_id)
);
COMMENT ON TABLE lessons IS 'Applied decisions that no model has learned from yet; written with their effect, deleted with the model''s update';
CREATE INDEX lessons_in_order ON lessons (site, sequence);

CREATE TABLE models (
    site text NOT NULL,
    label text NOT NULL,
    version bigint NOT NULL,
    state bytea NOT NULL,
    positives bigint NOT NULL,
    negatives bigint NOT NULL,
    enough boolean NOT NULL,
    learned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, label)
) WITH (fillfactor = 50);
COMMENT ON COLUMN models.state IS 'services/core/model/stored.py; replaced by compare-and-set on version';
COMMENT ON COLUMN models.enough IS 'Whether it has seen enough decisions of each kind to be used';
ALTER TABLE models ALTER COLUMN state SET STORAGE EXTERNAL;
