"""Probes: what a process says of itself, and the server that leaves signals alone."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket

import httpx
import pytest
from prometheus_client import REGISTRY

from services.core import lifecycle, metrics
from services.core.errors import Misconfigured
from services.core.probes import probes_app, serve


async def test_live_and_ready_answer_503_with_the_reason() -> None:
    reasons: dict[str, str | None] = {"live": None, "ready": "not in the group yet"}
    app = probes_app(lambda: reasons["live"], lambda: reasons["ready"])
    async with (
        serve(app, "127.0.0.1", 0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert (await client.get("/livez")).status_code == 200
        waiting = await client.get("/readyz")
        assert (waiting.status_code, waiting.text) == (503, "not in the group yet\n")
        reasons["ready"] = None
        assert (await client.get("/readyz")).text == "ok\n"
        exposition = await client.get("/metrics")
        assert "veche_records_total" in exposition.text
        assert exposition.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert (await client.get("/docs")).status_code == 404


async def test_a_taken_port_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"port {port} on 127.0.0.1 is taken"):
            async with serve(probes_app(lambda: None, lambda: None), "127.0.0.1", port):
                pass


async def test_the_send_buffer_of_connections_is_bounded() -> None:
    sizes: list[int] = []

    async with serve(
        probes_app(lambda: None, lambda: None), "127.0.0.1", 0, send_buffer_bytes=32_768
    ) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"ok\n")
        own = writer.get_extra_info("sockname")
        for found in gc.get_objects():
            if isinstance(found, asyncio.selector_events._SelectorSocketTransport):  # type: ignore[attr-defined]
                sock = found.get_extra_info("socket")
                if sock is not None and found.get_extra_info("peername") == own:
                    sizes.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
        writer.close()
        await writer.wait_closed()
    assert sizes == [65_536]  # Linux doubles what it is told


async def test_a_signal_sets_the_event_and_the_server_does_not_take_it() -> None:
    stop = await lifecycle.until_signal()
    async with serve(probes_app(lambda: None, lambda: None), "127.0.0.1", 0):
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 5)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_the_lag_of_the_loop_is_sampled() -> None:
    before = metrics.LOOP_LAG_SECONDS._sum.get()
    async with lifecycle.loop_lag(0.01):
        await asyncio.sleep(0.03)
        for _ in range(100):
            if metrics.LOOP_LAG_SECONDS._sum.get() > before:
                break
            await asyncio.sleep(0.01)
    assert metrics.LOOP_LAG_SECONDS._sum.get() > before


async def test_the_tasks_of_the_loop_are_counted_when_they_are_asked_for() -> None:
    async with lifecycle.loop_lag():
        before = REGISTRY.get_sample_value("veche_loop_tasks")
        assert before
        more = [asyncio.create_task(asyncio.sleep(60)) for _ in range(7)]
        assert REGISTRY.get_sample_value("veche_loop_tasks") == before + 7
        for task in more:
            task.cancel()
        await asyncio.gather(*more, return_exceptions=True)
        assert REGISTRY.get_sample_value("veche_loop_tasks") == before
