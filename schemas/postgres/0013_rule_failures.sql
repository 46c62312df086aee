-- Comments that a rule's version failed on: five within a day switch it off everywhere.
-- Written by moderation with the verdict; few, since a rule that is off fails no more.
CREATE TABLE rule_failures (
    discussion text NOT NULL,
    comment text NOT NULL,
    rule text NOT NULL,
    version text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (discussion, comment, rule, version)
);
COMMENT ON COLUMN rule_failures.recorded_at IS 'Of the record that it failed on first';
