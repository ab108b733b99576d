"""Messages to measure with: 6 kB, two persons of a household, each message with persons and ids of its own.

Jobcenter to Sozialamt, RECHTSKREISWECHSEL, unasked: what the matrix names as necessary, so nothing has to fall.
All names are made up from the message's number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import uuid4

from schemas.compose import BlockSpec, PersonSpec, compose_uebermittlung
from schemas.identifiers import DataCategory as C

SENDER = "jobcenter-kreis-re:JOBCENTER"
RECIPIENT = "sozialamt-recklinghausen:SOZIALAMT_SGBXII"
PURPOSE = "RECHTSKREISWECHSEL"
CATEGORIES = (
    C.STAMMDATEN,
    C.ORDNUNGSMERKMAL,
    C.ANSCHRIFT,
    C.FAMILIENSTAND,
    C.HAUSHALT,
    C.LEISTUNGSBEZUG,
    C.LEISTUNGSHOEHE,
    C.EINKOMMEN,
    C.UNTERKUNFT,
    C.KRANKENVERSICHERUNG,
    C.ERWERBSFAEHIGKEIT,
)
_PERSONS = (
    PersonSpec("p1", "betroffene_person", "Marke-eins", "Erika", date(1950, 1, 1)),
    PersonSpec("p2", "partner", "Marke-zwei", "Jan", date(1951, 1, 1)),
)
_ID, _CASE, _CREATED = "00000000-0000-4000-8000-000000000000", "AZ-MARKE", "2026-01-01T00:00:00+00:00"
_BLANKS = (_ID, _CASE, _CREATED, "Marke-eins", "Marke-zwei", "1950-01-01", "1951-01-01")
_LETTERS = "abcdefghijklmnopqrst"
_FIRST_BIRTH = date(1955, 1, 1)
_BIRTH_DAYS = 3_000


def messages() -> Iterator[bytes]:
    """Yield messages without end; no two share an id, a case or a person."""
    parts = re.split(f"({'|'.join(map(re.escape, _BLANKS))})".encode(), _template())
    run = _name(uuid4().int % len(_LETTERS) ** 6)
    for number in count():
        values = _values(run, number)
        yield b"".join(values.get(part, part) for part in parts)


def _values(run: str, number: int) -> dict[bytes, bytes]:
    born = _FIRST_BIRTH + timedelta(days=number % _BIRTH_DAYS)
    filled = (
        str(uuid4()),
        f"AZ-{run}/{number}",
        datetime.now(UTC).isoformat(timespec="seconds"),
        f"Muster{run}{_name(2 * number)}",
        f"Muster{run}{_name(2 * number + 1)}",
        born.isoformat(),
        (born + timedelta(days=400)).isoformat(),
    )
    return {blank.encode(): value.encode() for blank, value in zip(_BLANKS, filled, strict=True)}


def _name(number: int) -> str:
    """Write a number in letters; names have no digits (DIN 91379)."""
    letters: list[str] = []
    while number or not letters:
        number, digit = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(letters)


def _template() -> bytes:
    return compose_uebermittlung(
        message_id=_ID,
        sender=SENDER,
        recipient=RECIPIENT,
        purpose=PURPOSE,
        persons=_PERSONS,
        blocks=[BlockSpec(category, person=person.ref) for person in _PERSONS for category in CATEGORIES],
        created_at=_CREATED,
        case_sender=_CASE,
    )
