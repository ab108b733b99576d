"""Jobcenter: the contract over folder and inbox, and what is its own."""

from __future__ import annotations

from schemas.identifiers import UnitCode
from tests.adapters.contract import AdapterContract, PushContract


class TestJobcenterFolder(PushContract):
    """The contract where messages are dropped into a folder."""

    kind = "jobcenter"
    unit = UnitCode.JOBCENTER
    branch = "castrop-rauxel"
    target = "castrop-rauxel"
    names = ("-1.xml", "-3.json")


class TestJobcenterInbox(AdapterContract):
    """The contract where the office fetches."""

    kind = "jobcenter"
    unit = UnitCode.JOBCENTER
    branch = "castrop-rauxel"
