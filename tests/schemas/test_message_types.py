"""The registry knows what is in force when, and refuses rows that contradict each other."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.errors import UnknownMessageType
from schemas.message_types import MESSAGE_TYPES, as_of, by_root, latest, load_registry
from schemas.xml import validate
from tests.schemas.messages import EXAMPLE

ROW = """
[[type]]
name = "a"
version = "{version}"
namespace = "urn:a:{version}"
root = "a"
xsd = "xsd/a.xsd"
valid_from = {begin}
"""


def test_every_type_lies_where_the_registry_says() -> None:
    """Each registered XSD exists and declares the registered root element."""
    for message_type in MESSAGE_TYPES:
        text = message_type.xsd_path.read_text(encoding="utf-8")
        assert f'targetNamespace="{message_type.namespace}"' in text
        assert f'<xs:element name="{message_type.root}"' in text


def test_a_type_is_in_force_from_its_first_to_its_last_day() -> None:
    """Both ends of a validity are inclusive."""
    (row,) = load_registry(ROW.format(version="1.0", begin="2026-01-01") + "valid_to = 2026-12-31\n")
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [row.in_force(day) for day in days] == [False, True, True, False]


def test_today_both_types_are_in_force_and_long_ago_none_was() -> None:
    """`as_of` follows the day."""
    assert as_of(date(2026, 11, 22)) == MESSAGE_TYPES
    assert as_of(date(2018, 5, 24)) == ()


def test_a_message_of_a_type_not_in_force_is_unknown_on_that_day() -> None:
    """The day given to `validate` decides which types are accepted."""
    assert validate(EXAMPLE, on=date(2026, 11, 22)).version == "1.0"
    with pytest.raises(UnknownMessageType):
        validate(EXAMPLE, on=date(2018, 5, 24))


def test_types_are_found_by_root_and_by_name() -> None:
    """Root elements and names lead to the same row; anything else to none."""
    found = latest("quittung")
    assert by_root(found.namespace, found.root) is found
    assert found.tag == "{urn:amtsbruecke:schema:quittung:1.0}quittung"
    assert by_root(found.namespace, "uebermittlung") is None
    with pytest.raises(KeyError):
        latest("rechnung")


@pytest.mark.parametrize(
    "text",
    [
        "other = 1",
        ROW.format(version="1.0", begin="2026-01-01") + "colour = 'red'\n",
        ROW.format(version="1.0", begin="2026-01-01") * 2,
        ROW.format(version="1.0", begin="2026-01-01") + "valid_to = 2025-12-31\n",
    ],
    ids=["other table", "unknown key", "twins", "end before begin"],
)
def test_a_registry_that_contradicts_itself_is_refused(text: str) -> None:
    """A wrong row stops the start, not the first message."""
    with pytest.raises(ValueError, match=r"message_types\.toml"):
        load_registry(text)
