"""What judges comments: rules, their brakes, the portal's own classifier, the learned model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.core.errors import BadRuleset, Misconfigured
from services.core.rules.brakes import Brakes
from services.core.settings.variables import ENVIRONMENT, ROOT, required, text_or_file, whole

MAX_PROBATION_DAYS = 60


@dataclass(frozen=True)
class Scorer:
    """A portal's own classifier, asked over HTTP; the scorer runs only where it has an address."""

    url: str
    """VECHE_SCORER_URL: where comments are POSTed."""
    secret: str
    """VECHE_SCORER_SECRET, or the file that the same with _FILE names; none by default."""
    deadline_ms: int
    """VECHE_SCORER_DEADLINE_MS: of one request."""
    at_once: int
    """VECHE_SCORER_AT_ONCE: requests of one process that wait for an answer."""

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT) -> Scorer:
        scorer = cls(
            url=required(env, "VECHE_SCORER_URL"),
            secret=text_or_file(env, "VECHE_SCORER_SECRET"),
            deadline_ms=whole(env, "VECHE_SCORER_DEADLINE_MS", 2_000),
            at_once=whole(env, "VECHE_SCORER_AT_ONCE", 16),
        )
        if not scorer.url.startswith(("http://", "https://")):
            raise Misconfigured("VECHE_SCORER_URL must begin with http:// or https://")
        if not 1 <= scorer.deadline_ms <= 10_000:
            raise Misconfigured("VECHE_SCORER_DEADLINE_MS must be 1 to 10000 milliseconds")
        if not 1 <= scorer.at_once <= 64:
            raise Misconfigured("VECHE_SCORER_AT_ONCE must be 1 to 64 requests")
        return scorer

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"} if self.secret else {}

    @property
    def shown(self) -> str:
        """The address without what may be secret in it."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def scorer_url(env: Mapping[str, str] = ENVIRONMENT) -> str:
    """VECHE_SCORER_URL, for `veche up`: whether there is a scorer to start."""
    return env.get("VECHE_SCORER_URL", "")


def rules_dir(env: Mapping[str, str] = ENVIRONMENT) -> Path:
    """VECHE_RULES_DIR: the folder of the ruleset; the shipped one by default."""
    return Path(env.get("VECHE_RULES_DIR", str(ROOT / "deploy" / "rules")))


def rules_texts(folder: Path) -> dict[str, str]:
    """The ruleset's texts by name within the folder: `*.yml`, `words/*.txt`, `lists/*.txt`.

    Raises Misconfigured, and BadRuleset of a file that is not UTF-8.
    """
    globs = ("*.yml", "*.yaml", "words/*.txt", "lists/*.txt")
    files = [file for each in globs for file in folder.glob(each)]
    if not files:
        raise Misconfigured(
            f"{folder} holds no rules (*.yml): name another folder, or set VECHE_RULES_DIR"
        )
    return {file.relative_to(folder).as_posix(): text_of(file) for file in files}


def text_of(file: Path) -> str:
    """Raises Misconfigured."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{file} cannot be read: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadRuleset(f"{file.name}:{line}:1: this is not UTF-8: save the file so") from None


def decisions_needed(env: Mapping[str, str] = ENVIRONMENT) -> int:
    """VECHE_MODEL_DECISIONS: approvals and rejections, each, before a site's model is used."""
    return whole(env, "VECHE_MODEL_DECISIONS", 100)


def replayed_comments(env: Mapping[str, str] = ENVIRONMENT) -> int:
    """VECHE_REPLAYED_COMMENTS: the newest comments that a proposed ruleset is replayed over."""
    return whole(env, "VECHE_REPLAYED_COMMENTS", 2_000)


def brakes(env: Mapping[str, str] = ENVIRONMENT) -> Brakes:
    """What stops rules that do too much; 0 switches a brake off."""
    days = whole(env, "VECHE_PROBATION_DAYS", 7)
    if days > MAX_PROBATION_DAYS:
        raise Misconfigured(
            f"VECHE_PROBATION_DAYS must be {MAX_PROBATION_DAYS} at most, not {days}: hits of rules "
            "are kept for 90 days"
        )
    return Brakes(
        rejects_per_hour=whole(env, "VECHE_REJECTS_PER_HOUR", 1_000),
        holds_per_hour=whole(env, "VECHE_HOLDS_PER_HOUR", 0),
        probation_days=days,
        probation_hits=whole(env, "VECHE_PROBATION_HITS", 25),
        probation_percent=whole(env, "VECHE_PROBATION_PERCENT", 5),
    )
