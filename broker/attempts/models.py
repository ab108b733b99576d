"""Tables of first-collection attempts, append-only: what came of one is a row of its own. Only keyed hashes."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


class Outcome(StrEnum):
    """What came of asking the person."""

    BEANTWORTET = "BEANTWORTET"
    """The person gave the data: others need not be asked."""
    VERWEIGERT = "VERWEIGERT"
    UNZUSTELLBAR = "UNZUSTELLBAR"
    IRRTUM = "IRRTUM"
    """It was recorded in error, and proves nothing."""


class Attempt(Base):
    """That an instance asked a person, or in a case, for some categories for a purpose, until a day."""

    __tablename__ = "attempts"

    seq: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    recorded_by: Mapped[str] = mapped_column(String(128))
    pseudonym: Mapped[str | None] = mapped_column(String(96), index=True)
    case_key: Mapped[str | None] = mapped_column(String(96), index=True)
    purpose: Mapped[str] = mapped_column(String(64))
    categories: Mapped[list[Any]]
    asked: Mapped[date]
    deadline: Mapped[date]
    way: Mapped[str] = mapped_column(String(16))
    recorded_at: Mapped[datetime] = mapped_column(index=True)
    kennung: Mapped[str | None] = mapped_column(String(36))
    """The client's own id of the request, for exact repetition."""
    body_hash: Mapped[str] = mapped_column(String(64))
    """Keyed hash of the request."""

    __table_args__ = (
        UniqueConstraint("recorded_by", "kennung"),
        Index("ix_attempts_recorded_by_seq", "recorded_by", "seq"),
    )


class AttemptOutcome(Base):
    """What came of an attempt; the first that is recorded stands."""

    __tablename__ = "attempt_outcomes"

    attempt_id: Mapped[str] = mapped_column(ForeignKey("attempts.id"), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(16))
    dated: Mapped[date]
    recorded_at: Mapped[datetime]
