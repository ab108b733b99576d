"""Tables of the embedded transport."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


class EmbeddedRecord(Base):
    """A record on a topic; the position grows over all topics."""

    __tablename__ = "embedded_records"
    __table_args__ = (Index("ix_embedded_records_topic", "topic", "position"), {"sqlite_autoincrement": True})

    position: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    record_id: Mapped[str] = mapped_column(String(36), unique=True)
    topic: Mapped[str] = mapped_column(String(160))
    key: Mapped[str] = mapped_column(String(80))
    headers: Mapped[dict[str, Any]]
    value: Mapped[bytes] = mapped_column(LargeBinary)


class EmbeddedPosition(Base):
    """How far a group has read a topic."""

    __tablename__ = "embedded_positions"

    group: Mapped[str] = mapped_column(String(64), primary_key=True)
    topic: Mapped[str] = mapped_column(String(160), primary_key=True)
    position: Mapped[int] = mapped_column(NUMBER)
