"""The XML gate: from bytes to a `ValidatedPayload`, and from there to a reduced one.

Order: limits and forbidden markup (expat, no tree yet), hardened parse (libxml2), normal form, XSD, further rules,
reading. A message whose bytes show that the first step has nothing to find is spared it. Nothing is ever fetched, and
no error repeats a value of the message.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Set as AbstractSet
from datetime import date

from lxml import etree

from schemas import explain, gate, read, rules
from schemas.errors import SchemaViolation, UnknownMessageType, Violation
from schemas.limits import DEFAULT_LIMITS, Limits
from schemas.message import ValidatedPayload
from schemas.message_types import MESSAGE_TYPES, MessageType, as_of, by_root
from schemas.quittung import Quittung
from schemas.xsd_model import block_map, compiled

DEEPEST = 8
"""Deeper than any element of our XSDs stands; a test counts."""
_local = threading.local()


def digest(content: bytes) -> str:
    """SHA-256 of the bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def validate(content: bytes, *, limits: Limits = DEFAULT_LIMITS, on: date | None = None) -> ValidatedPayload:
    """Understand an ``uebermittlung``; the bytes are kept as they came.

    `on` is the day whose message types are accepted; None accepts every registered version (the clock is never read
    here). Raises `SchemaViolation`, `UnknownMessageType` (another type too) or `PayloadTooLarge`.
    """
    message_type, root = _accepted(content, "uebermittlung", limits, on)
    return ValidatedPayload(
        message_type=message_type.name,
        version=message_type.version,
        head=read.head(root),
        persons=read.persons(root),
        blocks=read.blocks(root, block_map(message_type)),
        declarations=read.declarations(root),
        consents=read.consents(root),
        digest=digest(content),
        content=content,
    )


def validate_quittung(content: bytes, *, limits: Limits = DEFAULT_LIMITS, on: date | None = None) -> Quittung:
    """Understand a ``quittung``. Raises as `validate` does."""
    _, root = _accepted(content, "quittung", limits, on)
    return read.quittung(root, digest(content), content)


def require_identities(payload: ValidatedPayload) -> None:
    """Demand a block ``stammdaten`` for each person, as a submission must have (reduced messages need not).

    Raises `SchemaViolation` with rule AB-STAMMDATEN-FEHLT for each person without one.
    """
    text = "Zu dieser Person fehlt der Block stammdaten; ohne ihn kann kein Widerspruch der Person gefunden werden."
    missing = tuple(
        Violation(f"/{payload.message_type}/personen/person[{position}]", "AB-STAMMDATEN-FEHLT", text)
        for position, person in enumerate(payload.persons, start=1)
        if person.identity is None
    )
    if missing:
        raise SchemaViolation(missing)


def reduce(payload: ValidatedPayload, keep: AbstractSet[str], *, limits: Limits = DEFAULT_LIMITS) -> ValidatedPayload:
    """Take out every data block whose id is not in `keep`, and understand the rest anew.

    The bytes of the result are exclusive C14N 1.0 without comments, with a digest of their own. Raises `ValueError`
    where `keep` is empty or names a block that the message does not have.
    """
    if not keep or not keep <= {block.id for block in payload.blocks}:
        raise ValueError("keep must name at least one block, and only blocks of the message")
    root = etree.fromstring(payload.content, _parser())
    for daten in root.findall("daten"):
        for block in daten.findall("*"):
            if block.get("id", "").strip() not in keep:
                daten.remove(block)
    content: bytes = etree.tostring(root, method="c14n", exclusive=True, with_comments=False)
    return validate(content, limits=limits)


def warm_up() -> None:
    """Load the XSD models before the first message (about a second), for the start of a service."""
    for message_type in MESSAGE_TYPES:
        compiled(message_type)
        block_map(message_type)


def _accepted(content: bytes, name: str, limits: Limits, on: date | None) -> tuple[MessageType, etree._Element]:
    """Gate, parse, XSD and rules; gives the type and the tree of a message that kept them all."""
    return _at_once(content, name, limits, on) or _step_by_step(content, name, limits, on)


def _at_once(content: bytes, name: str, limits: Limits, on: date | None) -> tuple[MessageType, etree._Element] | None:
    """Accept a plain message without the gate's pass; None where anything is unusual or wrong, for whatever reason.

    Accepts nothing that `_step_by_step` would not: what its pass counts or refuses is bounded by `gate.is_plain` and by
    the XSD (which knows neither recursion nor foreign names), but for the blocks and persons counted here.
    """
    if not gate.is_plain(content, limits):
        return None
    try:
        root = etree.fromstring(content, _parser())
    except etree.XMLSyntaxError:
        return None
    tag = etree.QName(root)
    kind = by_root(tag.namespace or "", tag.localname)
    if kind is None or kind.name != name or (on is not None and kind not in as_of(on)) or limits.depth < DEEPEST:
        return None
    if not compiled(kind).validate(root) or any(
        len(part) > most
        for part, most in ((root.find("daten"), limits.blocks), (root.find("personen"), limits.persons))
        if part is not None
    ):
        return None
    if rules.first(rules.normal_form(root, content)) or rules.broken(root, kind.name):
        return None
    return kind, root


def _step_by_step(content: bytes, name: str, limits: Limits, on: date | None) -> tuple[MessageType, etree._Element]:
    """Accept a message, or say what is the first thing wrong with it."""
    message_type = gate.check(content, limits, on)
    if message_type.name != name:
        raise UnknownMessageType(tuple(t.key for t in MESSAGE_TYPES if t.name == name))
    try:
        root = etree.fromstring(content, _parser())
    except etree.XMLSyntaxError as error:
        text = "Kein wohlgeformtes XML; bitte die Nachricht mit einem XML-Werkzeug prüfen."
        raise SchemaViolation((Violation("/", "AB-WOHLGEFORMT", text, error.lineno),)) from None
    if found := rules.first(rules.normal_form(root, content)):
        raise SchemaViolation(found)
    schema = compiled(message_type)
    if not schema.validate(root):
        raise SchemaViolation(explain.violations(schema, message_type))
    if found := rules.broken(root, message_type.name):
        raise SchemaViolation(found)
    return message_type, root


def _parser() -> etree.XMLParser:
    """Give this thread's hardened parser; a shared one would make threads wait for each other."""
    parser: etree.XMLParser | None = getattr(_local, "parser", None)
    if parser is None:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        _local.parser = parser
    return parser
