-- Nearly equal texts: one row for each band of a revision's signature, where a rule asks for them.
-- Written by moderation; `slot` is the partition of comments.v1, whose sweep removes its old rows.
CREATE TABLE near_bands (
    site text NOT NULL,
    band bigint NOT NULL,
    written_at timestamptz NOT NULL,
    discussion text NOT NULL,
    comment text NOT NULL,
    revision integer NOT NULL,
    author text NOT NULL,
    bits bytea NOT NULL,
    slot smallint NOT NULL,
    recorded_at timestamptz NOT NULL
);
COMMENT ON COLUMN near_bands.bits IS 'The whole signature, 16 bytes: how alike two texts are';
CREATE INDEX near_bands_alike ON near_bands (site, band, written_at);
CREATE INDEX near_bands_old ON near_bands USING brin (recorded_at) WITH (autosummarize = on);

-- What moderators ruled on the revisions that a reader reported, once they had ruled.
ALTER TABLE reports ADD COLUMN settled text NOT NULL DEFAULT ''
    CONSTRAINT settled_known CHECK (settled IN ('', 'upheld', 'dismissed'));
COMMENT ON COLUMN reports.settled IS 'By the last decision on that revision since: upheld where it rejects';

CREATE TABLE reporter_totals (
    site text NOT NULL,
    reporter text NOT NULL,
    slot smallint NOT NULL,
    upheld integer NOT NULL,
    dismissed integer NOT NULL,
    PRIMARY KEY (site, reporter, slot)
) WITH (fillfactor = 60);
