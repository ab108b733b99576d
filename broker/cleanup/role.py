"""The role ``cleanup``: now and then, in small transactions that nobody has to wait for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from broker import erasure, metrics
from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.cleanup.ersuchen import ACTOR, end_overdue
from broker.cleanup.months import keep_months
from broker.cleanup.subjects import LOOP, forget_subjects
from broker.cleanup.tasks import TASKS, Task
from broker.db import one_at_a_time
from broker.delivery.in_flight import expire_due, warn_due
from broker.erasure import EraseReason, Erasure, erase
from broker.gateway import Gateway
from broker.keys import KeyFileError
from broker.sealing_keys import keeps_keys, prune, rotate_if_due

log = logging.getLogger(__name__)

WARNED, EXPIRED, OVERDUE = "warned", "expired", "overdue"
SUBJECTS, SIDE = "subjects", "side"
"""What points at persons beside the entries of the evidence."""
DUE = Erasure(EraseReason.FRIST, due=True)
BATCH = 200
PAUSE = 0.05
"""Seconds between two transactions, so that others get their turn."""
PAUSE_AFTER_FAULT = 5.0
BEAT_SECONDS = 15.0
"""So often it says while it rests that it is there; readiness takes a minute's silence for a loop that hangs."""


async def clean_up(gateway: Gateway) -> dict[str, int]:
    """Warn, expire, and delete all whose time is over; return how many of each kind. Sealing keys come and go last."""
    done = {WARNED: await warn_due(gateway), EXPIRED: await expire_due(gateway), OVERDUE: await end_overdue(gateway)}
    for task in TASKS:
        done[task.name] = await _run(gateway, task)
        if done[task.name]:
            log.info("cleaned up", extra={"reason": task.name, "count": done[task.name]})
    done[SIDE] = await erase(gateway, DUE)
    done[SUBJECTS] = await forget_subjects(gateway)
    for kind in (WARNED, EXPIRED, OVERDUE, SIDE, SUBJECTS):
        metrics.cleaned(kind, done[kind])
    await keep_months(gateway)
    await keep_sealing_keys(gateway)
    return done


async def keep_sealing_keys(gateway: Gateway) -> None:
    """Make the next sealing key in time, and delete those that nothing hangs on, where this process keeps the keys.

    A folder that is full or not to be written to does not stop the rest; readiness warns when a key is too old.
    """
    if not keeps_keys(gateway):
        return
    try:
        made = await rotate_if_due(gateway, ACTOR)
        gone = await prune(gateway, ACTOR)
    except (KeyFileError, OSError) as exc:
        log.warning("sealing keys wait for the next time", extra={"error": type(exc).__name__})
        return
    for reason, count in (("sealing-key-made", int(made)), ("sealing-key-deleted", len(gone))):
        if count:
            log.info("kept the sealing keys", extra={"reason": reason, "count": count})


async def what_is_due(gateway: Gateway) -> dict[str, int]:
    """Count what a run would delete, and change nothing."""
    found: dict[str, int] = {}
    now = gateway.clock()
    found[SIDE] = await erasure.count(gateway, DUE)
    async with gateway.db.reading() as connection:
        for task in TASKS:
            due = task.find(task.before(gateway.settings, now)).subquery()
            found[task.name] = int(await connection.scalar(select(func.count()).select_from(due)) or 0)
    return found


async def _run(gateway: Gateway, task: Task) -> int:
    before = task.before(gateway.settings, await gateway.surely())
    done = 0
    while not gateway.halt.requested:
        gateway.pulse.beat(LOOP)
        async with gateway.db.reading() as connection:  # mostly there is nothing, and nobody is held up by looking
            if not await _due(connection, task, before, 1):
                break
        async with gateway.db.writing() as connection:
            count = await _one_batch(connection, gateway, task, before)
        if not count:  # somebody else is at what is left
            break
        done += count
        await gateway.halt.pause(PAUSE)
    return done


async def _due(
    connection: AsyncConnection, task: Task, before: datetime, most: int, *, lock: bool = False
) -> Sequence[Any]:
    found = task.find(before).limit(most)
    return list(await connection.scalars(found.with_for_update(skip_locked=True) if lock else found))


async def _one_batch(connection: AsyncConnection, gateway: Gateway, task: Task, before: datetime) -> int:
    """Delete some of what is due; of two who clean up the later one looks when the earlier one has committed."""
    await one_at_a_time(connection)
    due = await _due(connection, task, before, BATCH, lock=task.locks)
    if due:
        await task.remove(connection, due, before)
        metrics.cleaned(task.name, len(due))
    if due and task.on_record:
        data = {"kind": task.name, "count": len(due), "before": before.isoformat()}
        await append(connection, [AuditEvent("cleanup.done", ACTOR, data=data)], gateway.clock())
    return len(due)


async def run(gateway: Gateway) -> None:
    """Clean up on a schedule until told to halt, or cancelled. Faults of the database are waited out."""
    while not gateway.halt.requested:
        gateway.pulse.beat(LOOP)
        try:
            await clean_up(gateway)
            metrics.cleaned_up(gateway.clock())
            await _rest(gateway, gateway.settings.cleanup_seconds)
        except SQLAlchemyError as exc:
            log.warning("clean-up waits", extra={"error": type(exc).__name__})
            await gateway.halt.pause(PAUSE_AFTER_FAULT)


async def _rest(gateway: Gateway, seconds: float) -> None:
    """Wait, and say meanwhile that this is no silence of a loop that hangs."""
    until = monotonic() + seconds
    while not gateway.halt.requested and (left := until - monotonic()) > 0:
        gateway.pulse.beat(LOOP)
        await gateway.halt.pause(min(left, BEAT_SECONDS))
