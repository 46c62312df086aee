"""Starts the demonstration's issuer, and opens the sample discussions through the public API."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from contextlib import AsyncExitStack, suppress

import httpx

from services.core import lifecycle, probes, settings
from services.demo.app import create_app
from services.demo.issuer import Issuer
from services.demo.seed import open_samples

log = logging.getLogger("services.demo")


def now() -> int:
    return int(time.time())


async def run() -> None:
    secret = settings.secret("VECHE_DEMO_SECRET")
    http = settings.Http.read(port=8084)
    probing = settings.Probes.read(port=9096)
    demo = settings.Demo.read()
    issuer = Issuer(secret)
    stop = await lifecycle.until_signal()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            probes.serve(probes.probes_app(lambda: None, lambda: None), probing.host, probing.port)
        )
        await stack.enter_async_context(probes.serve(create_app(issuer, now), http.host, http.port))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=demo.origin, timeout=5))
        samples = asyncio.create_task(open_samples(client, lambda: issuer.portal(now()).token))
        await stop.wait()
        samples.cancel()
        with suppress(asyncio.CancelledError):
            await samples


if __name__ == "__main__":
    sys.exit(lifecycle.start(run))
