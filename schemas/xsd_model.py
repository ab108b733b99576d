"""What the XSDs say, as objects: compiled for validation, and as a model for categories and explanations.

Both come from files of this package. Nothing is fetched: the XSDs import each other by relative path only.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

from lxml import etree

from schemas.identifiers import DataCategory, Part
from schemas.message_types import MESSAGE_TYPES, MessageType

if TYPE_CHECKING:
    import xmlschema
    from xmlschema import XsdComponent

#: Namespace of category and part in ``xs:appinfo``.
APPINFO_NS = "urn:amtsbruecke:schema:angaben:1.0"
_XSD_NS = "{http://www.w3.org/2001/XMLSchema}"

_compiled = threading.local()


def compiled(message_type: MessageType) -> etree.XMLSchema:
    """Give the compiled XSD of this thread (RFC: XML Schema 1.0, libxml2).

    One for each thread, kept for good: an lxml schema has a single error log, and two threads that validate with
    the same object would read each other's messages out of it. Compiling takes some milliseconds, once a thread.
    """
    schemas: dict[str, etree.XMLSchema] = _compiled.__dict__.setdefault("schemas", {})
    if message_type.tag not in schemas:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        schemas[message_type.tag] = etree.XMLSchema(etree.parse(str(message_type.xsd_path), parser))
    return schemas[message_type.tag]


@cache
def model(message_type: MessageType) -> xmlschema.XMLSchema:
    """Load the XSD as an object model (xmlschema), once a process; takes about half a second."""
    import xmlschema  # noqa: PLC0415 – slow to import, and a command that validates nothing should not wait for it

    return xmlschema.XMLSchema(str(message_type.xsd_path), defuse="always", allow="local")


@cache
def block_map(message_type: MessageType) -> dict[str, tuple[DataCategory, Part | None]]:
    """Map the element name of each data block to its category and part, as ``xs:appinfo`` declares them.

    Empty for a type without data blocks. Raises `ValueError` where a declared block lacks a known category.
    """
    root = model(message_type).elements[message_type.root]
    declared = [block for child in root.iterchildren() if child.local_name == "daten" for block in child]
    return {str(element.local_name): _category_and_part(element) for element in declared}


def _category_and_part(element: XsdComponent) -> tuple[DataCategory, Part | None]:
    appinfos = element.annotation.appinfo if element.annotation is not None else []
    info = {child.tag: child.text or "" for appinfo in appinfos for child in appinfo}
    part = info.get(f"{{{APPINFO_NS}}}teil")
    return DataCategory(info.get(f"{{{APPINFO_NS}}}kategorie", "")), Part(part) if part else None


@cache
def known_names() -> frozenset[str]:
    """Names of all elements and attributes that any registered XSD declares.

    Only these may be repeated in a violation: another name in a message may itself be about a person.
    """
    names = set()
    for path in {p for t in MESSAGE_TYPES for p in xsd_files(t)}:
        tree = etree.parse(path)
        for kind in ("element", "attribute"):
            names |= {node.get("name", "") for node in tree.iter(_XSD_NS + kind)}
    return frozenset(names - {""})


def xsd_files(message_type: MessageType) -> tuple[str, ...]:
    """Paths of the XSD and of all that it includes or imports, relative ones resolved, the main one first."""
    seen: dict[str, None] = {}
    waiting = [message_type.xsd_path]
    while waiting:
        path = waiting.pop()
        if str(path) in seen:
            continue
        seen[str(path)] = None
        root = etree.parse(str(path)).getroot()
        links = [n.get("schemaLocation", "") for k in ("include", "import") for n in root.iter(_XSD_NS + k)]
        waiting += [(path.parent / link).resolve() for link in links]
    return tuple(seen)
