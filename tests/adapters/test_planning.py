"""The plans of all kinds: pure functions from a delivery to files."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import AdapterSettings, DeliveryError, Dialect
from adapters.registry import DIALECTS
from adapters.settings import read_settings
from schemas.identifiers import UnitCode
from tests.adapters.examples import CONTENT, MARKER, STATEMENT, TRANSFER, delivery

UNIT = {"jobcenter": UnitCode.JOBCENTER, "sozialamt": UnitCode.WOHNGELDSTELLE, "jugendamt": UnitCode.JUGENDAMT_UVG}
KINDS = st.sampled_from(sorted(DIALECTS))


def office(kind: str) -> tuple[Dialect, AdapterSettings, UnitCode]:
    """Return a kind's dialect, its settings for one unit, and the unit."""
    unit = UNIT.get(kind, UnitCode.BAFOEG_AMT)
    return DIALECTS[kind], read_settings(DIALECTS[kind], [unit], {}), unit


@given(kind=KINDS, transfer_id=st.one_of(st.text(max_size=120), st.from_regex(r"[\w./-]{1,40}")))
def test_names_hold_the_id_and_a_number(kind: str, transfer_id: str) -> None:
    """Whatever the id, a plan has only names made of it and a number, or there is no plan."""
    dialect, settings, unit = office(kind)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", transfer_id):
        with pytest.raises(DeliveryError, match="malformed-transfer-id"):
            dialect.plan(delivery(unit, transfer_id=transfer_id), settings)
        return
    package = dialect.plan(delivery(unit, transfer_id=transfer_id), settings)
    assert all(re.fullmatch(re.escape(transfer_id) + r"-\d\.(xml|json)", file.name) for file in package.files)


@given(kind=KINDS, content=st.binary(max_size=50), statement=st.none() | st.binary(max_size=50))
def test_message_last_and_bytes_untouched(kind: str, content: bytes, statement: bytes | None) -> None:
    """The message is the last file, once, with its own bytes; the statement is there exactly if there is one."""
    dialect, settings, unit = office(kind)
    package = dialect.plan(delivery(unit, content=content, statement=statement), settings)
    assert [file.content for file in package.files if file.name.endswith(".xml")] == [content]
    assert package.message.name.endswith("-1.xml")
    assert len({file.name for file in package.files}) == len(package.files)
    statements = [file.content for file in package.companions if file.name.endswith("-3.json")]
    assert statements == ([] if statement is None else [statement])


@pytest.mark.parametrize("kind", sorted(DIALECTS))
def test_the_same_delivery_gives_the_same_plan(kind: str) -> None:
    """A retry plans what the first attempt planned."""
    dialect, settings, unit = office(kind)
    assert dialect.plan(delivery(unit), settings) == dialect.plan(delivery(unit), settings)


def test_the_begleitzettel_names_no_person() -> None:
    """The Sozialamt's slip lets the Posteingang sort, and repeats nothing of the message."""
    dialect, settings, unit = office("sozialamt")
    slip, statement, _ = dialect.plan(delivery(unit), settings).files
    assert statement.content == STATEMENT
    assert MARKER not in slip.content.decode()
    told = json.loads(slip.content)
    assert told["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert (told["transfer_id"], told["einheit"], told["gekuerzt"]) == (TRANSFER, "WOHNGELDSTELLE", True)


def test_a_branch_chooses_the_place() -> None:
    """A Jobcenter's message lies at the Bezirksstelle, and at the Zentrale where no branch is known."""
    dialect = DIALECTS["jobcenter"]
    settings = read_settings(dialect, [UnitCode.JOBCENTER], {"branches": ["marl"]})
    assert dialect.plan(delivery(UnitCode.JOBCENTER, branch="marl"), settings).target == "marl"
    assert dialect.plan(delivery(UnitCode.JOBCENTER), settings).target == "zentrale"


def test_a_reason_code_holds_no_free_text() -> None:
    """Nothing of a message can travel in a reason code."""
    with pytest.raises(ValueError, match="lower-case words"):
        DeliveryError(retryable=True, reason_code=f"cannot read {MARKER}")
