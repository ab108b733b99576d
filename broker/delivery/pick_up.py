"""What an office has left in its channel: quittungen, some at a time, each group in one commit and then put away."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from itertools import islice

from adapters.base import DeliveryError, ReceivedQuittung
from broker.delivery.bringing import Office, longest
from broker.delivery.quittung import Accepted, Brought, accept_quittungen
from broker.errors import ProblemError
from broker.gateway import Gateway
from schemas.errors import SchemasError
from schemas.xml import validate_quittung

log = logging.getLogger(__name__)

TOGETHER = 32
"""So many share a commit. Another process that picks up at the same time sees after each group what is left."""


async def pick_up(gateway: Gateway, office: Office) -> int:
    """Take in a group of the quittungen that an office has left; return how many. Who calls again gets the next."""
    run, seconds = office.strand.run, longest(gateway)
    try:
        received = await run(lambda: list(islice(office.adapter.collect(gateway.clock()), TOGETHER)), seconds)
        reasons = await _take_in(gateway, office.agency, received)
        await run(partial(_put_away, received, reasons), seconds)
    except DeliveryError as exc:
        log.warning("pick-up failed", extra={"agency": office.agency, "reason": exc.reason_code})
        return 0
    return len(received)


async def _take_in(gateway: Gateway, agency: str, received: Sequence[ReceivedQuittung]) -> list[str | None]:
    """Let quittungen count in one commit; return why each does not (None: it does)."""
    read = [_read(agency, one) for one in received]
    brought = [one for one in read if isinstance(one, Brought)]
    if not brought:
        return [one for one in read if isinstance(one, str)]
    async with gateway.db.writing() as connection:
        results = iter(await accept_quittungen(connection, gateway, brought))
    return [one if isinstance(one, str) else _reason(next(results)) for one in read]


def _read(agency: str, received: ReceivedQuittung) -> Brought | str:
    """Return a quittung as it counts, or the reason code why it cannot."""
    try:
        quittung = validate_quittung(received.content)
    except SchemasError:
        return "schema-violation"
    return Brought(quittung, agency) if quittung.sender.unit in received.units else "wrong-unit"


def _reason(result: Accepted | Exception) -> str | None:
    if isinstance(result, ProblemError):
        return result.slug
    if isinstance(result, Exception):
        raise result
    return None


def _put_away(received: Sequence[ReceivedQuittung], reasons: Sequence[str | None]) -> None:
    """Put each where it belongs, after the commit: one that dies in between comes again, and is the same again."""
    for quittung, reason in zip(received, reasons, strict=True):
        quittung.settle(reason)
