"""Messages of the load: composed once for each way, then filled in; each person, case and id is its message's own.

Family names hold `MARK`, so that a trace of a person is found wherever it should not be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from schemas.compose import PersonSpec, compose_quittung, compose_uebermittlung
from schemas.identifiers import DataCategory as C

MARK = "Zwickelmark"
_LETTERS = "bcdfghklmnprstwz"
_ID, _CASE, _CREATED = "00000000-0000-4000-8000-000000000000", "AZ-MARKE", "2026-01-01T00:00:00+00:00"
_CONSENT = "00000000-0000-4000-8000-000000000001"
_FAMILY, _BORN = "Familienmarke", date(1950, 1, 1)
_TRANSFER = "00000000-0000-4000-8000-000000000002"
_QUITTUNG = "00000000-0000-4000-8000-000000000003"
PLAIN = ("RECHTSKREISWECHSEL", (C.STAMMDATEN, C.ANSCHRIFT, C.LEISTUNGSBEZUG, C.LEISTUNGSHOEHE))
CONSENTED = ("CASE_MANAGEMENT", (C.STAMMDATEN, C.KONTAKT, C.SCHULDEN))


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up person, made from a number."""

    family: str
    born: date

    def body(self) -> dict[str, str]:
        """Return the person as the API for consents and objections takes it."""
        return {"familienname": self.family, "vornamen": "Erika", "geburtsdatum": self.born.isoformat()}


def person(number: int) -> Person:
    """Return the person of a number; no two numbers give the same name, not even loosely."""
    letters, rest = "", number
    while rest or not letters:
        rest, digit = divmod(rest, len(_LETTERS))
        letters += _LETTERS[digit]
    return Person(f"{MARK}{letters}", date(1955, 1, 1) + timedelta(days=number * 7 % 9_000))


@cache
def _template(sender: str, recipient: str, *, consented: bool) -> tuple[bytes, ...]:
    """Return a composed message, cut at its blanks."""
    purpose, blocks = CONSENTED if consented else PLAIN
    content = compose_uebermittlung(
        message_id=_ID,
        sender=sender,
        recipient=recipient,
        purpose=purpose,
        persons=[PersonSpec(family=_FAMILY, birth=_BORN)],
        blocks=blocks,
        created_at=_CREATED,
        case_sender=_CASE,
        consents=[_CONSENT] if consented else [],
    )
    return _cut(content, (_ID, _CASE, _CREATED, _CONSENT, _FAMILY, _BORN.isoformat()))


def message(sender: str, recipient: str, message_id: str, case: str, who: Person, consent: str | None = None) -> bytes:
    """Return a message; with a consent one that relies on it, otherwise one that the matrix lets pass."""
    values = {
        _ID: message_id,
        _CASE: case,
        _CREATED: datetime.now(UTC).isoformat(timespec="seconds"),
        _CONSENT: consent or "",
        _FAMILY: who.family,
        _BORN.isoformat(): who.born.isoformat(),
    }
    return _filled(_template(sender, recipient, consented=consent is not None), values)


@cache
def _quittung_template(sender: str) -> tuple[bytes, ...]:
    content = compose_quittung(
        message_id=_QUITTUNG, transfer_id=_TRANSFER, reply_to=_ID, sender=sender, status="ANGENOMMEN",
        created_at=_CREATED,
    )  # fmt: skip
    return _cut(content, (_QUITTUNG, _TRANSFER, _ID, _CREATED))


def quittung(sender: str, quittung_id: str, transfer_id: str, message_id: str, at: str) -> bytes:
    """Return a quittung ANGENOMMEN; the same arguments give the same bytes, so that it can be repeated."""
    values = {_QUITTUNG: quittung_id, _TRANSFER: transfer_id, _ID: message_id, _CREATED: at}
    return _filled(_quittung_template(sender), values)


def consent_body(kennung: str, recipient: str, who: Person, today: date) -> dict[str, Any]:
    """Return the body of a consent of the person that covers what a consented message carries."""
    purpose, blocks = CONSENTED
    return {
        "kennung": kennung,
        "person": who.body(),
        "erklaert_von": "betroffene Person",
        "erteilt_am": (today - timedelta(days=1)).isoformat(),
        "zweck": purpose,
        "empfaenger": [recipient],
        "kategorien": [block.value for block in blocks],
        "form": "schriftlich",
        "hinweise": ["zweck", "folgen_der_verweigerung", "widerruf"],
        "freiwillig": True,
        "nachweis": {"wortlaut_version": "1.0", "aufgenommen_von": "SB-1"},
    }


def objection_body(kennung: str, who: Person, today: date) -> dict[str, Any]:
    """Return the body of an objection of the person (Art. 21 DSGVO)."""
    return {
        "kennung": kennung,
        "art": "WIDERSPRUCH_ART21",
        "person": who.body(),
        "datum": today.isoformat(),
        "erklaert_von": "betroffene Person",
    }


def _cut(content: bytes, blanks: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(re.split(f"({'|'.join(map(re.escape, blanks))})".encode(), content))


def _filled(parts: tuple[bytes, ...], values: Mapping[str, str]) -> bytes:
    filled = {blank.encode(): value.encode() for blank, value in values.items()}
    return b"".join(filled.get(part, part) for part in parts)
