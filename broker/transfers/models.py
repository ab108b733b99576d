"""Tables of what was submitted and decided: the first answer to each message id, the decision on it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import Base


class Submission(Base):
    """A message id that is used up, and the first answer to it (idempotency)."""

    __tablename__ = "submissions"

    sender: Mapped[str] = mapped_column(String(128), primary_key=True)
    message_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int]
    body: Mapped[dict[str, Any]]


class DecisionRow(Base):
    """A decision with all it rests on. `facts` holds codes and days, no content and no identity."""

    __tablename__ = "decisions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    transfer_id: Mapped[str] = mapped_column(String(36), index=True)
    occasion: Mapped[str] = mapped_column(String(16))
    """``submit``, ``check``, ``hand_over`` or ``event``."""
    sender: Mapped[str] = mapped_column(String(128))
    recipient: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime] = mapped_column(index=True)
    day: Mapped[date]
    outcome: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str | None] = mapped_column(String(16))
    code: Mapped[str | None] = mapped_column(String(64))
    catalogue: Mapped[str] = mapped_column(String(64))
    engine_version: Mapped[str] = mapped_column(String(16))
    detail: Mapped[dict[str, Any]]
    """Kept, removed, grounds, consents, duties, findings, switches, numbers of `subject_state`."""
    facts: Mapped[dict[str, Any]]
