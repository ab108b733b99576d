"""The measurements run from end to end, and their messages and arithmetic are right."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from bench.__main__ import _costs_table
from bench.figures import BEGIN, END, percentile, spread, table, write_page
from bench.load import Connection, Taken, request_of
from bench.messages import CATEGORIES, messages
from bench.rounds import STATIONS, WHOLE, Round
from schemas.xml import require_identities, validate
from tests.house.source import ROOT
from tests.servers.postgres import shared_postgres


def test_a_quick_measurement_prints_all_tables() -> None:
    """Real servers, real load and the stations; nothing is refused, and each table is there."""
    environment = os.environ | {"AMTSBRUECKE_TEST_POSTGRES": shared_postgres()}
    command = [sys.executable, "-m", "bench", "--quick"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    heads = (
        "| closed loop",
        "| processor ms",
        "| open loop",
        "| goal",
        "| µs a transfer",
        "| processor µs",
        "| XML, 6 kB",
    )
    assert [head for head in heads if head not in done.stdout] == []
    assert str(ROOT) not in done.stdout


def test_messages_are_valid_and_share_no_person() -> None:
    """Each message passes the gate, is about 6 kB, and has ids, a case and persons of its own."""
    found = [validate(content) for content in islice(messages(), 50)]
    assert all(5_500 < len(payload.content) < 6_500 for payload in found)
    assert all(len(payload.blocks) == 2 * len(CATEGORIES) for payload in found)
    for payload in found:
        require_identities(payload)
    persons = [(p.identity.family_name, p.identity.birth_date) for f in found for p in f.persons if p.identity]
    assert len(set(persons)) == len(persons) == 100
    assert len({payload.head.message_id for payload in found}) == len({p.head.case_sender for p in found}) == 50


def test_two_runs_share_no_person() -> None:
    """A second run against the same data meets nobody whom the first has sent."""
    first, second = (validate(next(messages())).persons[0].identity for _ in range(2))
    assert first != second


def test_the_connection_reads_answers_however_they_are_cut() -> None:
    """Bytes that come one by one, and answers one after the other on one connection, are read as they were meant."""
    connection, statuses = Connection(), []
    connection.done = lambda c: statuses.append((c.status, bytes(c.body)))
    for answer in (b"HTTP/1.1 202 A\r\ncontent-length: 2\r\n\r\nok", b"HTTP/1.1 403 B\r\ncontent-length: 0\r\n\r\n"):
        connection.send(b"", 0.0)
        for byte in answer:
            connection.data_received(bytes([byte]))
    assert statuses == [(202, b"ok"), (403, b"")]


def test_a_refusal_is_counted_and_its_body_kept() -> None:
    """What is not 2xx counts as refused, and the first such body is there to be shown."""
    taken, connection = Taken(), Connection()
    for connection.status, body in ((202, b"fine"), (403, b"first"), (500, b"second")):
        connection.body[:] = body
        taken.note(connection)
    assert (taken.refused, taken.odd_body, len(taken.latencies)) == (2, b"first", 3)


def test_a_request_tells_its_length_and_token() -> None:
    """A request is complete HTTP/1.1; without a token it has no such field."""
    request = request_of("/v1/transfers", "ä".encode(), "abc")
    assert b"Content-Length: 2\r\n" in request
    assert b"Authorization: Bearer abc\r\n" in request
    assert request.endswith("\r\n\r\nä".encode())
    assert b"Authorization" not in request_of("/v1/transfers", b"")


def test_percentiles_and_spreads() -> None:
    """Percentiles are in milliseconds; a spread is median, least and most; what was not measured is a dash."""
    assert percentile([n / 1000 for n in range(101)], 99) == pytest.approx(99)
    assert percentile([0.5], 50) == pytest.approx(500)
    assert spread([3.0, 1.0, 2.0]) == "2.0 (1.0–3.0)"
    assert spread([1234.5], 0) in {"1,234", "1,235"}
    assert spread([None]) == "–"


def test_what_a_station_costs_is_taken_round_by_round() -> None:
    """Costs are differences between rounds that ran together, so that a slow quarter of an hour does not count."""
    station = STATIONS[0]
    whole = [Round([0.0], 1.0, {"gateway": 0.005 + slow, "load generator": 1.0}, None) for slow in (0.0, 0.5)]
    without = [Round([0.0], 1.0, {"gateway": 0.003 + slow, "load generator": 2.0}, None) for slow in (0.0, 0.5)]
    line = next(line for line in _costs_table({WHOLE: whole, station: without}).splitlines() if "authentic" in line)
    assert line.split("|")[2].strip() == line.split("|")[4].strip() == "2.00 (2.00–2.00)"


def test_a_table_is_aligned() -> None:
    """All lines have one length; the first column stands to the left, the others to the right."""
    lines = table(("name", "a second"), [("whole", "1"), ("x", "1,000")]).splitlines()
    assert lines == ["| name  | a second |", "| ----- | -------: |", "| whole |        1 |", "| x     |    1,000 |"]


def test_figures_replace_figures_alone(tmp_path: Path) -> None:
    """Writing keeps the page around the markers; a page without them is refused and stays as it is."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    write_page("new", page)
    assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    page.write_text("no markers", encoding="utf-8")
    with pytest.raises(ValueError, match="no lines"):
        write_page("new", page)
    assert page.read_text(encoding="utf-8") == "no markers"
