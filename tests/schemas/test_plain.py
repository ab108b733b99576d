"""The short way for plain messages accepts nothing that the gate's pass would refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schemas import xml
from schemas.errors import SchemasError
from schemas.gate import is_plain
from schemas.limits import DEFAULT_LIMITS, Limits
from schemas.message_types import MESSAGE_TYPES
from schemas.xml import validate
from schemas.xsd_model import model
from tests.schemas.messages import EXAMPLE, RECEIPT, message

SNIPPETS = (
    b"<!-- x -->", b"<![CDATA[x]]>", b"<!DOCTYPE a>", b"<?x y?>", b"&amp;", b"&#65;", b"&x;", b"\xff", b"\x00", b"<",
    b">", b' xmlns="urn:x"', b" xmlns:x='urn:x'", b' xsi:type="x"', b' xml:lang="de"', b' id="b1"', b' a=""' * 40,
    b"x" * 2100, b"<a>", b"</a>", b"<stammdaten/>", b"<daten/>", b"=" * 50, b"\n", b" ", b"\xc3\xa9", b"e\xcc\x81",
    b"'", b'"', b"",
)  # fmt: skip
SOURCES = (EXAMPLE, RECEIPT, message())
LIMITS = (
    DEFAULT_LIMITS,
    replace(DEFAULT_LIMITS, blocks=1),
    replace(DEFAULT_LIMITS, persons=0),
    replace(DEFAULT_LIMITS, nodes=20),
    replace(DEFAULT_LIMITS, attributes=2),
    replace(DEFAULT_LIMITS, attributes_per_element=1),
    replace(DEFAULT_LIMITS, depth=3),
    replace(DEFAULT_LIMITS, text=8),
    replace(DEFAULT_LIMITS, bytes=500),
)


def outcome(content: bytes, name: str, limits: Limits, *, short: bool) -> object:
    """Return what becomes of a message, by the short way where it is open, or step by step."""
    way = xml._accepted if short else xml._step_by_step
    try:
        kind, root = way(content, name, limits, None)
    except SchemasError as refused:
        return type(refused), getattr(refused, "violations", None) or refused.args
    return kind, etree.tostring(root)


@given(
    st.sampled_from(SOURCES),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 12), st.sampled_from(SNIPPETS)), max_size=3),
    st.sampled_from(LIMITS),
)
def test_both_ways_end_alike(source: bytes, spoils: list[tuple[int, int, bytes]], limits: Limits) -> None:
    """Whatever is put into, or taken out of, a message: the same tree, or the same first violation."""
    content = source
    for position, taken, put in spoils:
        place = position % (len(content) + 1)
        content = content[:place] + put + content[place + taken :]
    for name in ("uebermittlung", "quittung"):
        assert outcome(content, name, limits, short=True) == outcome(content, name, limits, short=False)


def test_hostile_files_are_not_plain() -> None:
    """No file of the hostile collection is accepted by the short way."""
    for path in (Path(__file__).parent / "hostile").iterdir():
        content = path.read_bytes()
        for name in ("uebermittlung", "quittung"):
            assert xml._at_once(content, name, DEFAULT_LIMITS, None) is None, path.name


def test_usual_messages_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples are plain; the pass is not made for them, and without the short way it is."""
    passes: list[bytes] = []
    check = xml.gate.check
    monkeypatch.setattr(xml.gate, "check", lambda content, *more: (passes.append(content), check(content, *more))[1])
    assert is_plain(EXAMPLE, DEFAULT_LIMITS)
    validate(EXAMPLE)
    assert passes == []
    monkeypatch.setattr(xml, "_at_once", lambda *_: None)
    validate(EXAMPLE)
    assert passes == [EXAMPLE]


def test_no_xsd_goes_deeper_than_is_taken_for_granted() -> None:
    """The short way counts no depth: the XSDs end above the bound, so a deeper message is none of theirs."""

    def depth(element: object, above: tuple[object, ...] = ()) -> int:
        kind = getattr(element, "type", None)
        assert kind not in above, "a type that holds itself has no greatest depth"
        inner = [child for child in getattr(kind, "content", ()) if hasattr(child, "type")]
        return 1 + max((depth(child, (*above, kind)) for child in inner), default=0)

    for kind in MESSAGE_TYPES:
        assert depth(model(kind).elements[kind.root]) <= xml.DEEPEST
