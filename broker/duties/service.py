"""Say that a duty is done; in the caller's transaction, with evidence."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit import log
from broker.audit.events import AuditEvent
from broker.auth.caller import Caller, Role
from broker.clock import day_of
from broker.duties import repository
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.subjects.checks import not_after


class DoneIn(BaseModel):
    """That a duty is done, or has fallen away (the person knows already, Art. 14 Abs. 5 DSGVO; § 82a Abs. 1 SGB X)."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    done_on: date | None = Field(
        default=None, description="ohne Angabe: heute; nicht in der Zukunft, nicht vor `arose`"
    )
    how: Literal["ERFUELLT", "ENTFALLEN"] = "ERFUELLT"


async def end_duty(connection: AsyncConnection, gateway: Gateway, caller: Caller, duty_id: str, done: DoneIn) -> None:
    """Note that the calling instance has done its duty; again changes nothing.

    Raises `ProblemError`: ``not-found`` (also for another's duty), ``invalid-request``, ``wrong-role``.
    """
    instance, now = caller.as_instance(), gateway.clock()
    row = await visible_duty(connection, caller, duty_id)
    on = done.done_on or day_of(now)
    not_after("done_on", on, day_of(now), "Der Tag liegt in der Zukunft.")
    not_after("done_on", row.arose, on, "Der Tag liegt vor dem, an dem die Pflicht entstand.")
    if not await repository.end_duty(connection, duty_id, on, done.how, now):
        return
    data = {"duty": row.duty, "decision": row.decision_id, "due": row.due.isoformat()}
    data |= {"done_on": on.isoformat(), "how": done.how}
    side = {"client": caller.client_id}
    event = AuditEvent("duty.done", caller.actor, instance, None, row.transfer_id, data, side)
    await log.append(connection, [event], now)


async def visible_duty(connection: AsyncConnection, caller: Caller, duty_id: str) -> Any:  # noqa: ANN401 - a Row
    """Return a duty that binds the calling instance, or an instance of the officer's agency.

    Raises ``not-found``, for another's duty too.
    """
    row = await repository.duty(connection, duty_id)
    own = caller.agency if caller.role is Role.OFFICER else caller.as_instance()
    if row is None or own != (row.agency if caller.role is Role.OFFICER else row.bound):
        raise ProblemError("not-found", "Diese Pflicht gibt es für diesen Zugang nicht.")
    return row
