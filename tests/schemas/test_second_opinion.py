"""xmlschema, a library that shares no code with libxml2, agrees with it on what is valid."""

from __future__ import annotations

import copy
import warnings

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas.message_types import latest
from schemas.samples import SAMPLES
from schemas.xsd_model import compiled, model
from tests.schemas.messages import EXAMPLE, RECEIPT, message

ALL = message(list(SAMPLES))
SOURCES = {"uebermittlung": [EXAMPLE, ALL], "quittung": [RECEIPT]}
VALUES = [
    "",
    "x",
    "2026-01-01",
    "2026-02-30",
    "true",
    "-1",
    "1.00",
    "1.0",
    "DE",
    "p1",
    "p9",
    "b1",
    "Łódź",
    "Ж",
    "A" * 300,
]


def both(name: str, root: etree._Element) -> tuple[bool, bool]:
    """Give the answers of libxml2 and of xmlschema for the same bytes."""
    content = etree.tostring(root)
    resource = xmlschema.XMLResource(content, allow="none", defuse="always")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = model(latest(name)).is_valid(resource)
    return compiled(latest(name)).validate(etree.fromstring(content)), second


@pytest.mark.parametrize(("name", "content"), [(n, c) for n, cs in SOURCES.items() for c in cs])
def test_both_accept_what_is_valid(name: str, content: bytes) -> None:
    """The examples and a message with every block are valid for both."""
    assert both(name, etree.fromstring(content)) == (True, True)


def _mutate(root: etree._Element, data: st.DataObject) -> None:
    """Change one thing: a text, an attribute, a place, a copy, a removal or a name."""
    elements = [element for element in root.iter() if element is not root]
    element = data.draw(st.sampled_from(elements))
    parent = element.getparent()
    kind = data.draw(st.sampled_from(["text", "attribute", "copy", "remove", "rename", "move"]))
    if kind == "text":
        element.text = data.draw(st.sampled_from(VALUES))
    elif kind == "attribute":
        name = data.draw(st.sampled_from(["id", "person", "herkunft", "bestritten", "ursprung", "neu"]))
        element.set(name, data.draw(st.sampled_from([*VALUES, "EIGEN SELBST"])))
    elif kind == "copy":
        parent.append(copy.deepcopy(element))
    elif kind == "remove":
        parent.remove(element)
    elif kind == "rename":
        element.tag = data.draw(st.sampled_from(elements)).tag
    else:
        data.draw(st.sampled_from(elements)).append(copy.deepcopy(element))


@given(st.sampled_from([(n, c) for n, cs in SOURCES.items() for c in cs]), st.data())
@settings(max_examples=150, deadline=None)
def test_both_agree_on_mutations(source: tuple[str, bytes], data: st.DataObject) -> None:
    """After any one change the two give the same answer."""
    name, content = source
    root = etree.fromstring(content)
    _mutate(root, data)
    first, second = both(name, root)
    assert first == second
