"""Tables of registered procedures, append-only: approvals, notice and end are rows of their own. And the counter."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


class Kind(StrEnum):
    """What a procedure sets up."""

    ABRUF = "ABRUF"
    """The recipient retrieves (§ 79 SGB X)."""
    REGELMAESSIG = "REGELMAESSIG"
    """The sender delivers regularly, or about many persons."""


class Step(StrEnum):
    """What happens to a procedure after it was registered."""

    APPROVED = "APPROVED"
    """The authority that supervises one side has approved."""
    NOTIFIED = "NOTIFIED"
    """The data-protection authority was told."""
    ENDED = "ENDED"


class Procedure(Base):
    """One entry of the register, between the side that holds the data and the side that gets them."""

    __tablename__ = "procedures"

    seq: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    recorded_by: Mapped[str] = mapped_column(String(128))
    """The side that registered it."""
    sender: Mapped[str] = mapped_column(String(128))
    recipient: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(16))
    purpose: Mapped[str] = mapped_column(String(64))
    categories: Mapped[list[Any]]
    reasons: Mapped[list[Any]]
    """Codes: why it is appropriate (§ 79 Abs. 1 SGB X)."""
    fixed_version: Mapped[str] = mapped_column(String(64))
    """Version of the written fixing (§ 79 Abs. 2 SGB X)."""
    fixed_on: Mapped[date]
    most_persons: Mapped[int]
    """Most persons within 30 days; 0: as many as there are."""
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    """Inclusive; None: until it is ended."""
    recorded_at: Mapped[datetime]
    kennung: Mapped[str | None] = mapped_column(String(36))
    """The client's own id of the request, for exact repetition."""
    body_hash: Mapped[str] = mapped_column(String(64))
    """Keyed hash of the request."""

    __table_args__ = (
        UniqueConstraint("recorded_by", "kennung"),
        Index("ix_procedures_route", "sender", "recipient", "purpose"),
        Index("ix_procedures_recipient", "recipient"),
    )


class ProcedureStep(Base):
    """One step of a procedure, recorded by one side for itself; the first of a side stands."""

    __tablename__ = "procedure_steps"

    procedure_id: Mapped[str] = mapped_column(ForeignKey("procedures.id"), primary_key=True)
    step: Mapped[str] = mapped_column(String(16), primary_key=True)
    instance: Mapped[str] = mapped_column(String(128), primary_key=True)
    dated: Mapped[date]
    code: Mapped[str] = mapped_column(String(32))
    """Which authority approved or was told; why it ended."""
    recorded_at: Mapped[datetime]


class RoutePerson(Base):
    """A person about whom something was permitted on a route and purpose, and when last; forgotten after 30 days."""

    __tablename__ = "route_persons"

    route: Mapped[str] = mapped_column(String(330), primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(96), primary_key=True)
    """Under the sender's key."""
    day: Mapped[date]

    __table_args__ = (Index("ix_route_persons_route_day", "route", "day"), Index("ix_route_persons_day", "day"))
