"""Tables of the directory. Rows are never deleted: the evidence refers to them. What is gone is inactive."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import Base


class Agency(Base):
    """A Behörde: is addressed and has a topic."""

    __tablename__ = "agencies"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(32), index=True)
    ags: Mapped[str] = mapped_column(String(8))
    """Amtlicher Gemeindeschlüssel: five digits (Kreis) or eight (town)."""
    dms: Mapped[str | None] = mapped_column(String(64))
    place: Mapped[str] = mapped_column(String(200))
    """The town, or the Kreis."""
    active: Mapped[bool]
    changed_at: Mapped[datetime]


class AgencyInstance(Base):
    """A unit of an agency: sends, receives, is named in consents, is the controller. Id ``<agency>:<UNIT>``."""

    __tablename__ = "instances"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    agency_id: Mapped[str] = mapped_column(ForeignKey("agencies.id"), index=True)
    unit: Mapped[str] = mapped_column(String(32))
    active: Mapped[bool]
    changed_at: Mapped[datetime]


class AgencyBranch(Base):
    """A place inside an agency (Bezirksstelle), for routing alone. Id ``<agency>/<branch>``."""

    __tablename__ = "branches"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    agency_id: Mapped[str] = mapped_column(ForeignKey("agencies.id"), index=True)
    branch: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    active: Mapped[bool]
    changed_at: Mapped[datetime]


class AgencyChannel(Base):
    """How an agency receives: the settings that `adapters.registry.adapter_for` reads."""

    __tablename__ = "agency_channels"

    id: Mapped[str] = mapped_column(ForeignKey("agencies.id"), primary_key=True)
    """The agency's id; one channel an agency."""
    channel: Mapped[str] = mapped_column(String(32))
    settings: Mapped[dict[str, Any]]
    active: Mapped[bool]
    changed_at: Mapped[datetime]
