"""The evidence: what stays, what erasure may take, and the tree over it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


class AuditEntry(Base):
    """One event. Holds codes, instances, days and salted commitments; no plain identity. Never changed or deleted."""

    __tablename__ = "audit_entries"

    seq: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    at: Mapped[datetime] = mapped_column(index=True)
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
    fields: Mapped[dict[str, Any]]
    """Field → [salt (hexadecimal), value]."""


class AuditPending(Base):
    """The entries that are not in the tree yet. A trigger of the database adds each entry; the sealer takes it out."""

    __tablename__ = "audit_pending"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]


class AuditLeaf(Base):
    """The place of an entry in the tree. Never changed or deleted."""

    __tablename__ = "audit_leaves"

    index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger, unique=True)
    leaf: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    """The hash that was sealed."""


class AuditTile(Base):
    """A tile of the tree (C2SP tlog-tiles). Those at the right edge grow."""

    __tablename__ = "audit_tiles"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)


class AuditCheckpoint(Base):
    """A signed checkpoint (C2SP tlog-checkpoint), stored before anybody gets it. Never changed or deleted."""

    __tablename__ = "audit_checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    note: Mapped[str]
    at: Mapped[datetime]


class AuditSealer(Base):
    """One row: who seals, until when, and the fencing number that rises whenever that changes."""

    __tablename__ = "audit_sealer"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    holder: Mapped[str | None] = mapped_column(String(64))
    fence: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[datetime | None]
