"""Figures: named in the docs, closed in their labels, cheap."""

from __future__ import annotations

import re
import time
from itertools import pairwise

from fastapi.routing import iter_route_contexts
from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase

from broker import metrics
from broker.app import templates
from broker.cleanup import role
from broker.cleanup.tasks import TASKS
from broker.health import Readiness
from broker.lifecycle.states import State
from broker.ops import Figures
from broker.problems import PROBLEMS
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, SOZIALAMT, Kreis
from tests.house.source import ROOT

PAGE = ROOT / "docs" / "metrics.md"
DEAREST_OBSERVATION = 20e-6
"""Ten times what is wanted: a machine that does other things too must not fail."""


def declared() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return name, kind, labels and meaning of each metric that the service collects itself."""
    found = {c for c in metrics.REGISTRY._collector_to_names if isinstance(c, MetricWrapperBase)}
    families = [(next(iter(c.describe())), tuple(c._labelnames)) for c in found]
    return [
        (f.name + ("_total" if f.type == "counter" else ""), f.type, labels, f.documentation) for f, labels in families
    ]


def sample(name: str) -> float:
    """Return the value of one sample of this process, 0 where it is not there yet."""
    text = generate_latest(metrics.REGISTRY).decode()
    found = re.search(rf"^amtsbruecke_{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def looked_up(kreis: Kreis) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return the same of each metric that is looked up when it is asked for."""
    families = Figures(kreis.gateway, Readiness([])).collect()
    return [(f.name, f.type, tuple(f._labelnames), f.documentation) for f in families]


async def test_page_lists_every_metric_and_no_other(kreis: Kreis) -> None:
    """docs/metrics.md is the registry, line by line."""
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {text} |"
        for name, kind, labels, text in sorted(declared() + looked_up(kreis))
    ]
    written = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `amtsbruecke_")]

    assert written == rows, "\n".join(rows)


async def test_every_label_has_a_closed_set(kreis: Kreis) -> None:
    """Each label of each metric takes its values from a set that the code names; agency ids are the one exception."""
    labels = {label for _, _, names, _ in declared() + looked_up(kreis) for label in names}
    open_ones = {label for label in labels - {"check"} if metrics.allowed(label) is None}

    assert labels - {"check"} <= {*metrics.LABELS, "route", "type"}
    assert open_ones == {"agency"}


def test_states_are_those_of_a_transfer() -> None:
    """The states that the figures know are the states there are."""
    assert tuple(state.value for state in State) == metrics.STATES


def test_kinds_are_those_of_the_clean_up() -> None:
    """What the clean-up counts has its place in the closed set, and nothing else has."""
    others = {role.WARNED, role.EXPIRED, role.OVERDUE, role.SIDE, role.SUBJECTS}
    assert {task.name for task in TASKS} | others == set(metrics.CLEANED)


async def test_strangers_words_become_other(kreis: Kreis) -> None:
    """A method, route, status or problem that is not ours makes no label, and nothing is kept for it."""
    kept = len(metrics._request)
    for number in range(50):
        metrics.request_began()
        metrics.request_ended(f"ZZYZX{number}", f"/v1/Zzyzx{number}", 200, 0.001)
        metrics.problem(f"zzyzx{number}")

    assert "zzyzx" not in generate_latest(metrics.REGISTRY).decode().lower()
    assert len(metrics._request) <= kept + 1
    assert templates(kreis.app) == {found.path for found in iter_route_contexts(kreis.app.routes)}
    assert metrics.allowed("type") == {*PROBLEMS, metrics.OTHER}


async def test_rules_and_dashboard_name_routes_that_exist(kreis: Kreis) -> None:
    """A rule on a route that nothing serves never fires."""
    text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "deploy").rglob("*.*ml"))
    named = set(re.findall(r'route="([^"]+)"', text))

    assert named
    assert named <= templates(kreis.app)


def test_buckets_grow() -> None:
    """Buckets of a histogram are in order."""
    assert all(low < high for buckets in (metrics.FAST, metrics.SIZES) for low, high in pairwise(buckets))


def test_observing_is_cheap() -> None:
    """One observation costs microseconds: figures never weigh on a transfer."""

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(2000):
            with metrics.station("decided"):
                pass
        return (time.perf_counter() - began) / 2000

    assert min(seconds() for _ in range(5)) < DEAREST_OBSERVATION


async def test_requests_are_counted_by_their_template(kreis: Kreis) -> None:
    """A request counts under the template of its route, a path that nothing serves under ``other``."""
    async with kreis.http() as http:
        await http.get("/v1/transfers/4711-zzyzx")
        await http.get("/zzyzx/4711")
        await http.get("/livez")
    text = generate_latest(metrics.REGISTRY).decode()

    assert re.search(r'requests_total\{method="GET",route="/v1/transfers/\{transfer_id\}",status="4xx"\}', text)
    assert re.search(r'requests_total\{method="GET",route="other",status="4xx"\}', text)
    assert re.search(r'requests_total\{method="GET",route="/livez",status="2xx"\}', text)
    assert "zzyzx" not in text


async def test_a_transfer_is_seen_at_each_station(kreis: Kreis) -> None:
    """A transfer on its whole way moves the figures of all seven stations, of its states and of its outcome."""
    names = [f'station_seconds_count{{station="{name}"}}' for name in metrics.STATIONS]
    names += [f'transfers_total{{state="{s}"}}' for s in ("accepted", "published", "handing_over", "acknowledged")]
    names += ['submissions_total{outcome="accepted"}', "batch_size_count"]
    before = [sample(name) for name in names]
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    await kreis.pump()
    sozialamt = await kreis.office(SOZIALAMT)
    [item] = await sozialamt.inbox()
    await sozialamt.answer(item)
    after = [sample(name) for name in names]

    assert [name for name, was, now in zip(names, before, after, strict=True) if now <= was] == []
    assert sample("batcher_queued_bytes") == 0


async def test_a_hand_over_that_fails_counts_as_a_retry(kreis: Kreis) -> None:
    """A broken share is seen in the figures, not only in the log."""
    before = sample("delivery_retries_total")
    await (await kreis.office(JOBCENTER)).accepted(f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII")
    share = next((kreis.gateway.settings.data_dir / "folders").iterdir())
    share.rename(share.with_name("aside"))
    await kreis.pump()

    assert sample("delivery_retries_total") == before + 1
