"""The outbox: ids and ciphertext, nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import Base


class OutboxRow(Base):
    """One record to be published on the topic of the recipient's agency."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"), unique=True)
    topic: Mapped[str] = mapped_column(String(160))
    key: Mapped[str] = mapped_column(String(80))
    headers: Mapped[dict[str, Any]]
    value: Mapped[bytes] = mapped_column(LargeBinary)
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    claimed_until: Mapped[datetime | None]
    published_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_outbox_published_at_id", "published_at", "id"),)
