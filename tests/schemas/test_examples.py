"""The examples are messages that pass the gate."""

from __future__ import annotations

import pytest

from schemas.examples import EXAMPLE_TYPES, example
from schemas.message_types import MESSAGE_TYPES
from schemas.quittung import QuittungStatus
from schemas.xml import require_identities, validate, validate_quittung


def test_each_type_has_an_example() -> None:
    """No registered type is without one."""
    assert set(EXAMPLE_TYPES) == {message_type.name for message_type in MESSAGE_TYPES}
    assert all(example(name) for name in EXAMPLE_TYPES)


def test_the_handover_is_valid_and_complete() -> None:
    """The example of a handover could be submitted: every person has an identity."""
    payload = validate(example("uebermittlung").encode())
    require_identities(payload)
    assert (payload.head.purpose, len(payload.persons), len(payload.blocks)) == ("RECHTSKREISWECHSEL", 2, 13)


def test_the_receipt_answers_the_handover() -> None:
    """The example of a receipt refers to the example of a handover."""
    receipt = validate_quittung(example("quittung").encode())
    assert receipt.reply_to == validate(example("uebermittlung").encode()).head.message_id
    assert receipt.status is QuittungStatus.ANGENOMMEN


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """The error teaches which examples there are."""
    with pytest.raises(KeyError, match="uebermittlung, quittung"):
        example("rechnung")
