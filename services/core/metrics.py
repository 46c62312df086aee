"""Every Prometheus metric of the system, with its help text. docs/metrics.md is checked against it.

Names are `veche_<noun>_<unit>[_total]`; labels come from closed sets (topic, partition, stage,
rule, action, outcome, route), never from ids or texts.
"""

from __future__ import annotations

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info, generate_latest

_BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_AGE_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)

BUILD = Info("veche_build", "Version of the code, and the ruleset in use")

# --- consuming
RECORDS = Counter("veche_records_total", "Records read and committed", ["topic", "partition"])
BATCH_RECORDS = Histogram(
    "veche_batch_records",
    "Records in a batch",
    ["topic"],
    buckets=(1, 10, 50, 100, 250, 500, 1000, 2000),
)
BATCH_SECONDS = Histogram(
    "veche_batch_seconds",
    "Time of a batch by stage: wait, decode, handle, commit",
    ["topic", "stage"],
    buckets=_BATCH_SECONDS,
)
EVENT_AGE_SECONDS = Histogram(
    "veche_event_age_seconds",
    "Broker's timestamp to commit in Postgres",
    ["topic"],
    buckets=_AGE_SECONDS,
)
LAG_RECORDS = Gauge(
    "veche_lag_records",
    "Records between the fence in Postgres and the end of the partition",
    ["topic", "partition"],
)
NEXT_OFFSET = Gauge("veche_next_offset", "The fence's next offset", ["topic", "partition"])
FENCED = Counter(
    "veche_fenced_total", "Batches dropped because another process owns the partition", ["topic"]
)
RESUMED = Counter(
    "veche_fence_resyncs_total",
    "Batches dropped because the fence had moved under the same epoch: an unknown commit held",
    ["topic"],
)
SKIPPED_DUPLICATES = Counter(
    "veche_repeats_total", "Events that had been applied before and changed nothing", ["topic"]
)
DEAD_LETTERS = Counter(
    "veche_dead_letters_total", "Records dead-lettered, by reason", ["topic", "reason"]
)
STOPPED = Gauge(
    "veche_partition_stopped", "1 while a partition waits for an operator", ["topic", "partition"]
)
REBALANCES = Counter("veche_rebalances_total", "Assignments received", ["group"])
RETRIES = Counter(
    "veche_retries_total", "Batches tried again after an error that may pass", ["topic"]
)
LAST_ATTEMPT = Gauge(
    "veche_last_attempt_timestamp_seconds", "When an attempt last ended, well or badly"
)
LOOP_LAG_SECONDS = Histogram(
    "veche_loop_lag_seconds", "How late the event loop wakes", buckets=_BATCH_SECONDS
)
LOOP_TASKS = Gauge("veche_loop_tasks", "Tasks of the event loop that have not ended")

# --- producing
PRODUCED = Counter("veche_produced_total", "Records acknowledged by Kafka", ["topic"])
PRODUCE_SECONDS = Histogram(
    "veche_produce_seconds",
    "Send to acknowledgement (acks=all), of the oldest record in a batch",
    ["topic"],
    buckets=_BATCH_SECONDS,
)
PRODUCE_ERRORS = Counter("veche_produce_errors_total", "Sends that failed or timed out", ["topic"])
PRODUCER_REBUILDS = Counter(
    "veche_producer_rebuilds_total", "Producers rebuilt after a fatal error"
)

# --- ingest
INGESTED = Counter("veche_ingested_total", "Events by type and answer", ["type", "outcome"])
HTTP_SECONDS = Histogram(
    "veche_http_seconds",
    "Time of a request",
    ["service", "route", "status"],
    buckets=_BATCH_SECONDS,
)

# --- moderation
VERDICTS = Counter("veche_verdicts_total", "Verdicts by action", ["action"])
FINDINGS = Counter("veche_findings_total", "Findings by rule and action", ["rule", "action"])
DECISIONS = Counter(
    "veche_decisions_total", "Moderators' decisions by ruling and result", ["ruling", "result"]
)
REFUSALS = Counter("veche_refusals_total", "Events refused, by reason", ["reason"])
REPORTS = Counter("veche_reports_total", "Reports by reason", ["reason"])
HELD = Gauge("veche_held_comments", "Comments waiting for a moderator", ["site"])
OLDEST_HELD_SECONDS = Gauge(
    "veche_oldest_held_seconds", "Age of the oldest comment that waits", ["site"]
)
JUDGE_SECONDS = Histogram(
    "veche_judge_seconds",
    "One judgement",
    buckets=(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05),
)
RULE_BRAKED = Counter(
    "veche_rule_braked_total",
    "Findings of a rule that a brake made less of: per_hour, per_day, probation, quota",
    ["rule", "brake"],
)
RULE_OFF = Gauge(
    "veche_rule_off",
    "1 where a rule is switched off because it failed, here or in another process",
    ["rule"],
)
RULE_EXPIRES = Gauge(
    "veche_rule_expires_timestamp_seconds", "From when on a rule looks no more", ["rule"]
)
RULE_DEPARTURE = Gauge(
    "veche_rule_hit_rate_departure",
    "How far a rule's hit rate in the last full hour departs from its history, in deviations",
    ["rule"],
)
RULESET = Info("veche_ruleset", "The ruleset that this process judges with: hash and version")
RULESET_VERSION = Gauge(
    "veche_ruleset_version",
    "Version of the ruleset that this process judges with; 0 is the folder's",
)
RULESET_NOT_LOADED = Gauge(
    "veche_ruleset_not_loaded",
    "Version of a newer ruleset that this process cannot load; 0 where there is none",
)
RULESET_SECONDS = Gauge("veche_ruleset_load_seconds", "How long this process took to load it")
RULESETS = Counter(
    "veche_rulesets_total", "Rulesets of control.v1, by what became of them", ["result"]
)
RULES_UNDONE = Counter(
    "veche_rules_undone_total",
    "Comments of which a rule's verdict was taken back, by their status then or why not",
    ["result"],
)
NOTICES = Counter("veche_notices_total", "Notices of rules, by channel", ["channel"])
SCORES_APPLIED = Counter(
    "veche_scores_applied_total",
    "Scores of a portal's classifier that moderation settled, by what followed",
    ["result"],
)
SCORES = Counter(
    "veche_scores_total",
    "Comments that a portal's classifier was asked about: asked, answered, late, failed",
    ["outcome"],
)
SCORER_SECONDS = Histogram(
    "veche_scorer_seconds",
    "One request to the portal's classifier, well or badly ended",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0),
)
SCORER_WAITING = Gauge(
    "veche_scorer_waiting", "Comments that wait to be asked about, or for their answer"
)
SCORER_PAUSED = Gauge(
    "veche_scorer_paused", "1 while the portal's classifier fails and is left alone"
)
LEARNED = Counter(
    "veche_learned_total",
    "Decisions that a model learned from, by whether it was right before",
    ["site", "model", "guess"],
)
LEARNING_FAILED = Counter(
    "veche_learning_failed_total",
    "Times that learning from a site's decisions failed; they wait and are tried again",
    ["site"],
)
MODEL_QUALITY = Gauge(
    "veche_model_quality",
    "A model's accuracy, auc, log_loss and calibration_error over its last 1,000 decisions, "
    "each judged before it was learned from",
    ["site", "model", "measure"],
)
MODEL_VERSION = Gauge(
    "veche_model_version", "Version of the model that this process scores with", ["site", "model"]
)

# --- counters
PARKED_VOTES = Gauge("veche_parked_votes", "Votes whose comment is not known yet", ["partition"])
SWEPT_VOTES = Counter("veche_swept_votes_total", "Parked votes settled or expired", ["outcome"])
VIEWS_REPEATED = Counter("veche_views_repeated_total", "Views within the window of an earlier one")

# --- publisher
DIRTY = Gauge(
    "veche_dirty_discussions", "Discussions whose strip is older than their state", ["shard"]
)
OLDEST_DIRTY_SECONDS = Gauge(
    "veche_oldest_dirty_seconds", "How long the oldest dirty discussion waits", ["shard"]
)
OUTBOX = Gauge(
    "veche_outbox_records", "Records written with effects, not yet acknowledged", ["shard"]
)
PUBLISHED = Counter("veche_published_total", "Strips and feeds published", ["kind"])
PUBLISH_SECONDS = Histogram(
    "veche_publish_seconds", "One publisher cycle", ["kind"], buckets=_BATCH_SECONDS
)
REPUBLISHED = Counter("veche_republished_total", "Published again over an older survivor", ["kind"])
LEASES_HELD = Gauge("veche_leases_held", "Publisher shards that this process works on")

# --- reader
SSE_CLIENTS = Gauge("veche_sse_clients", "Open streams", ["stream"])
SSE_EVENTS = Counter("veche_sse_events_total", "Events written to streams", ["stream"])
SSE_DROPPED = Counter(
    "veche_sse_dropped_total", "Streams closed because the reader was too slow", ["stream"]
)
SNAPSHOT_AGE_SECONDS = Gauge(
    "veche_snapshot_age_seconds", "Age of the newest snapshot record read", ["topic"]
)
SNAPSHOT_CACHE = Gauge("veche_snapshot_cache_entries", "Snapshots kept in memory", ["topic"])
SNAPSHOT_CACHE_BYTES = Gauge(
    "veche_snapshot_cache_bytes",
    "JSON of the snapshots kept in memory; their compressed forms come to about a fifth of it",
    ["topic"],
)
READER_QUERIES = Counter(
    "veche_reader_queries_total",
    "Times that the reader took a connection to Postgres, for a request or for a stream's version",
    ["cause"],
)


def exposition() -> bytes:
    """The text format of all metrics of this process."""
    return generate_latest(REGISTRY)
