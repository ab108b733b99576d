"""Tables of the law as it was and is: catalogues by fingerprint, and from which day each counts. Nothing is deleted."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import NUMBER, Base


class CatalogueBytes(Base):
    """A catalogue under its fingerprint: what a decision that names it was taken on. Never changed or deleted."""

    __tablename__ = "catalogues"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes]
    """What `consent.catalogue.catalogue_from_bytes` reads."""
    first_used: Mapped[datetime]


class CatalogueStart(Base):
    """A catalogue that counts from a day on, until a later row says otherwise. Never changed or deleted.

    Of two rows for one day the later one counts; before the first day of all the catalogue that the program brings.
    """

    __tablename__ = "catalogue_days"

    seq: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    day: Mapped[date]
    """From this day on (Europe/Berlin)."""
    fingerprint: Mapped[str] = mapped_column(ForeignKey("catalogues.fingerprint"))
    at: Mapped[datetime]
    """When it was recorded."""
