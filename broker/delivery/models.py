"""Tables of what comes back: quittungen, notices."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


class QuittungRow(Base):
    """A quittung as it came; holds ids and codes, no person."""

    __tablename__ = "quittungen"

    sender: Mapped[str] = mapped_column(String(128), primary_key=True)
    message_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"), index=True)
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(32))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]


class NoticeRow(Base):
    """What a recipient must be told after the point of no return, and what it did then."""

    __tablename__ = "notices"

    seq: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"), index=True)
    sender: Mapped[str] = mapped_column(String(128))
    recipient: Mapped[str] = mapped_column(String(128), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    """``RUECKRUF`` (recalled by the sender) or ``WIDERRUF`` (the law would no longer let it pass)."""
    created_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    measure: Mapped[str | None] = mapped_column(String(32))
