"""Registered procedures for measurements and fault rounds, which send about many persons on few routes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from broker.auth.caller import Caller, Role
from broker.clock import day_of
from broker.gateway import Gateway
from broker.procedures import service
from broker.procedures.models import Kind
from broker.procedures.shapes import ApprovalIn, Fixing, NoticeIn, ProcedureIn
from schemas.identifiers import DataCategory

Delivery = tuple[str, str, str, Collection[DataCategory]]
"""Sender, recipient, purpose and categories of what is sent."""


async def register(gateway: Gateway, deliveries: Collection[Delivery]) -> None:
    """Register regular deliveries without a volume as their senders would, approved by both sides and notified."""
    today = day_of(gateway.clock())
    approval = ApprovalIn(genehmigt_am=today, aufsicht="FACHAUFSICHT")
    for sender, recipient, purpose, categories in deliveries:
        body = ProcedureIn(
            von=sender,
            an=recipient,
            art=Kind.REGELMAESSIG,
            zweck=purpose,
            kategorien=[category.value for category in categories],
            angemessen_wegen=["MENGE"],
            festlegung=Fixing(fassung="1.0", vom=today - timedelta(days=1)),
            gueltig_ab=today - timedelta(days=1),
        )
        async with gateway.db.writing() as connection:
            made = await service.register(connection, gateway, _side(sender), body)
            for side in (sender, recipient):
                await service.approve(connection, gateway, _side(side), made.id, approval)
            notice = NoticeIn(unterrichtet_am=today, stelle="LDI_NRW")
            await service.notify(connection, gateway, _side(sender), made.id, notice)


def _side(instance: str) -> Caller:
    return Caller("set-up", Role.INSTANCE, instance)
