"""Messages and the catalogue of types in readable form, for the command line and for ``GET /v1/schemas``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from schemas.message import Block, Head, Person, ValidatedPayload
from schemas.message_types import MESSAGE_TYPES, PACKAGE_DIR, MessageType
from schemas.rules import BERLIN
from schemas.xsd_model import xsd_files


def show(payload: ValidatedPayload) -> str:
    """Outline a message in German: head, persons, blocks with category, part and marks.

    Shows names and file references: meant for the user's own file on the own terminal, never for a log.
    """
    lines = [f"{payload.message_type} {payload.version}", *_head(payload.head)]
    lines += [f"Einwilligungen   {len(payload.consents)}", f"Prüfsumme        SHA-256 {payload.digest}", "", "Personen"]
    lines += [f"  {_person(person)}" for person in payload.persons]
    lines += ["", f"Datenblöcke ({len(payload.blocks)})"]
    width = max(len(_what(block)) for block in payload.blocks)
    lines += [f"  {block.id:<6} {block.person:<6} {_what(block):<{width}}  {_marks(block)}" for block in payload.blocks]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(head: Head) -> list[str]:
    written = head.created_at.astimezone(BERLIN)
    rows = {
        "Nachricht": head.message_id,
        "Antwort auf": head.reply_to,
        "Von": str(head.sender),
        "An": str(head.recipient),
        "Erstellt": f"{written:%d.%m.%Y %H:%M} Uhr",
        "Betrieb": "Test" if head.test else "Echt",
        "Aktenzeichen": head.case_sender,
        "dort": head.case_recipient,
        "Zweck": head.purpose,
        "Grund": head.ground_claimed,
        "Modus": head.mode.value,
        "Ersuchen": head.ersuchen,
        "Überhang": head.ueberhang.value,
    }
    return [f"{name:<16} {value}" for name, value in rows.items() if value is not None]


def _person(person: Person) -> str:
    if person.identity is None:
        return f"{person.ref:<6} {person.role:<20} (ohne Stammdaten)"
    who = person.identity
    return f"{person.ref:<6} {person.role:<20} {who.given_names} {who.family_name}, geboren {who.birth_date:%d.%m.%Y}"


def _what(block: Block) -> str:
    return block.category.value if block.part is None else f"{block.category.value} (nur {block.part.value})"


def _marks(block: Block) -> str:
    marks = sorted(mark.value for mark in block.marks)
    contested = ["bestritten"] if block.contested and "STRITTIG" not in marks else []
    return ", ".join(marks + contested) or "Herkunft nicht erklärt"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A message type with the bytes of its XSDs. `files` maps package paths to bytes, the main XSD first."""

    name: str
    version: str
    namespace: str
    valid_from: date
    valid_to: date | None
    files: dict[str, bytes]

    @property
    def xsd(self) -> bytes:
        """The main XSD; it names the others by relative path."""
        return next(iter(self.files.values()))


def schema_catalogue() -> tuple[CatalogueEntry, ...]:
    """All message types this package knows, with validity and XSDs; a dozen files, read on each call."""
    return tuple(_entry(message_type) for message_type in MESSAGE_TYPES)


def _entry(message_type: MessageType) -> CatalogueEntry:
    paths = [Path(path) for path in xsd_files(message_type)]
    files = {path.relative_to(PACKAGE_DIR).as_posix(): path.read_bytes() for path in paths}
    return CatalogueEntry(
        name=message_type.name,
        version=message_type.version,
        namespace=message_type.namespace,
        valid_from=message_type.valid_from,
        valid_to=message_type.valid_to,
        files=files,
    )
