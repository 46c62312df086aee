-- Written by moderation only: one writer per discussion, the owner of its partition of comments.v1.

CREATE TABLE site_policies (
    site text PRIMARY KEY,
    policy text NOT NULL CONSTRAINT policy_known CHECK (policy IN ('publish_first', 'hold_first', 'closed')),
    report_threshold integer NOT NULL CONSTRAINT report_threshold_positive CHECK (report_threshold > 0),
    edit_hold text NOT NULL CONSTRAINT edit_hold_known CHECK (edit_hold IN ('keep', 'hide')),
    late_scores text NOT NULL DEFAULT 'publish'
        CONSTRAINT late_scores_known CHECK (late_scores IN ('publish', 'hold'))
);

CREATE TABLE discussions (
    discussion text PRIMARY KEY,
    site text NOT NULL,
    revision bigint NOT NULL,
    url text NOT NULL,
    title text NOT NULL,
    language text NOT NULL,
    section text NOT NULL,
    state text NOT NULL CONSTRAINT state_known CHECK (state IN ('open', 'closed', 'removed')),
    policy text CONSTRAINT policy_known CHECK (policy IN ('publish_first', 'hold_first', 'closed')),
    opened_at timestamptz NOT NULL,
    visible_comments integer NOT NULL DEFAULT 0
        CONSTRAINT visible_comments_not_negative CHECK (visible_comments >= 0)
) WITH (fillfactor = 80);
COMMENT ON COLUMN discussions.discussion IS 'site/discussion';
COMMENT ON COLUMN discussions.policy IS 'Null: the site''s policy holds';

CREATE TABLE comments (
    discussion text NOT NULL,
    comment text NOT NULL,
    site text NOT NULL,
    author text NOT NULL,
    author_name text NOT NULL,
    parent text,
    path text[] NOT NULL DEFAULT '{}',
    submitted_at timestamptz NOT NULL,
    status text NOT NULL CONSTRAINT status_known CHECK (status IN ('pending', 'published', 'rejected')),
    revision integer NOT NULL CONSTRAINT revision_positive CHECK (revision > 0),
    published_revision integer,
    held_revision integer,
    held_reason text,
    held_since timestamptz,
    deleted_at timestamptz,
    ruling text CONSTRAINT ruling_known CHECK (ruling IN ('approve', 'reject', 'restore')),
    ruled_revision integer,
    ruled_by text,
    ruled_at timestamptz,
    ruling_reason text,
    reports integer NOT NULL DEFAULT 0,
    visible_descendants integer NOT NULL DEFAULT 0
        CONSTRAINT visible_descendants_not_negative CHECK (visible_descendants >= 0),
    visible boolean GENERATED ALWAYS AS (status = 'published' AND deleted_at IS NULL) STORED,
    PRIMARY KEY (discussion, comment),
    CONSTRAINT published_has_a_revision CHECK (status <> 'published' OR published_revision IS NOT NULL),
    CONSTRAINT held_has_a_reason CHECK ((held_revision IS NULL) = (held_reason IS NULL))
) WITH (fillfactor = 85);
COMMENT ON COLUMN comments.path IS 'Ids of the ancestors, the root first; at most 32';
COMMENT ON COLUMN comments.reports IS 'Distinct reporters of the newest revision';
CREATE INDEX comments_thread ON comments (discussion, submitted_at, comment) WHERE path = '{}';
CREATE INDEX comments_replies ON comments (discussion, (path[1]), submitted_at, comment) WHERE path <> '{}';
CREATE INDEX comments_last_activity ON comments (discussion, submitted_at DESC) WHERE visible;
CREATE INDEX comments_author ON comments (site, author, submitted_at);
CREATE INDEX comments_held ON comments (site, held_since, discussion, comment) WHERE held_revision IS NOT NULL;

CREATE TABLE revisions (
    discussion text NOT NULL,
    comment text NOT NULL,
    revision integer NOT NULL,
    site text NOT NULL,
    author text NOT NULL,
    body text NOT NULL,
    body_hash bytea NOT NULL,
    event_id text NOT NULL,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (discussion, comment, revision)
);
COMMENT ON COLUMN revisions.body_hash IS 'Hash of the folded text: equal for texts that read the same';
CREATE INDEX revisions_author ON revisions (site, author, body_hash, written_at);
CREATE INDEX revisions_copies ON revisions (site, body_hash, written_at);

-- How an author's comments stand. `slot` is the partition of comments.v1, so each row has one writer.
CREATE TABLE author_totals (
    site text NOT NULL,
    author text NOT NULL,
    slot smallint NOT NULL,
    published integer NOT NULL,
    rejected integer NOT NULL,
    PRIMARY KEY (site, author, slot)
) WITH (fillfactor = 60);
COMMENT ON COLUMN author_totals.published IS 'Comments whose status is published, deleted ones too';

CREATE TABLE reports (
    discussion text NOT NULL,
    comment text NOT NULL,
    revision integer NOT NULL,
    reporter text NOT NULL,
    reason text NOT NULL,
    note text NOT NULL,
    event_id text NOT NULL,
    filed_at timestamptz NOT NULL,
    PRIMARY KEY (discussion, comment, revision, reporter)
);

-- What became of every event of comments.v1, and of refused votes. Also claims the event's id.
CREATE TABLE outcomes (
    discussion text NOT NULL,
    event_id text NOT NULL,
    event_digest bytea NOT NULL,
    cause text NOT NULL,
    comment text NOT NULL,
    revision integer NOT NULL,
    result text NOT NULL CONSTRAINT result_known CHECK (result IN ('applied', 'published', 'held', 'rejected', 'refused')),
    reason text NOT NULL,
    status text NOT NULL,
    verdict jsonb,
    facts jsonb,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (discussion, event_id, event_digest)
);
CREATE INDEX outcomes_comment ON outcomes (discussion, comment, recorded_at);

-- Comments that appeared, changed or vanished since their discussion's last published strip.
CREATE TABLE changed_comments (
    discussion text NOT NULL,
    comment text NOT NULL,
    mark bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (discussion, comment)
) WITH (fillfactor = 50);
