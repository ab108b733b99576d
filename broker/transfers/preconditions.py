"""What is refused early and cheaply, before any rule runs: wrong sender, unknown address or purpose, old message."""

from __future__ import annotations

from datetime import timedelta

from broker.auth.caller import Caller
from broker.clock import day_of, timestamp
from broker.directory.cache import Directory
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway
from broker.ids import new_id
from broker.telemetry import CURRENT, trace_of
from broker.transfers.submission import Submitted
from schemas.identifiers import Instance
from schemas.message import Head, ValidatedPayload
from schemas.xml import require_identities

URGENT_PURPOSES = frozenset({"KINDERSCHUTZ"})
"""What must not wait for the sealer as others must (§ 8a SGB VIII)."""
KREIS_AND_TOWN = 8
"""An AGS of eight digits is a town's, one of five the Kreis's."""


def admit(
    gateway: Gateway, directory: Directory, caller: Caller, payload: ValidatedPayload, *, only_check: bool
) -> Submitted:
    """Return the submission that may go on to the facts.

    Raises the problems ``wrong-instance``, ``unknown-agency``, ``no-route``, ``message-too-old``, ``unknown-purpose``,
    and `SchemaViolation` where a person has no identity.
    """
    head = payload.head
    if str(head.sender) != caller.as_instance():
        raise ProblemError(
            "wrong-instance",
            "Absender der Nachricht ist eine andere Instanz als die angemeldete.",
            field="kopf/absender",
        )
    if directory.find(str(head.sender)) is None:
        raise ProblemError(
            "unknown-agency", "Die absendende Instanz steht nicht mehr im Verzeichnis.", field="kopf/absender"
        )
    if head.recipient == head.sender:
        raise invalid("kopf/empfaenger", "Absender und Empfänger sind dieselbe Instanz; das ist keine Übermittlung.")
    _addressed(directory, head.recipient, only_check=only_check)
    _in_time(gateway, head)
    _known_purpose(gateway, head)
    require_identities(payload)
    return Submitted(
        transfer_id=new_id(),
        payload=payload,
        client_id=caller.client_id,
        at=gateway.clock(),
        other_traeger=directory.traeger(str(head.sender.agency)) != directory.traeger(str(head.recipient.agency)),
        only_check=only_check,
        traceparent=(CURRENT.get() or trace_of(None)).traceparent,
    )


def _addressed(directory: Directory, recipient: Instance, *, only_check: bool) -> None:
    if directory.find(str(recipient)) is not None:
        return
    if recipient.unit not in directory.units:
        if only_check:
            return
        raise ProblemError(
            "no-route", f"Zu Stellen der Art {recipient.unit.value} führt kein Weg.", field="kopf/empfaenger"
        )
    raise ProblemError(
        "unknown-agency",
        "Diese Instanz steht nicht im Verzeichnis.",
        field="kopf/empfaenger",
        allowed=sorted(name for name, entry in directory.instances.items() if entry.unit is recipient.unit),
    )


def _in_time(gateway: Gateway, head: Head) -> None:
    now = gateway.clock()
    oldest = now - timedelta(days=gateway.settings.dedup_days)
    newest = now + timedelta(seconds=gateway.settings.clock_skew_seconds)
    if not oldest <= head.created_at <= newest:
        raise ProblemError(
            "message-too-old",
            "Die Erstellungszeit liegt nicht im angenommenen Zeitraum.",
            field="kopf/erstelltAm",
            allowed=[timestamp(oldest), timestamp(newest)],
        )


def _known_purpose(gateway: Gateway, head: Head) -> None:
    today = day_of(gateway.clock())
    known = gateway.law.on(today).purposes_on(today)
    if head.purpose not in known:
        raise ProblemError(
            "unknown-purpose",
            "Diesen Zweck führt der Regelkatalog an diesem Tag nicht.",
            field="grundlage/zweck",
            allowed=sorted(known),
        )
