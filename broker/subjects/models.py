"""Tables of persons: the number of their state, what stops a transfer, and its end. No identity, only keyed hashes.

`stops`, `stop_near` and `stop_ends` are append-only: a stop ends by a row of its own.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


class StopKind(StrEnum):
    """What stops a transfer by itself."""

    WIDERSPRUCH_PAR76 = "WIDERSPRUCH_PAR76"
    """Objection against passing on an expert opinion (§ 76 Abs. 2 Nr. 1 SGB X)."""
    WIDERSPRUCH_ART21 = "WIDERSPRUCH_ART21"
    """Objection to processing (Art. 21 DSGVO, § 84 Abs. 5 SGB X)."""
    WIDERSPRUCH_ALLE = "WIDERSPRUCH_ALLE"
    """Both."""
    OPT_OUT = "OPT_OUT"
    """The person wants no discretionary transfer at all."""
    VERWEIGERUNG = "VERWEIGERUNG"
    """The person refused to consent for one purpose and recipient."""
    SCHUTZANSCHRIFT = "SCHUTZANSCHRIFT"
    """The person lives under a protected address."""


class SubjectState(Base):
    """One person (or keyed Aktenzeichen) at one controller; `number` rises with every event about it."""

    __tablename__ = "subject_state"

    controller: Mapped[str] = mapped_column(String(128), primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(96), primary_key=True)
    number: Mapped[int]


class Stop(Base):
    """One recorded stop. `dated` is the day it was declared."""

    __tablename__ = "stops"

    seq: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    kind: Mapped[str] = mapped_column(String(24))
    controller: Mapped[str] = mapped_column(String(128))
    pseudonym: Mapped[str] = mapped_column(String(96), index=True)
    case_key: Mapped[str | None] = mapped_column(String(96), index=True)
    given_by: Mapped[str] = mapped_column(String(32))
    dated: Mapped[date]
    purpose: Mapped[str | None] = mapped_column(String(64))
    recipient: Mapped[str | None] = mapped_column(String(128))
    recorded_at: Mapped[datetime]
    kennung: Mapped[str | None] = mapped_column(String(36))
    """The client's own id of the request, for exact repetition."""
    body_hash: Mapped[str] = mapped_column(String(64))
    """Keyed hash of the request."""

    __table_args__ = (
        UniqueConstraint("controller", "kennung"),
        Index("ix_stops_controller_seq", "controller", "seq"),
        Index("ix_stops_kind", "kind", "controller"),
    )


class StopNear(Base):
    """The near keys of a stop."""

    __tablename__ = "stop_near"

    stop_id: Mapped[str] = mapped_column(ForeignKey("stops.id"), primary_key=True)
    near: Mapped[str] = mapped_column(String(96), primary_key=True, index=True)


class StopEnd(Base):
    """The end of a stop: from `ended_on` on it stops nothing more."""

    __tablename__ = "stop_ends"

    stop_id: Mapped[str] = mapped_column(ForeignKey("stops.id"), primary_key=True)
    ended_on: Mapped[date]
    reason_code: Mapped[str] = mapped_column(String(32))
    recorded_at: Mapped[datetime] = mapped_column(index=True)
