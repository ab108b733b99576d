"""Figures of the running service, in Prometheus' text format; ``docs/metrics.md`` lists them all.

A label takes its values from a closed set (`LABELS`); what is not in it counts as ``other``. So no name, no case and no
client can become a label. The only open set, agency ids, is that of the directory: public offices.

Observing costs about a microsecond: the children of all labels are made once, and looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from time import perf_counter
from types import TracebackType
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consent.decision import RefusalKind

REGISTRY: Final = CollectorRegistry()
OTHER: Final = "other"

STATIONS: Final = ("received", "understood", "gathered", "decided", "recorded", "published", "handed_over")
ROLES: Final = ("serve", "relay", "deliver", "seal", "cleanup")
LOOPS: Final = ("relay", "intake", "delivery", "housekeeping", "sealing", "cleanup", "law")
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
STATUS_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
REFUSED: Final = {kind.value: f"refused_{kind.value}" for kind in RefusalKind}
#: The states of a transfer; a test compares them with `broker.lifecycle.states`, which lies above.
STATES: Final = (
    *("accepted", "publishing", "published", "handing_over", "delivered", "acknowledged", "processed"),
    *("rejected", "returned", "withdrawn", "recalled", "expired", "dead", "discarded"),
)
#: What the clean-up counts; a test compares them with `broker.cleanup`, which lies above.
CLEANED: Final = (
    *("warned", "expired", "keys", "payloads", "outbox", "assertions", "submissions", "transfers", "decisions"),
    *("consents", "stops", "side", "overdue", "ersuchen", "subjects", "counted", "attempts"),
)
OUTCOMES: Final = ("accepted", "checked", "repeated", "failed", *REFUSED.values())

#: What each label may say; None: agency ids of the directory.
LABELS: Final[Mapping[str, tuple[str, ...] | None]] = {
    "station": STATIONS,
    "role": ROLES,
    "loop": LOOPS,
    "method": METHODS,
    "status": STATUS_CLASSES,
    "outcome": OUTCOMES,
    "state": STATES,
    "kind": CLEANED,
    "agency": None,
}

FAST: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

_REQUESTS: Final = Counter(
    "amtsbruecke_requests_total",
    "Answered HTTP requests, by method, template of the route and class of the status.",
    ("method", "route", "status"),
    registry=REGISTRY,
)
_REQUEST_SECONDS: Final = Histogram(
    "amtsbruecke_request_seconds",
    "Seconds from a request's first byte to the end of its answer, by template of the route.",
    ("route",),
    buckets=FAST,
    registry=REGISTRY,
)
_OPEN_REQUESTS: Final = Gauge(
    "amtsbruecke_requests_open",
    "Requests that are being answered now; long polls are among them.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
_PROBLEMS: Final = Counter(
    "amtsbruecke_problems_total", "Answers that were problems (RFC 9457), by type.", ("type",), registry=REGISTRY
)
_SUBMISSIONS: Final = Counter(
    "amtsbruecke_submissions_total",
    "Submissions and checks by outcome: accepted, checked, repeated, failed, or refused with its kind.",
    ("outcome",),
    registry=REGISTRY,
)
_STATION_SECONDS: Final = Histogram(
    "amtsbruecke_station_seconds",
    "Seconds that one station took: of one message (received, understood, decided) or of a batch of them.",
    ("station",),
    buckets=FAST,
    registry=REGISTRY,
)
_STATES: Final = Counter(
    "amtsbruecke_transfers_total",
    "Transfers that entered a state: accepted, published, handing_over, acknowledged, dead and so on.",
    ("state",),
    registry=REGISTRY,
)
_BATCH_SIZE: Final = Histogram(
    "amtsbruecke_batch_size", "Submissions that shared one commit.", buckets=SIZES, registry=REGISTRY
)
_BATCHER_BYTES: Final = Gauge(
    "amtsbruecke_batcher_queued_bytes",
    "Bytes of messages that are read, wait for a shared commit, or are in it.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
_RETRIES: Final = Counter(
    "amtsbruecke_delivery_retries_total", "Hand-overs that failed and will be tried again.", registry=REGISTRY
)
_CLEANED: Final = Counter(
    "amtsbruecke_cleaned_total",
    "What the clean-up ended or deleted because its time was over, by kind.",
    ("kind",),
    registry=REGISTRY,
)
_CLEANED_UP: Final = Gauge(
    "amtsbruecke_cleanup_done_timestamp_seconds",
    "When a clean-up of this process last came to its end (Unix time); 0: none has.",
    multiprocess_mode="livemax",
    registry=REGISTRY,
)
_LAG: Final = Gauge(
    "amtsbruecke_consumer_lag",
    "Records on an agency's topics in Kafka that this process has not read yet; add up the processes.",
    ("agency",),
    multiprocess_mode="livemax",
    registry=REGISTRY,
)
_STATION = {name: _STATION_SECONDS.labels(name) for name in STATIONS}
_STATE = {name: _STATES.labels(name) for name in STATES}
_CLEAN = {name: _CLEANED.labels(name) for name in CLEANED}
_OUTCOME = {name: _SUBMISSIONS.labels(name) for name in OUTCOMES}
_ROUTES: set[str] = set()
_PROBLEM_TYPES: set[str] = set()
_request: dict[tuple[str, str, str], Counter] = {}
_seconds: dict[str, Histogram] = {}


def know(*, routes: Iterable[str] = (), problems: Iterable[str] = ()) -> None:
    """Close the sets of route templates and of problem types, which the service alone knows; called at start."""
    _ROUTES.update(routes)
    _PROBLEM_TYPES.update(problems)
    for slug in _PROBLEM_TYPES:
        _PROBLEMS.labels(slug)


def allowed(label: str) -> frozenset[str] | None:
    """Return what a label may say, ``other`` among it; None for the ids of agencies."""
    known: Iterable[str] | None = {"route": _ROUTES, "type": _PROBLEM_TYPES}.get(label) or LABELS[label]
    return None if known is None else frozenset({*known, OTHER})


def request_began() -> None:
    """Count a request that is being answered."""
    _OPEN_REQUESTS.inc()


def request_ended(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answered request. `route` is the template; `seconds` is what it took."""
    key = (method, route, f"{status // 100}xx")
    counter = _request.get(key)
    if counter is None:
        route = route if route in _ROUTES else OTHER
        method = method if method in METHODS else OTHER
        # An unknown method or route makes no key of its own: who asks would choose how much is kept.
        key = (method, route, key[2] if key[2] in STATUS_CLASSES else OTHER)
        counter = _request.setdefault(key, _REQUESTS.labels(*key))
        _seconds.setdefault(route, _REQUEST_SECONDS.labels(route))
    _OPEN_REQUESTS.dec()
    counter.inc()
    _seconds[key[1]].observe(seconds)


def problem(slug: str) -> None:
    """Count an answer that was a problem, by the last part of its type."""
    _PROBLEMS.labels(slug if slug in _PROBLEM_TYPES else OTHER).inc()


def submission(outcome: str) -> None:
    """Count a submission by its outcome (one of `OUTCOMES`)."""
    _OUTCOME[outcome].inc()
    if outcome == "accepted":
        entered("accepted")


def entered(state: str, count: int = 1) -> None:
    """Count transfers that entered a state; told while their transaction still runs."""
    _STATE[state].inc(count)


def batch(size: int) -> None:
    """Note how many submissions share a commit."""
    _BATCH_SIZE.observe(size)


def batcher_holds(count: int) -> None:
    """Say how many bytes the messages have for which the batcher holds room."""
    _BATCHER_BYTES.set(count)


def delivery_retry() -> None:
    """Count a hand-over that will be tried again."""
    _RETRIES.inc()


def cleaned(kind: str, count: int) -> None:
    """Count what the clean-up ended or deleted; `kind` is one of `CLEANED`."""
    _CLEAN[kind].inc(count)


def cleaned_up(at: datetime) -> None:
    """Note when a whole run of the clean-up came to its end."""
    _CLEANED_UP.set(at.timestamp())


def consumer_lag(agency: str, records: int) -> None:
    """Say how many records of an agency's topic are not read yet."""
    _LAG.labels(agency).set(records)


class station:  # noqa: N801 - reads as the word it is: ``with station("decided"):``
    """Time one station: ``with station("decided"): …``. The time of what fails counts too."""

    __slots__ = ("_began", "_child")

    def __init__(self, name: str) -> None:
        """Name one of `STATIONS`."""
        self._child = _STATION[name]

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.observe(perf_counter() - self._began)
