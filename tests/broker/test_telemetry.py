"""Logs: lines that a machine reads, without a person in them; and the trace of each request."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from broker.batcher import Batcher
from broker.outbox.models import OutboxRow
from broker.telemetry import CURRENT, JsonLines, trace_of
from broker.transfers.service import submit_batch
from broker.transfers.submission import Answer, Result, Submitted, content_bytes
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis

VALID = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
DEAREST_LINE = 300e-6


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Collect the lines of the access log, as the service would write them."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines("serve"))
    access = logging.getLogger("broker.access")
    access.addHandler(handler)
    access.setLevel(logging.INFO)
    yield stream
    access.removeHandler(handler)
    access.setLevel(logging.NOTSET)


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_each_request_leaves_one_line(kreis: Kreis, lines: io.StringIO) -> None:
    """Method, template of the route, status, milliseconds, trace; no address, no query, no client."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.headers()
    await jobcenter.get("/v1/transfers/zzyzx-4711", cursor="zzyzx")
    await jobcenter.get("/readyz")
    last = read(lines)[-1]

    assert (last["method"], last["route"], last["status"]) == ("GET", "/v1/transfers/{transfer_id}", 404)
    assert set(last) == {
        *("time", "level", "logger", "message", "role", "request_id"),
        *("method", "route", "status", "ms"),
    }
    assert last["role"] == "serve"
    assert "zzyzx" not in lines.getvalue()
    assert jobcenter.client.client_id not in lines.getvalue()


async def test_a_request_goes_on_with_its_callers_trace(kreis: Kreis, lines: io.StringIO) -> None:
    """A valid traceparent is taken on, so that the sender finds its request in our log; two of them are none."""
    async with kreis.http() as http:
        await http.get("/v1/limits", headers={"traceparent": VALID})
        await http.get("/v1/limits", headers=[("traceparent", VALID), ("traceparent", VALID)])
        await http.get("/v1/limits", headers={"traceparent": "Zzyzx"})
    traces = [line["request_id"] for line in read(lines)]

    assert traces[0] == TRACE
    assert len(set(traces)) == 3
    assert "Zzyzx" not in lines.getvalue()


class Gathering(Batcher):
    """Holds its first batch until two more submissions wait, which so share the next one."""

    def __init__(self, kreis: Kreis) -> None:
        self.sizes: list[int] = []
        self._kreis = kreis
        self._handed_in = 0
        self._three = asyncio.Event()
        super().__init__(self.work, 64, 2**24, content_bytes)

    async def submit(self, submitted: Submitted) -> Answer:
        """Count whoever comes."""
        self._handed_in += 1
        if self._handed_in == 3:
            self._three.set()
        return await super().submit(submitted)

    async def work(self, batch: Sequence[Submitted]) -> list[Result]:
        """Answer a batch as the service does."""
        await self._three.wait()
        self.sizes.append(len(batch))
        return await submit_batch(self._kreis.gateway, batch)


async def test_each_transfer_of_a_batch_travels_with_its_own_trace(kreis: Kreis) -> None:
    """Submissions that share a commit go out under the trace of their own request, none under another's."""
    jobcenter = await kreis.office(JOBCENTER)
    own = await jobcenter.headers() | {"content-type": "application/xml"}
    batcher = kreis.app.state.batcher = Gathering(kreis)
    traces = [f"{number:032x}" for number in (1, 2, 3)]

    async def submitted(trace: str) -> tuple[str, str]:
        headers = own | {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        answer = await jobcenter.http.post("/v1/transfers", content=jobcenter.message(SOZIALAMT), headers=headers)
        return str(answer.json()["transfer_id"]), trace

    sent = dict(await asyncio.gather(*map(submitted, traces)))
    async with kreis.gateway.db.reading() as connection:
        records = (await connection.execute(select(OutboxRow.transfer_id, OutboxRow.headers))).all()
    carried = {row.transfer_id: row.headers["traceparent"].split("-") for row in records}

    assert max(batcher.sizes) >= 2
    assert {transfer: parts[1] for transfer, parts in carried.items()} == sent
    assert len({parts[2] for parts in carried.values()}) == len(traces)
    assert {parts[3] for parts in carried.values()} == {"01"}


async def test_an_internal_error_names_the_trace(kreis: Kreis) -> None:
    """The id in a 500 is that of the trace: sender and data centre speak of the same."""

    def fail() -> None:
        raise RuntimeError

    kreis.app.add_api_route("/v1/limits-fail", fail)
    async with kreis.http() as http:
        answer = await http.get("/v1/limits-fail", headers={"traceparent": VALID})

    assert (answer.status_code, answer.json()["request_id"]) == (httpx.codes.INTERNAL_SERVER_ERROR, TRACE)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        VALID.upper(),
        VALID + " ",
        VALID + "-more",
        VALID.replace("00-", "ff-", 1),
        VALID.replace(TRACE, "0" * 32),
        VALID.replace("00f067aa0ba902b7", "0" * 16),
        VALID[:-1],
    ],
)
def test_what_is_no_traceparent_begins_a_trace(header: str | None) -> None:
    """W3C Trace Context, 3.2: what is not valid is not taken on, not even in part."""
    trace = trace_of(header)

    assert trace.id != TRACE
    assert trace_of(trace.traceparent).id == trace.id


@given(st.text(max_size=80))
@example(VALID.replace("00-", "cc-", 1) + "-what-comes-later")
def test_every_trace_can_be_passed_on(header: str) -> None:
    """Whatever a caller sends, what we pass on is a valid traceparent with a span of our own."""
    trace = trace_of(header)
    again = trace_of(trace.traceparent)

    assert again.id == trace.id
    assert again.span != trace.span
    assert header.isascii() or header not in trace.traceparent


def test_a_line_has_no_text_of_an_exception() -> None:
    """The type of an error is written, never its text, and no member that is not on the list."""
    record = logging.LogRecord("broker.test", logging.ERROR, "", 0, "failed", None, None)
    record.__dict__ |= {"person": "Zzyzx", "agency": "jugendamt-marl"}
    record.exc_info = (ValueError, ValueError("Zzyzx"), None)
    line = JsonLines().format(record)

    assert "Zzyzx" not in line
    assert {"error": "ValueError", "agency": "jugendamt-marl", "level": "error"}.items() <= json.loads(line).items()


def test_a_line_is_cheap() -> None:
    """Writing one access line costs microseconds."""
    record = logging.LogRecord("broker.access", logging.INFO, "", 0, "request", None, None)
    record.__dict__ |= {"method": "POST", "route": "/v1/transfers", "status": 202, "ms": 1.5}
    lines = JsonLines("serve")
    CURRENT.set(trace_of(VALID))

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(500):
            lines.format(record)
        return (time.perf_counter() - began) / 500

    assert min(seconds() for _ in range(5)) < DEAREST_LINE
    CURRENT.set(None)
