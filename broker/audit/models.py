"""The two tables of the evidence: what stays, and what erasure may take."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import Base


class AuditEntry(Base):
    """One event. Holds codes, instances, days and salted commitments; no plain identity. Never changed or deleted."""

    __tablename__ = "audit_entries"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    at: Mapped[datetime]
    event: Mapped[str] = mapped_column(String(64), index=True)
    actor: Mapped[str] = mapped_column(String(128))
    """Instance or role that acted; never a person."""
    sender: Mapped[str | None] = mapped_column(String(128))
    recipient: Mapped[str | None] = mapped_column(String(128))
    """The controllers whose officers see the entry."""
    reference: Mapped[str | None] = mapped_column(String(64), index=True)
    """Id of the transfer, consent, stop or ersuchen."""
    data: Mapped[dict[str, Any]]
    commitments: Mapped[dict[str, Any]]
    """Field → SHA-256(salt ‖ value), hexadecimal; salt and value lie in `AuditSide`."""
    leaf: Mapped[bytes] = mapped_column(LargeBinary(32))
    """RFC 6962 leaf hash of the canonical entry."""

    __table_args__ = (
        Index("ix_audit_entries_sender_seq", "sender", "seq"),
        Index("ix_audit_entries_recipient_seq", "recipient", "seq"),
    )


class AuditSide(Base):
    """What lies beside an entry: pseudonyms, keyed Aktenzeichen, client ids, reasons, payload digests, with salts."""

    __tablename__ = "audit_side"

    entry_id: Mapped[str] = mapped_column(ForeignKey("audit_entries.id"), primary_key=True)
    field: Mapped[str] = mapped_column(String(64), primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    value: Mapped[str]
