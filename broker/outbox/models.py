"""The outbox: ids and ciphertext, nothing else; and who takes it out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


class OutboxRow(Base):
    """One record to be published. It is gone when the transport keeps it, or when its transfer has ended before."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    record_id: Mapped[str] = mapped_column(String(36))
    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"), index=True)
    partition: Mapped[int] = mapped_column(SmallInteger)
    topic: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(String(80))
    headers: Mapped[dict[str, Any]]
    value: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (Index("ix_outbox_partition_id", "partition", "id"),)


class OutboxLease(Base):
    """Which relay holds a partition of the outbox; `fence` grows with each change of hands."""

    __tablename__ = "outbox_leases"

    partition: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    holder: Mapped[str | None] = mapped_column(String(36))
    fence: Mapped[int]
    until: Mapped[datetime]


class OutboxRelay(Base):
    """A relay that is there; from their number follows how many partitions are the share of each."""

    __tablename__ = "outbox_relays"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    until: Mapped[datetime]
