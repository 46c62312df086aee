-- What rules did, and what follows from their findings. Written by moderation in a batch's
-- transaction; `slot` is the partition of comments.v1, so each row has one writer.

CREATE TABLE rule_hits (
    rule text NOT NULL,
    hour timestamptz NOT NULL,
    version text NOT NULL,
    slot smallint NOT NULL,
    hits integer NOT NULL CONSTRAINT hits_not_negative CHECK (hits >= 0),
    holds integer NOT NULL,
    rejects integer NOT NULL,
    acts integer NOT NULL,
    PRIMARY KEY (rule, hour, version, slot)
) WITH (fillfactor = 60);
COMMENT ON TABLE rule_hits IS 'Findings of each rule''s version in each hour of UTC, by the records'' time; rule and version are empty for all revisions judged, then held by a rule and rejected by verdict';
COMMENT ON COLUMN rule_hits.acts IS 'What the rule''s limits count: it rejected, held, notified or slowed an author down, and no brake stopped it';
CREATE INDEX rule_hits_version ON rule_hits (rule, version, hour);
CREATE INDEX rule_hits_old ON rule_hits USING brin (hour) WITH (autosummarize = on);

-- Until when an author is slowed down on a site: the latest of the slots counts.
CREATE TABLE author_limits (
    site text NOT NULL,
    author text NOT NULL,
    slot smallint NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (site, author, slot)
) WITH (fillfactor = 80);

ALTER TABLE comments ADD COLUMN labels text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN comments.labels IS 'Of the rules that matched the newest revision';

-- What people are told of by `then.notify`, one per revision and channel.
CREATE TABLE notices (
    discussion text NOT NULL,
    comment text NOT NULL,
    revision integer NOT NULL,
    channel text NOT NULL,
    site text NOT NULL,
    rule text NOT NULL,
    recorded_at timestamptz NOT NULL,
    written bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    PRIMARY KEY (discussion, comment, revision, channel)
);
COMMENT ON COLUMN notices.written IS 'The transaction: whoever reads on in this order, up to the oldest that still runs, misses nothing';
CREATE INDEX notices_in_order ON notices (site, channel, written, discussion, comment, revision);
