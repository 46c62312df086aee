"""Settings: small frozen groups, read from the environment here and nowhere else.

Only a process's `__main__` calls these; the rest of the code gets the values as arguments.
A name with `secret` in it is masked wherever settings are printed.
"""

from services.core.settings.judging import (
    Scorer,
    brakes,
    decisions_needed,
    replayed_comments,
    rules_dir,
    rules_texts,
    scorer_url,
    text_of,
)
from services.core.settings.local import Demo, Local, console_token, environment, rebuilding
from services.core.settings.servers import (
    PLAINTEXT,
    Kafka,
    KafkaSecurity,
    Postgres,
    retention_ms,
    topic_prefix,
)
from services.core.settings.serving import (
    Http,
    Logs,
    Probes,
    Reader,
    Trust,
    allowed_origins,
    issuers_file,
    secret,
)
from services.core.settings.variables import ROOT, masked

__all__ = [
    "PLAINTEXT",
    "ROOT",
    "Demo",
    "Http",
    "Kafka",
    "KafkaSecurity",
    "Local",
    "Logs",
    "Postgres",
    "Probes",
    "Reader",
    "Scorer",
    "Trust",
    "allowed_origins",
    "brakes",
    "console_token",
    "decisions_needed",
    "environment",
    "issuers_file",
    "masked",
    "rebuilding",
    "replayed_comments",
    "retention_ms",
    "rules_dir",
    "rules_texts",
    "scorer_url",
    "secret",
    "text_of",
    "topic_prefix",
]
