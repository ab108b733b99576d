"""Where one transfer's time goes: each station's functions are called in this process, with a clock around them.

The functions are the service's own, replaced by timed ones in its modules while the measurement runs; the service has
no instrument of its own. *Wall* is what a sender waits for; *loop* is processor time of the thread that runs the event
loop, which all senders share. The difference is waiting for the database's thread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from itertools import islice
from time import perf_counter, thread_time
from typing import Any
from unittest.mock import patch

import orjson
from lxml import etree

from bench.messages import SENDER, messages
from broker.auth.caller import Caller, Role
from broker.auth.tokens import issue, verify_token
from broker.config import Settings
from broker.directory.cache import directory_cache
from broker.gateway import Gateway
from broker.start import open_gateway
from broker.transfers import service
from broker.transfers.preconditions import admit
from broker.transfers.record import Rows
from broker.transfers.submission import ACCEPTED, Answer, Submitted
from schemas import gate, rules
from schemas.limits import DEFAULT_LIMITS
from schemas.message_types import latest
from schemas.xml import validate, warm_up
from schemas.xsd_model import compiled, model

#: Module and name of a function of the service → the station it is shown under.
TIMED: tuple[tuple[Any, str, str], ...] = (
    (service, "seek", "3 pseudonyms and keys to look up"),
    (service, "load_records", "3 locks and records"),
    (service, "facts_of", "3 facts"),
    (service, "decide", "4 decide"),
    (service, "decision_body", "5 answer of the decision"),
    (service, "decision_row", "5 row of the decision, facts as JSON"),
    (service, "entry_of", "5 entry of the evidence"),
    (service, "promise", "5 promise"),
    (service, "add_transfer", "5 seal, wrap, rows"),
    (Rows, "write", "5 insert the rows"),
)
BATCH = "3–5 one batch"
REST = "3–5 the rest (first answers, begin, commit)"


@dataclass(slots=True)
class Clock:
    """Seconds under each name: wall, and processor time of the loop's thread."""

    wall: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    loop: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def under(self, name: str) -> Iterator[None]:
        """Add the time of the body to `name`."""
        wall, loop = perf_counter(), thread_time()
        try:
            yield
        finally:
            self.wall[name] += perf_counter() - wall
            self.loop[name] += thread_time() - loop

    def timed(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return the function with its time added to `name`."""

        async def later(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the function takes and gives
            with self.under(name):
                return await function(*args, **kwargs)

        def at_once(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the function takes and gives
            with self.under(name):
                return function(*args, **kwargs)

        return later if iscoroutinefunction(function) else at_once


@dataclass(frozen=True, slots=True)
class Station:
    """One line: microseconds a transfer."""

    name: str
    wall: float
    loop: float


async def profile(settings: Settings, batch: int, count: int) -> list[Station]:
    """Take `count` transfers through all stations in batches of `batch`; the first batches warm up and do not count."""
    async with open_gateway(settings) as gateway:
        warm_up()
        made = messages()
        await _through(gateway, Clock(), list(islice(made, 4 * batch)), batch)
        clock = Clock()
        await _through(gateway, clock, list(islice(made, count)), batch)
    names = [name for name in clock.wall if name != BATCH]
    inside = [name for _, _, name in TIMED]
    for times in (clock.wall, clock.loop):
        times[REST] = times[BATCH] - sum(times[name] for name in inside)
    names.insert(names.index(inside[-1]) + 1, REST)
    return [Station(name, clock.wall[name] / count * 1e6, clock.loop[name] / count * 1e6) for name in names]


async def _through(gateway: Gateway, clock: Clock, contents: Sequence[bytes], batch: int) -> None:
    caller = Caller("bench", Role.INSTANCE, SENDER)
    token = issue(gateway, caller)
    with ExitStack() as stack:
        for owner, attribute, name in TIMED:
            timed = clock.timed(getattr(owner, attribute), name)
            stack.enter_context(patch.object(owner, attribute, timed))
        for start in range(0, len(contents), batch):
            admitted = [await _one(gateway, clock, token, content) for content in contents[start : start + batch]]
            with clock.under(BATCH):
                results = await service.submit_batch(gateway, admitted)
            for result in results:
                _answered(clock, result)


async def _one(gateway: Gateway, clock: Clock, token: str, content: bytes) -> Submitted:
    with clock.under("1 access token, remembered"):
        caller = await verify_token(gateway, token)
    with clock.under("2 XML gate"):
        payload = validate(content)
    with clock.under("2 directory, time, purpose"):
        return admit(gateway, await directory_cache(gateway).current(), caller, payload, only_check=False)


def _answered(clock: Clock, result: Answer | Exception) -> None:
    if not isinstance(result, Answer) or result.status != ACCEPTED:
        raise RuntimeError(f"a message of the measurement was not permitted: {result!r}")
    with clock.under("answer as JSON"):
        orjson.dumps(result.body)


def xml_gate(count: int) -> list[tuple[str, float]]:
    """Measure the parts of the XML gate, and the same XSD by xmlschema: name and microseconds a message."""
    warm_up()
    kind = latest("uebermittlung")
    contents = list(islice(messages(), count))
    schema, objects = compiled(kind), model(kind)
    roots = [etree.fromstring(content) for content in contents]
    few = contents[: max(count // 10, 3)]
    return [
        ("whole gate", _each(validate, contents)),
        ("– bytes: forbidden markup, limits (expat)", _each(lambda c: gate.check(c, DEFAULT_LIMITS), contents)),
        ("– parse (libxml2)", _each(etree.fromstring, contents)),
        ("– XSD (libxml2)", _each(schema.validate, roots)),
        ("– further rules", _each(lambda r: rules.broken(r, kind.name), roots)),
        ("instead: XSD by xmlschema", _each(lambda c: objects.validate(c.decode()), few)),
    ]


def _each(function: Callable[[Any], Any], arguments: Sequence[Any]) -> float:
    function(arguments[0])
    begin = perf_counter()
    for argument in arguments:
        function(argument)
    return (perf_counter() - begin) / len(arguments) * 1e6
