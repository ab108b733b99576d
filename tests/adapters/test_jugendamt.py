"""Jugendamt: the contract over folder and inbox, and what is its own."""

from __future__ import annotations

from schemas.identifiers import UnitCode
from tests.adapters.contract import AdapterContract, PushContract


class TestJugendamtFolder(PushContract):
    """The contract where messages are dropped into a folder."""

    kind = "jugendamt"
    unit = UnitCode.JUGENDAMT_ASD
    target = "asd"
    names = ("-1.xml", "-3.json")


class TestJugendamtInbox(AdapterContract):
    """The contract where the office fetches."""

    kind = "jugendamt"
    unit = UnitCode.JUGENDAMT_ASD
