-- Written by the publisher only.

CREATE TABLE strips (
    discussion text PRIMARY KEY,
    incarnation bigint NOT NULL,
    version bigint NOT NULL,
    strip jsonb NOT NULL,
    published_version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 60);

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
CREATE INDEX feed_entries_latest ON feed_entries (site, language, section, last_activity DESC, discussion);
CREATE INDEX feed_entries_hot ON feed_entries (site, language, section, hot DESC, discussion);
CREATE INDEX feed_entries_top ON feed_entries (site, language, section, score DESC, discussion);
CREATE INDEX feed_entries_opened ON feed_entries (site, language, section, opened_at);

CREATE TABLE feeds (
    site text NOT NULL,
    feed text NOT NULL,
    language text NOT NULL,
    section text NOT NULL,
    incarnation bigint NOT NULL,
    version bigint NOT NULL,
    content_hash bytea NOT NULL,
    dirty boolean NOT NULL,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (site, feed, language, section)
) WITH (fillfactor = 60);
