"""Tables of permitted transfers: state, history, the keys that find them, the key of their content, tries, duties."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


def _where(condition: str) -> dict[str, Any]:
    """Return the options of an index over some rows."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Transfer(Base):
    """A transfer that was permitted."""

    __tablename__ = "transfers"

    seq: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    sender: Mapped[str] = mapped_column(String(128))
    recipient: Mapped[str] = mapped_column(String(128))
    agency: Mapped[str] = mapped_column(String(128))
    message_id: Mapped[str] = mapped_column(String(64), index=True)
    message_type: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(16))
    purpose: Mapped[str] = mapped_column(String(64))
    test: Mapped[bool]
    order_key: Mapped[str] = mapped_column(String(80))
    decision_id: Mapped[str] = mapped_column(String(36))
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the bytes that were sealed (after reduction), hexadecimal."""
    statement: Mapped[str | None]
    """Signed statement about what was taken out (JWS), where something was."""
    state: Mapped[str] = mapped_column(String(16))
    state_at: Mapped[datetime]
    accepted_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_transfers_agency_state", "agency", "state", "seq"),
        Index("ix_transfers_order_key", "order_key", "seq"),
        Index("ix_transfers_state_expires", "state", "expires_at"),
        Index("ix_transfers_state_at", "state", "state_at"),
    )


class TransferEvent(Base):
    """One change of state; at once the history of a transfer and the change feed of its two sides."""

    __tablename__ = "transfer_events"

    seq: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"), index=True)
    sender: Mapped[str] = mapped_column(String(128))
    recipient: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime]

    __table_args__ = (
        Index("ix_transfer_events_sender", "sender", "seq"),
        Index("ix_transfer_events_recipient", "recipient", "seq"),
    )


class TransferSubject(Base):
    """Whom a transfer is about: pseudonyms, near keys and keyed Aktenzeichen, as deciding again needs them."""

    __tablename__ = "transfer_subjects"

    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"), primary_key=True)
    persons: Mapped[list[Any]]
    """``[person, owner, exact keys, near keys]`` for each person at each owner of records, in the message's order."""
    cases: Mapped[dict[str, Any]]
    """Owner → keyed Aktenzeichen."""


class TransferLookup(Base):
    """Under which keys a stop finds a transfer: 64 bits of each, so that a row is small and has one index.

    Two keys that share their bits only make a transfer be decided again for nothing: what counts is `TransferSubject`.
    """

    __tablename__ = "transfer_lookup"

    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    transfer_id: Mapped[str] = mapped_column(String(36), primary_key=True)


class TransferKey(Base):
    """The wrapped key of a content. Its deletion shreds every copy of the content."""

    __tablename__ = "transfer_keys"

    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"), primary_key=True)
    sealing_kid: Mapped[str] = mapped_column(String(16))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary(64))


class DeliveryRow(Base):
    """What arrived for an agency, once for each transfer, with its lease and its tries."""

    __tablename__ = "deliveries"

    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"), primary_key=True)
    agency: Mapped[str] = mapped_column(String(128))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    arrived_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    way: Mapped[str | None] = mapped_column(String(8))
    """How it was last handed over: ``push``, ``pull`` or ``key``."""
    holder: Mapped[str | None] = mapped_column(String(64))
    """Who holds the lease: a client's id, or a worker's."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Hand-overs so far; the number fences: who was given a lower one has lost the lease."""
    attempts_before: Mapped[int] = mapped_column(default=0)
    """Those before an operator let it begin anew; only the others count towards the bound."""
    last_error: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (Index("ix_deliveries_agency_leased", "agency", "leased_until"),)


class CaseRelease(Base):
    """An operator let the later ones of a dead letter's case pass."""

    __tablename__ = "case_releases"

    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime]


class Duty(Base):
    """What one side has to do by a day since the content was handed over. Codes, ids and days alone.

    Written with the decision to hand over. What it says never changes; it ends once (`done_on`), and so it stays.
    """

    __tablename__ = "duties"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    transfer_id: Mapped[str] = mapped_column(String(36))
    decision_id: Mapped[str] = mapped_column(String(36))
    duty: Mapped[str] = mapped_column(String(32))
    bound: Mapped[str] = mapped_column(String(128))
    """The instance that owes it."""
    agency: Mapped[str] = mapped_column(String(128))
    """Its agency."""
    arose: Mapped[date]
    due: Mapped[date]
    """The last day in time."""
    test: Mapped[bool]
    """It arose from a test message: it is shown and can be done, and no figure counts it."""
    recorded_at: Mapped[datetime]
    done_on: Mapped[date | None]
    done_how: Mapped[str | None] = mapped_column(String(16))
    """``ERFUELLT`` or ``ENTFALLEN``."""
    done_at: Mapped[datetime | None]
    """When that was told to us."""

    __table_args__ = (
        UniqueConstraint("transfer_id", "duty", "bound"),
        Index("ix_duties_open", "agency", "due", "id", **_where("done_on IS NULL")),
        Index("ix_duties_done", "agency", "due", "id", **_where("done_on IS NOT NULL")),
        Index("ix_duties_due", "due", "agency", **_where("done_on IS NULL AND NOT test")),
    )
