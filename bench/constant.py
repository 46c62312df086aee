"""The other side of `feed_read` and `ingest`: the same HTTP server with nothing behind it.

    python -m bench.constant PORT FILE
FILE is JSON: {"status", "headers": [[name, value]…], "body": base64}. Whatever is asked, it answers
that; it reads the request's body first, as a server must.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import uvloop

from services.core import lifecycle, probes


async def main(port: int, stated: dict[str, Any]) -> None:
    headers = [(name.encode(), value.encode()) for name, value in stated["headers"]]
    start = {"type": "http.response.start", "status": stated["status"], "headers": headers}
    body = {"type": "http.response.body", "body": base64.b64decode(stated["body"])}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        if scope["method"] == "POST":
            while (await receive()).get("more_body"):
                pass
        # A copy: the server adds to what it is given.
        await send({**start, "headers": list(headers)})
        await send(dict(body))

    stop = await lifecycle.until_signal()
    async with probes.serve(app, "127.0.0.1", port, send_buffer_bytes=stated.get("buffer")):
        await stop.wait()


if __name__ == "__main__":
    port, file = sys.argv[1:]
    stated = json.loads(Path(file).read_text())
    uvloop.run(main(int(port), stated))
