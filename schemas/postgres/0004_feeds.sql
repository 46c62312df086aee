-- Written by the publisher only.

CREATE TABLE strips (
    discussion text PRIMARY KEY,
    incarnation bigint NOT NULL,
    version bigint NOT NULL,
    strip jsonb NOT NULL,
    published_version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 60);
COMMENT ON COLUMN strips.published_version IS 'The highest version that Kafka acknowledged; below version: the record must be sent (again)';

-- What feeds rank by: one row per discussion and scope it shows in.
CREATE TABLE feed_entries (
    site text NOT NULL,
    language text NOT NULL,
    section text NOT NULL,
    discussion text NOT NULL,
    opened_at timestamptz NOT NULL,
    last_activity timestamptz NOT NULL,
    hot double precision NOT NULL,
    score integer NOT NULL,
    PRIMARY KEY (discussion, language, section)
) WITH (fillfactor = 70);
COMMENT ON COLUMN feed_entries.language IS 'Empty: the scope of all languages; likewise section';
-- COLLATE "C": the same order of ids as the fold's.
CREATE INDEX feed_entries_latest ON feed_entries
    (site, language, section, last_activity DESC, discussion COLLATE "C");
CREATE INDEX feed_entries_hot ON feed_entries
    (site, language, section, hot DESC, discussion COLLATE "C");
CREATE INDEX feed_entries_top ON feed_entries
    (site, language, section, score DESC, opened_at DESC, discussion COLLATE "C");
CREATE INDEX feed_entries_opened ON feed_entries (site, language, section, opened_at);

CREATE TABLE feeds (
    site text NOT NULL,
    feed text NOT NULL,
    language text NOT NULL,
    section text NOT NULL,
    shard integer NOT NULL,
    incarnation bigint NOT NULL,
    version bigint NOT NULL,
    published_version bigint NOT NULL DEFAULT 0,
    content_hash bytea NOT NULL,
    dirty boolean NOT NULL,
    as_of timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (site, feed, language, section)
) WITH (fillfactor = 60);
COMMENT ON COLUMN feeds.shard IS 'The publisher shard that folds the feeds of this site';
COMMENT ON COLUMN feeds.expires_at IS 'When the first entry falls out of the window of top-day or top-week';
