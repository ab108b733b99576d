"""Sozialamt: the contract over folder and inbox, and what is its own."""

from __future__ import annotations

from schemas.identifiers import UnitCode
from tests.adapters.contract import AdapterContract, PushContract


class TestSozialamtFolder(PushContract):
    """The contract where messages are dropped into a folder."""

    kind = "sozialamt"
    unit = UnitCode.SOZIALAMT_ASYLBLG
    target = "asylblg"
    names = ("-1.xml", "-2.json", "-3.json")


class TestSozialamtInbox(AdapterContract):
    """The contract where the office fetches."""

    kind = "sozialamt"
    unit = UnitCode.SOZIALAMT_ASYLBLG
