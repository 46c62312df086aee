-- The life of a ruleset: what was activated, through control.v1, and what is proposed.

CREATE TABLE rulesets (
    version integer PRIMARY KEY CONSTRAINT version_positive CHECK (version > 0),
    hash text NOT NULL,
    parent text NOT NULL,
    files text NOT NULL,
    author text NOT NULL,
    approved_by text NOT NULL,
    reason text NOT NULL,
    effect text NOT NULL,
    event_id text NOT NULL CONSTRAINT activated_once UNIQUE,
    activated_at timestamptz NOT NULL
);
COMMENT ON TABLE rulesets IS 'Written by moderation in the order of control.v1; the highest version is in use';
COMMENT ON COLUMN rulesets.files IS 'JSON: name -> text';
COMMENT ON COLUMN rulesets.parent IS 'Hash of the ruleset that it replaces; at first of the folder VECHE_RULES_DIR';

-- What waits for a second look. The console's own: left out of a rebuild.
CREATE TABLE ruleset_proposals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash text NOT NULL,
    parent text NOT NULL,
    files text NOT NULL,
    author text NOT NULL,
    reason text NOT NULL,
    rejects text[] NOT NULL,
    reach text[] NOT NULL,
    effect text NOT NULL,
    state text NOT NULL DEFAULT 'open'
        CONSTRAINT state_known CHECK (state IN ('open', 'activated', 'withdrawn')),
    settled_by text,
    settled_at timestamptz,
    proposed_at timestamptz NOT NULL
);
COMMENT ON COLUMN ruleset_proposals.rejects IS 'Live rules whose reject is new or changed: not empty asks for a second person';

COMMENT ON COLUMN ruleset_proposals.reach IS 'Sites whose rules change, * for all: who approves must have a right to each';

-- `undo` pages through what rules stopped, and looks at each outcome once.
CREATE INDEX outcomes_stopped ON outcomes (recorded_at, discussion, event_id)
    WHERE verdict IS NOT NULL AND result IN ('held', 'rejected');
