"""Sozialamt: SGB XII, AsylbLG and Wohngeld are controllers of their own under one roof.

They mostly work with different Fachverfahren, so each has a place of its own; a town whose software serves two of them
may name one place for both. Beside the XML lies a Begleitzettel: the Posteingang sorts by it, and the E-Akte is given
the message without anybody opening it. It repeats ids and the digest, nothing about a person.
"""

from __future__ import annotations

from adapters import planning
from adapters.base import AdapterSettings, Delivery, Dialect, Package
from adapters.hours import WORKING_HOURS
from schemas.identifiers import UnitCode


def plan(delivery: Delivery, settings: AdapterSettings) -> Package:
    """Plan Begleitzettel, the statement if something was taken out, and the XML. Raises `DeliveryError`."""
    slip = planning.begleitzettel(delivery)
    return planning.package(delivery, settings, slip, *planning.statement(delivery))


DIALECT = Dialect(
    kind="sozialamt",
    units={
        UnitCode.SOZIALAMT_SGBXII: "sgb-xii",
        UnitCode.SOZIALAMT_ASYLBLG: "asylblg",
        UnitCode.WOHNGELDSTELLE: "wohngeld",
    },
    accepts=frozenset({("uebermittlung", "1.0")}),
    branches=False,
    separate=False,
    channels=frozenset({"inbox", "folder"}),
    hours=WORKING_HOURS,
    plan=plan,
)
