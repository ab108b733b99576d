"""Tables of Ersuchen. `ersuchen` and `ersuchen_closings` are append-only; the sealed content goes with the closing."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


class Ersuchen(Base):
    """A request by the later recipient (`requester`) to the later sender (`addressee`), with its first collection."""

    __tablename__ = "ersuchen"

    seq: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    requester: Mapped[str] = mapped_column(String(128))
    addressee: Mapped[str] = mapped_column(String(128))
    purpose: Mapped[str] = mapped_column(String(64))
    norm: Mapped[str] = mapped_column(String(120))
    """Norm of the requester's task."""
    categories: Mapped[list[Any]]
    pseudonym: Mapped[str | None] = mapped_column(String(96))
    """Of the person, under the requester's key."""
    case_key: Mapped[str | None] = mapped_column(String(96))
    """Keyed Aktenzeichen of the requester."""
    fc_status: Mapped[str] = mapped_column(String(32))
    fc_asked: Mapped[date | None]
    fc_deadline: Mapped[date | None]
    fc_norm: Mapped[str | None] = mapped_column(String(120))
    fc_reason_code: Mapped[str | None] = mapped_column(String(32))
    deadline: Mapped[date]
    """By when the requester needs the answer."""
    recorded_at: Mapped[datetime]
    kennung: Mapped[str | None] = mapped_column(String(36))
    """The client's own id of the request, for exact repetition."""
    body_hash: Mapped[str] = mapped_column(String(64))
    """Keyed hash of the request."""

    __table_args__ = (
        UniqueConstraint("requester", "kennung"),
        Index("ix_ersuchen_requester_seq", "requester", "seq"),
        Index("ix_ersuchen_addressee_seq", "addressee", "seq"),
    )


class ErsuchenContent(Base):
    """Person and Aktenzeichen of an open Ersuchen, sealed to the addressee. Deleted when the Ersuchen is closed."""

    __tablename__ = "ersuchen_contents"

    ersuchen_id: Mapped[str] = mapped_column(ForeignKey("ersuchen.id"), primary_key=True)
    sealing_kid: Mapped[str] = mapped_column(String(16))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary(64))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class ErsuchenClosing(Base):
    """The end of an Ersuchen: no transfer may name it from then on."""

    __tablename__ = "ersuchen_closings"

    ersuchen_id: Mapped[str] = mapped_column(ForeignKey("ersuchen.id"), primary_key=True)
    closed_on: Mapped[date]
    reason_code: Mapped[str] = mapped_column(String(32))
    closed_by: Mapped[str] = mapped_column(String(128))
    """An instance; `broker.cleanup.ersuchen.ACTOR` where it ended by itself."""
    recorded_at: Mapped[datetime] = mapped_column(index=True)
