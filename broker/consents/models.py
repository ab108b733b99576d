"""Tables of consents. Append-only: a withdrawal is a row of its own. No identity, only keyed hashes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


class ConsentRecord(Base):
    """One recorded consent or refusal (rules dossier, section 6.1)."""

    __tablename__ = "consents"

    seq: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    recorded_by: Mapped[str] = mapped_column(String(128))
    """The controller (instance) whose record it is; the keyed hashes are under its key."""
    pseudonym: Mapped[str] = mapped_column(String(96), index=True)
    case_key: Mapped[str | None] = mapped_column(String(96), index=True)
    given_by: Mapped[str] = mapped_column(String(32))
    granted: Mapped[date | None]
    """None where the person refused."""
    refused: Mapped[date | None]
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]
    """Inclusive; None only for a refusal."""
    purpose: Mapped[str] = mapped_column(String(64))
    recipients: Mapped[list[Any]]
    """Instances."""
    categories: Mapped[list[Any]]
    form: Mapped[str] = mapped_column(String(16))
    documented: Mapped[bool]
    default_on: Mapped[bool]
    notices: Mapped[list[Any]]
    voluntary: Mapped[bool]
    insight_of_minor: Mapped[bool | None]
    custody: Mapped[str | None] = mapped_column(String(16))
    """Who has the custody of a minor, as it was proven when the declaration was taken: ``gemeinsam`` or ``allein``."""
    carer_covers: Mapped[bool | None]
    """Whether the task of the Betreuer who declared covers it."""
    household_agreed: Mapped[bool | None]
    """Whether the other members of the household had consented too, as it was proven then."""
    release_natural_person: Mapped[bool | None]
    """Whether the professional released from secrecy is named as a natural person; None: nobody is released."""
    release_hash: Mapped[str | None] = mapped_column(String(96))
    """Keyed hash of that professional's name."""
    wording_version: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(35))
    """BCP 47 tag of the language in which it was explained."""
    interpreter: Mapped[bool]
    recorded_at: Mapped[datetime] = mapped_column(index=True)
    kennung: Mapped[str | None] = mapped_column(String(36))
    """The client's own id of the request, for exact repetition."""
    body_hash: Mapped[str] = mapped_column(String(64))
    """Keyed hash of the request."""

    __table_args__ = (
        UniqueConstraint("recorded_by", "kennung"),
        Index("ix_consents_recorded_by_seq", "recorded_by", "seq"),
    )


class ConsentNear(Base):
    """The near keys of a consent's person."""

    __tablename__ = "consent_near"

    consent_id: Mapped[str] = mapped_column(ForeignKey("consents.id"), primary_key=True)
    near: Mapped[str] = mapped_column(String(96), primary_key=True, index=True)


class ConsentWithdrawal(Base):
    """The withdrawal of a consent; it works from `revoked_on` on (Art. 7 Abs. 3 DSGVO)."""

    __tablename__ = "consent_withdrawals"

    consent_id: Mapped[str] = mapped_column(ForeignKey("consents.id"), primary_key=True)
    revoked_on: Mapped[date]
    recorded_by: Mapped[str] = mapped_column(String(128))
    """The instance where the person withdrew."""
    recorded_at: Mapped[datetime]
