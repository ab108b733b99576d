"""Jugendamt: five units that must not look into each other's post.

What is entrusted to the ASD stays with it (§ 65 SGB VIII), the Beistandschaft may use its data for its own task only
(§ 68 SGB VIII), and the Sozialgeheimnis holds inside an agency too (§ 35 Abs. 1 Satz 2 SGB I): places are never
shared, and settings that would do so are refused. One XML file a transfer, not one a block type: a block's marks, its
person and the digest that the decision is bound to hold for the whole message, and a part of it would satisfy no
schema. No Begleitzettel: nobody but the unit sorts its post.
"""

from __future__ import annotations

from adapters import planning
from adapters.base import AdapterSettings, Delivery, Dialect, Package
from adapters.hours import WORKING_HOURS
from schemas.identifiers import UnitCode


def plan(delivery: Delivery, settings: AdapterSettings) -> Package:
    """Plan one XML file, and the statement if something was taken out. Raises `DeliveryError`."""
    return planning.package(delivery, settings, *planning.statement(delivery))


DIALECT = Dialect(
    kind="jugendamt",
    units={
        UnitCode.JUGENDAMT_ASD: "asd",
        UnitCode.JUGENDAMT_WJH: "wjh",
        UnitCode.JUGENDAMT_KITA: "kita",
        UnitCode.JUGENDAMT_UVG: "uvg",
        UnitCode.JUGENDAMT_BEISTAND: "beistand",
    },
    accepts=frozenset({("uebermittlung", "1.0")}),
    branches=False,
    separate=True,
    channels=frozenset({"inbox", "folder"}),
    hours=WORKING_HOURS,
    plan=plan,
)
