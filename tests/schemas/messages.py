"""Messages the tests start from, and how to spoil them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.compose import AnyBlock, BlockSpec, PersonSpec, compose_quittung, compose_uebermittlung
from schemas.errors import SchemaViolation, Violation
from schemas.examples import example
from schemas.identifiers import DataCategory
from schemas.xml import validate

#: A name that stands in no schema and no text of ours.
MARKER = "Geheimname"
EXAMPLE = example("uebermittlung").encode()
RECEIPT = example("quittung").encode()
MESSAGE_ID = "11111111-2222-4333-8444-555555555555"
OTHER_ID = "99999999-2222-4333-8444-555555555555"


def message(blocks: Sequence[AnyBlock] = (DataCategory.STAMMDATEN, DataCategory.ANSCHRIFT), **more: Any) -> bytes:
    """Compose a message between two usual offices; `more` overrides any argument of `compose_uebermittlung`."""
    arguments: dict[str, Any] = {
        "message_id": MESSAGE_ID,
        "sender": "jobcenter-kreis-re:JOBCENTER",
        "recipient": "sozialamt-marl:SOZIALAMT_SGBXII",
        "purpose": "RECHTSKREISWECHSEL",
        "blocks": blocks,
        **more,
    }
    return compose_uebermittlung(**arguments)


def receipt(**more: Any) -> bytes:
    """Compose a receipt; `more` overrides any argument of `compose_quittung`."""
    arguments: dict[str, Any] = {
        "message_id": OTHER_ID,
        "transfer_id": "0d9c1f52-0001",
        "reply_to": MESSAGE_ID,
        "sender": "sozialamt-marl:SOZIALAMT_SGBXII",
        "status": "ANGENOMMEN",
        **more,
    }
    return compose_quittung(**arguments)


def spoiled(old: str, new: str, content: bytes = EXAMPLE) -> bytes:
    """Replace the first occurrence of a text that must be there."""
    assert old.encode() in content
    return content.replace(old.encode(), new.encode(), 1)


def violations_of(content: bytes) -> tuple[Violation, ...]:
    """Give the violations of a message that must be refused."""
    try:
        validate(content)
    except SchemaViolation as refused:
        return refused.violations
    raise AssertionError("the message was accepted")


def rules_of(content: bytes) -> list[str]:
    """Give the rules that a refused message breaks."""
    return [violation.rule for violation in violations_of(content)]


__all__ = ["BlockSpec", "DataCategory", "PersonSpec"]
