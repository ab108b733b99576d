"""The HTTP service: one composition root, given everything it uses."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.routing import Route

from broker import metrics, problems
from broker.access import Access, declared_routes
from broker.attempts.api import router as attempts_router
from broker.audit import sequencer
from broker.auth.api import router as auth_router
from broker.auth.dependencies import authenticate
from broker.batcher import Answer, Asked, Batcher
from broker.body_limit import BodyLimit
from broker.cleanup import role as cleanup_role
from broker.consents.api import router as consents_router
from broker.consents.releases import router as releases_router
from broker.decisions.api import router as decisions_router
from broker.delivery import intake, quittung, worker
from broker.delivery.api import router as delivery_router
from broker.delivery.in_flight import look_again
from broker.delivery.quittung import accept_batch
from broker.description_page import PAGE, PARTS, describe
from broker.directory.api import router as agencies_router
from broker.duties.api import router as duties_router
from broker.gateway import Gateway
from broker.health import Readiness, checks_of, sealing_check
from broker.health import router as health_router
from broker.language import router as language_router
from broker.large_xml import LargeMessages
from broker.law import keeper as law_keeper
from broker.law.api import router as law_router
from broker.law.repository import keep
from broker.observed import Observed
from broker.outbox import relay
from broker.oversight.api import router as oversight_router
from broker.oversight.log_api import router as log_router
from broker.privileges import DbRole
from broker.procedures.api import router as procedures_router
from broker.requests.api import router as requests_router
from broker.subjects.api import router as objections_router
from broker.subjects.events import SubjectEvent
from broker.transfers.api import direct as submitting
from broker.transfers.api import router as transfers_router
from broker.transfers.service import submit_batch
from broker.transfers.submission import content_bytes
from broker.transport.base import Transport, TransportUnavailable

HOUSEKEEPING_SECONDS = 30.0
ROLES_END_SECONDS = 3.0
SHARED_LOCK_MILLISECONDS = 500
"""So long a batch of submissions waits for a lock; an event about a person holds it for some milliseconds."""

log = logging.getLogger(__name__)

TITLE = "Amtsbrücke"
DESCRIPTION = (
    "Übermittelt Sozialdaten zwischen Jobcenter, Sozialamt und Jugendamt, wo das Gesetz es erlaubt, und belegt es. "
    "Anmeldung: OAuth 2.0 client credentials mit private_key_jwt. Fehler: application/problem+json (RFC 9457)."
)

#: What the framework serves of itself: the description, for makers of software; it tells nobody's data.
DESCRIPTION_PATHS = ("/openapi.json", PAGE, PARTS)

#: What is served, in the order in which a path is looked for.
ROUTERS = (
    submitting,
    auth_router,
    transfers_router,
    delivery_router,
    consents_router,
    releases_router,
    objections_router,
    requests_router,
    duties_router,
    procedures_router,
    decisions_router,
    attempts_router,
    agencies_router,
    language_router,
    law_router,
    oversight_router,
    log_router,
    health_router,
)


def create_app(gateway: Gateway, transport: Transport, *, roles: bool = False) -> FastAPI:
    """Put the service together. `roles`: relay and deliver run inside this process as well.

    Raises `Undeclared` where a route says not who may call it.
    """
    roles_gateway, gateway = gateway, gateway.acting(DbRole.GATEWAY)

    @asynccontextmanager
    async def lifespan(starting: FastAPI) -> AsyncIterator[None]:
        deque(iter_route_contexts(starting.routes), 0)  # made its own now, and not while the first request waits
        await keep_catalogue(gateway)
        inside = embedded_roles(roles_gateway, transport) if roles else []
        async with running([law_keeper.run(gateway), *inside], gateway):
            yield
            await app.state.batcher.drain()
            await app.state.quittungen.drain()
            await app.state.large.close()

    app = FastAPI(
        title=TITLE, version="0.1.0", description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    describe(app)
    app.state.gateway = gateway
    app.state.authenticate = authenticate
    app.state.transport = transport
    app.state.readiness = Readiness([*checks_of(gateway), sealing_check(gateway, warns=True)])
    app.state.batcher = batcher_of(gateway, DbRole.GATEWAY, submit_batch, content_bytes)
    app.state.quittungen = batcher_of(gateway, DbRole.DELIVERY, accept_batch, quittung.content_bytes)
    app.state.large = LargeMessages(gateway.settings.xml_seconds)
    app.state.subject_changed = partial(_subject_changed, gateway)
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Observed)
    metrics.know(routes=templates(app), problems=problems.PROBLEMS)
    for router in ROUTERS:
        app.include_router(router)
    accesses(app)
    return app


def accesses(app: FastAPI) -> dict[tuple[str, str], Access]:
    """Return (method, path) → who may call it, of all routes. Raises `Undeclared`.

    Looks at the routers as they are, like `templates`.
    """
    own = [route for route in app.routes if isinstance(route, Route)]
    return declared_routes([*own, *(route for router in ROUTERS for route in router.routes)], DESCRIPTION_PATHS)


def batcher_of(
    gateway: Gateway,
    role: DbRole,
    work: Callable[[Gateway, Sequence[Asked]], Awaitable[list[Answer | Exception]]],
    weigh: Callable[[Asked], int],
) -> Batcher[Asked, Answer]:
    """Return a batcher of a gateway: a lock that is not had soon is waited for beside the others' batches."""
    settings = gateway.settings
    hasty = gateway.acting(role, {"lock_timeout": str(SHARED_LOCK_MILLISECONDS)})
    patient = partial(work, gateway.acting(role))
    return Batcher(partial(work, hasty), settings.batch_size, settings.waiting_bytes, weigh, patient)


def templates(app: FastAPI) -> frozenset[str]:
    """Return the templates of all routes, those of `ROUTERS` and the app's own: what the figures may name.

    Looks at the routers as they are: an app makes each of them its own when the first request asks for one.
    """
    given = [app.routes, *(router.routes for router in ROUTERS)]
    return frozenset(found.path for routes in given for found in iter_route_contexts(routes) if found.path)


async def _subject_changed(gateway: Gateway, connection: AsyncConnection, event: SubjectEvent) -> None:
    await look_again(connection, gateway, event)


async def keep_catalogue(gateway: Gateway) -> None:
    """Keep the law in force under its fingerprint, so that every decision can be taken again on it."""
    law = gateway.law.shipped
    async with gateway.db.writing() as connection:
        await keep(connection, law.fingerprint, law.source_bytes, gateway.clock())


def embedded_roles(gateway: Gateway, transport: Transport) -> list[Awaitable[None]]:
    """Return the relay, the delivery, the sealer and the clean-up, ready to run beside the gateway."""
    carried = [
        relay.run(gateway.acting(DbRole.RELAY), transport),
        deliver(gateway.acting(DbRole.DELIVERY), transport),
    ]
    kept = [sequencer.run(gateway.acting(DbRole.SEALER)), cleanup_role.run(gateway.acting(DbRole.ERASER))]
    return [*carried, *kept]


async def deliver(gateway: Gateway, transport: Transport) -> None:
    """Run the delivery: read all topics of the directory, serve all channels."""
    async with asyncio.TaskGroup() as group:
        group.create_task(law_keeper.run(gateway))
        group.create_task(intake.run(gateway, transport))
        group.create_task(worker.run(gateway))
        group.create_task(keep_house(gateway, transport))


async def keep_house(gateway: Gateway, transport: Transport) -> None:
    """Forget what everybody has read, and shred what was deleted, until told to halt, or cancelled."""
    while not gateway.halt.requested:
        gateway.pulse.beat("housekeeping")
        await gateway.halt.pause(HOUSEKEEPING_SECONDS)
        with suppress(TransportUnavailable, SQLAlchemyError):
            await transport.keep_house()
            await gateway.db.shred()


@asynccontextmanager
async def running(roles: list[Awaitable[None]], gateway: Gateway | None = None) -> AsyncIterator[None]:
    """Run roles as tasks while the body runs; stop them at its end.

    With a `gateway`: one that ends by itself ends the process, and where that is to halt they may end by themselves.
    """
    tasks = [asyncio.ensure_future(role) for role in roles]
    if gateway is not None:
        for task in tasks:
            task.add_done_callback(partial(halt_where_ended, gateway))
    try:
        yield
    finally:
        await let_end(tasks, ROLES_END_SECONDS if gateway and gateway.halt.requested else 0)


def halt_where_ended(gateway: Gateway, task: asyncio.Future[None]) -> None:
    """End the process where a role ended that should have gone on: whoever runs the data centre starts it again."""
    if task.cancelled() or gateway.halt.requested:
        return
    fault = type(task.exception()).__name__ if task.exception() else "EndedByItself"
    log.critical("a role has stopped", extra={"error": fault})
    gateway.stop(fault)


async def let_end(tasks: Sequence[asyncio.Future[None]], seconds: float) -> None:
    """Let tasks end by themselves for some time, then cancel them. Nothing is lost: claims and leases run out."""
    if tasks and seconds:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        if late:
            log.warning("lets go of what it holds", extra={"count": len(late)})
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
