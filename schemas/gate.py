"""The gate: one linear pass over the bytes, before any tree exists.

It refuses what the format never needs and what libraries have been attacked through (document types, entities,
processing instructions, comments, foreign namespaces, other encodings) and enforces the `Limits`. It never repeats a
value of the message: paths hold declared names only, anything else is shown as ``*``.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NoReturn
from xml.parsers import expat

from schemas.errors import PayloadTooLarge, SchemaViolation, UnknownMessageType, Violation
from schemas.limits import Limits
from schemas.message_types import MESSAGE_TYPES, MessageType, as_of, by_root
from schemas.xsd_model import known_names

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_PREFIX = re.compile(r"[a-z0-9]{0,10}")
#: The usual beginning of a message: declaration, root element, its one namespace.
_HEAD = re.compile(
    rb"(?:<\?xml version=(['\"])1\.0\1(?: encoding=(['\"])(?i:utf-8)\2)? ?\?>)?\s*"
    rb"<(?:([a-z0-9]{1,10}):)?[A-Za-z]+\s+xmlns(?(3):\3|(?::[a-z0-9]{1,10})?)="
)
_SHORTEST_ATTRIBUTE = len(b' a=""')
_BLOCK_DEPTH = 2
_SEPARATOR = "\n"


class _Pass:
    """State of one pass; `kind` is set by the root element."""

    def __init__(self, limits: Limits, on: date | None, *, long_runs: bool) -> None:
        self.limits = limits
        self.on = on
        self.kind: MessageType | None = None
        self.stack: list[str] = []
        self.nodes = 0
        self.attributes = 0
        self.text_length = 0
        self.long_runs = long_runs
        self.children = {"daten": 0, "personen": 0}
        self.namespaces: list[tuple[str, str]] = []
        self.parser = self._parser()

    def _parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("UTF-8", _SEPARATOR)
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self.declaration
        parser.StartDoctypeDeclHandler = self.doctype
        parser.ProcessingInstructionHandler = self.instruction
        parser.CommentHandler = self.comment
        parser.StartNamespaceDeclHandler = self.namespace
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        if self.long_runs:
            parser.CharacterDataHandler = self.text
        return parser

    def refuse(self, rule: str, text: str) -> NoReturn:
        """Raise the violation, with the path and line the parser stands at."""
        raise SchemaViolation((Violation(self.path(), rule, text, self.parser.CurrentLineNumber),))

    def path(self) -> str:
        """Path of declared names; the rest is not ours to repeat."""
        known = known_names()
        names = (name.rpartition(_SEPARATOR)[2] for name in self.stack)
        return "/" + "/".join(name if name in known else "*" for name in names)

    def declaration(self, version: str, encoding: str | None, _standalone: int) -> None:
        if version != "1.0":
            self.refuse("AB-XML-VERSION", "Nur XML 1.0 wird angenommen.")
        if encoding is not None and encoding.upper() != "UTF-8":
            self.refuse("AB-KODIERUNG", "Nur UTF-8 wird angenommen; die XML-Deklaration nennt eine andere Kodierung.")

    def doctype(self, *_: object) -> None:
        self.refuse("AB-DOCTYPE", "Dokumenttyp-Deklarationen und Entitäten werden nicht angenommen; bitte entfernen.")

    def instruction(self, *_: object) -> None:
        self.refuse("AB-ANWEISUNG", "Verarbeitungsanweisungen (<?…?>) werden nicht angenommen; bitte entfernen.")

    def comment(self, _text: str) -> None:
        self.refuse("AB-KOMMENTAR", "Kommentare sind freier Text ohne Datenkategorie; bitte entfernen.")

    def namespace(self, prefix: str | None, uri: str | None) -> None:
        if not uri:  # xmlns="" takes a default namespace back and says nothing
            return
        if self.kind is not None:
            self.refuse_namespace(uri)
        self.namespaces.append((prefix or "", uri))

    def refuse_namespace(self, uri: str) -> NoReturn:
        if uri == _XSI:
            self.refuse(
                "AB-XSI",
                "xsi:schemaLocation, xsi:type und xsi:nil werden nicht angenommen: das Schema kommt nie aus der "
                "Nachricht; bitte die Attribute und ihre Namensraum-Deklaration entfernen.",
            )
        self.refuse(
            "AB-NAMENSRAUM",
            "Nur das Wurzelelement deklariert einen Namensraum, nur den der Nachricht, einmal und mit einem Präfix aus "
            "höchstens zehn Kleinbuchstaben oder Ziffern; bitte die anderen Deklarationen entfernen.",
        )

    def start(self, name: str, attributes: list[str]) -> None:
        if self.kind is None:
            self.root(name)
        stack, limits = self.stack, self.limits
        depth = len(stack)
        stack.append(name)
        self.nodes += 1
        if depth == _BLOCK_DEPTH and stack[1] in self.children:
            self.child(stack[1])
        if depth >= limits.depth:
            self.over("TIEFE", "Elemente sind tiefer geschachtelt als erlaubt", limits.depth)
        if self.nodes > limits.nodes:
            self.over("ELEMENTE", "Die Nachricht hat mehr Elemente als erlaubt", limits.nodes)
        if attributes:
            self.count_attributes(attributes)
        self.text_length = 0

    def root(self, name: str) -> None:
        namespace, _, local = name.rpartition(_SEPARATOR)
        kind = by_root(namespace, local)
        allowed = MESSAGE_TYPES if self.on is None else as_of(self.on)
        if kind is None or kind not in allowed:
            raise UnknownMessageType(tuple(t.key for t in allowed))
        self.kind = kind
        for position, (prefix, uri) in enumerate(self.namespaces):
            if position > 0 or uri != kind.namespace or not _PREFIX.fullmatch(prefix):
                self.refuse_namespace(uri)

    def child(self, parent: str) -> None:
        self.children[parent] += 1
        limit, what = (self.limits.blocks, "Datenblöcke") if parent == "daten" else (self.limits.persons, "Personen")
        if self.children[parent] > limit:
            rule = "BLOECKE" if parent == "daten" else "PERSONEN"
            self.over(rule, f"Die Nachricht hat mehr {what} als erlaubt; bitte aufteilen", limit)

    def count_attributes(self, attributes: list[str]) -> None:
        limits = self.limits
        count = len(attributes) // 2
        self.attributes += count
        if count > limits.attributes_per_element:
            self.over("ATTRIBUTE", "Ein Element hat mehr Attribute als erlaubt", limits.attributes_per_element)
        if self.attributes > limits.attributes:
            self.over("ATTRIBUTE", "Die Nachricht hat mehr Attribute als erlaubt", limits.attributes)
        if self.long_runs and max(map(len, attributes)) > limits.text:
            self.over("TEXT", "Ein Attributwert ist länger als erlaubt", limits.text)

    def end(self, _name: str) -> None:
        self.stack.pop()
        self.text_length = 0

    def text(self, data: str) -> None:
        self.text_length += len(data)
        if self.text_length > self.limits.text:
            self.over("TEXT", "Ein Text ist länger als erlaubt", self.limits.text)

    def over(self, limit: str, text: str, value: int) -> NoReturn:
        self.refuse(f"AB-GRENZE-{limit}", f"{text} (höchstens {value}).")


def check(content: bytes, limits: Limits, on: date | None = None) -> MessageType:
    """Pass the bytes through the gate and say which message type they claim to be.

    `on` is the day whose types are accepted; None accepts every registered version. Linear in the bytes. Raises
    `PayloadTooLarge`, `SchemaViolation` (with line and path) or `UnknownMessageType`.
    """
    if len(content) > limits.bytes:
        raise PayloadTooLarge(limits.bytes)
    if content.startswith((b"\xfe\xff", b"\xff\xfe")):
        raise SchemaViolation((Violation("/", "AB-KODIERUNG", "Nur UTF-8 wird angenommen, nicht UTF-16.", 1),))
    state = _Pass(limits, on, long_runs=_has_long_runs(content, limits.text))
    try:
        state.parser.Parse(content, True)
    except expat.ExpatError as error:
        raise SchemaViolation((_not_well_formed(content, state, error),)) from None
    if state.kind is None:
        raise UnknownMessageType(tuple(t.key for t in MESSAGE_TYPES))
    return state.kind


def is_plain(content: bytes, limits: Limits) -> bool:
    """Whether the bytes alone show that a message is within the limits and holds nothing forbidden, XSD permitting.

    What is not plain may still be right: then the pass decides. Plain is: the usual declaration or none; no comment,
    CDATA, document type, further instruction or entity; one namespace, on the root; and, counted from above, no more
    elements and attributes than allowed. Depth, blocks and persons remain to be seen on the tree.
    """
    if len(content) > limits.bytes or content.count(b"xmlns") != 1 or not _HEAD.match(content):
        return False
    if b"<!" in content or b"&" in content or content.count(b"<?") > 1 or content.count(b"=") > limits.attributes:
        return False
    runs = content.split(b"<")
    longest = max(map(len, runs))
    most = limits.attributes_per_element
    if len(runs) > limits.nodes or longest > limits.text:
        return False
    return longest <= most * _SHORTEST_ATTRIBUTE or all(run.count(b"=") <= most for run in runs)


def _has_long_runs(content: bytes, longest: int) -> bool:
    """Whether a text or attribute value could be over the limit; False spares the pass a call for each text.

    Both lie between two ``<``, so the longest run bounds them; only a CDATA section can join two runs.
    """
    return b"<![CDATA[" in content or max(map(len, content.split(b"<"))) > longest


def _not_well_formed(content: bytes, state: _Pass, error: expat.ExpatError) -> Violation:
    """Say in our own words what expat found; a wrong byte is told apart from wrong XML."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        return Violation(state.path(), "AB-KODIERUNG", "Die Bytes sind kein gültiges UTF-8.", line)
    text = f"Kein wohlgeformtes XML: {_EXPAT_TEXTS.get(error.code, 'die Syntax stimmt nicht')}."
    return Violation(state.path(), "AB-WOHLGEFORMT", text, error.lineno)


_EXPAT_TEXTS = {
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]: "das Dokument ist leer oder bricht ab",
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN]: "eine Auszeichnung ist nicht abgeschlossen",
    expat.errors.codes[expat.errors.XML_ERROR_TAG_MISMATCH]: "ein Endtag passt nicht zum Starttag",
    expat.errors.codes[expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]: "ein Attribut steht zweimal",
    expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: "nach dem Wurzelelement steht noch etwas",
    expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: "eine Entität ist nicht definiert",
    expat.errors.codes[expat.errors.XML_ERROR_UNBOUND_PREFIX]: "ein Namensraum-Präfix ist nicht deklariert",
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION]: "ein CDATA-Abschnitt ist nicht geschlossen",
}
