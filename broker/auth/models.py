"""Tables of those who call: clients, their public keys, and the assertions that were used up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import Base


class Client(Base):
    """An access: one program of one instance, of an officer's agency, or of the operator. Never deleted."""

    __tablename__ = "clients"

    client_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    instance_id: Mapped[str | None] = mapped_column(ForeignKey("instances.id"))
    agency_id: Mapped[str | None] = mapped_column(ForeignKey("agencies.id"))
    status: Mapped[str] = mapped_column(String(16))
    """``active`` or ``revoked``."""
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None] = mapped_column(index=True)


class ClientKey(Base):
    """A public key of a client (JWK, RFC 7517); the private one is never here."""

    __tablename__ = "client_keys"

    client_id: Mapped[str] = mapped_column(ForeignKey("clients.client_id"), primary_key=True)
    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    jwk: Mapped[dict[str, Any]]
    added_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class EncryptionKey(Base):
    """A public key of a client (JWK) to which content keys are encrypted; one of them is not revoked."""

    __tablename__ = "encryption_keys"

    client_id: Mapped[str] = mapped_column(ForeignKey("clients.client_id"), primary_key=True)
    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    jwk: Mapped[dict[str, Any]]
    added_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AssertionJti(Base):
    """An assertion that was accepted once (RFC 7523, section 3, item 7); kept until it would have expired."""

    __tablename__ = "assertion_jtis"

    client_id: Mapped[str] = mapped_column(ForeignKey("clients.client_id"), primary_key=True)
    jti: Mapped[str] = mapped_column(String(128), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
