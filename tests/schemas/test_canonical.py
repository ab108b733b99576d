"""Canonical JSON: the vectors of RFC 8785, and one text for one value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical import Json, NotCanonical, canonical_json

VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_the_sorting_vector_of_the_rfc() -> None:
    """Keys are sorted by UTF-16 code units (RFC 8785, 3.2.3), so a surrogate pair comes before U+FB33."""
    names: list[str] = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = json.loads(
        canonical_json(dict.fromkeys(names, "x")), object_pairs_hook=lambda pairs: [k for k, _ in pairs]
    )
    assert written == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_the_string_vector_of_the_rfc() -> None:
    """Control characters have their short escapes, others lower-case hex, and the rest stands as it is (3.2.2.2)."""
    value = '\u20ac$\u000f\nA\'B"\\\\"/'
    assert canonical_json(value) == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()


def test_literals_and_nesting() -> None:
    """No white space, lower-case literals, lists in their order."""
    assert canonical_json({"b": [1, True, None, False], "a": {}}) == b'{"a":{},"b":[1,true,null,false]}'


@given(VALUES)
def test_writing_loses_nothing(value: Json) -> None:
    """What was written reads back as what it was."""
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(0, 9), min_size=2))
def test_the_order_of_insertion_does_not_matter(value: dict[str, int]) -> None:
    """Two equal objects have one text."""
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@pytest.mark.parametrize("value", [1.5, 2**53, {1: 2}, {"a": {3}}, "\ud800", {"\ud800": 1}, b"x"])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    """Floats, large integers, other keys, other types and lone surrogates are refused."""
    with pytest.raises(NotCanonical):
        canonical_json(value)  # type: ignore[arg-type]  # the point of the test
