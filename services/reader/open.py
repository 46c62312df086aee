"""A response that is a stream: takes a place, joins a channel, and writes until the end."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Response
from starlette import types

from services.core.events import Version
from services.reader.broadcast import Broadcaster, Channel, Places
from services.reader.wire import HEADERS, serve


class OpenStream(Response):
    """`first(channel)` gives the version that the client holds after what is sent at once.

    Asked with the subscription already open, so that nothing falls in between.
    """

    def __init__(
        self,
        broadcaster: Broadcaster,
        places: Places,
        key: str,
        first: Callable[[Channel], tuple[Version | None, bytes]],
    ) -> None:
        super().__init__()
        self._broadcaster = broadcaster
        self._places = places
        self._key = key
        self._first = first
        if places.left == 0:
            raise places.full()

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        with (
            self._places.take(),
            self._broadcaster.subscribe(self._key) as (channel, subscriber),
        ):
            if scope["method"] == "HEAD":
                await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
                await send({"type": "http.response.body", "body": b""})
                return
            subscriber.holds, first = self._first(channel)
            await serve(scope, receive, send, subscriber, first, HEADERS)
