"""The envelope of every event that comes in."""

from __future__ import annotations

from functools import cache
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from services.core.events.fields import DiscussionKey, EventId, Instant, Role, Site


class Envelope(Struct, frozen=True, kw_only=True, tag_field="type"):
    """CloudEvents context attributes, and ours beside them (extension attributes, lower case)."""

    id: EventId
    source: str
    """`/sites/{site}`; `source` + `id` is the event's identity."""
    site: Site
    actor: str
    """The reader, moderator or portal on whose behalf this happened: the token's `sub`."""
    time: Instant
    """When the producer says that it happened. Never used for order."""
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"
    actorname: str = ""
    role: Role = "reader"
    occurredat: Instant | UnsetType = UNSET
    """Stated by a site's importer only: serves for display, activity, ranking and windows."""
    traceparent: str | UnsetType = UNSET

    @property
    def key(self) -> DiscussionKey:
        """The discussion that this event belongs to, as `site/discussion`."""
        return DiscussionKey(f"{self.site}/{self.data.discussion}")  # type: ignore[attr-defined]


@cache
def type_name(event: type[Envelope]) -> str:
    """The CloudEvents type that a struct stands for; kept, since msgspec builds it each time."""
    return str(event.__struct_config__.tag)
