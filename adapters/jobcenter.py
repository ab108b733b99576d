"""Jobcenter: one controller with a Bezirksstelle in each town.

Its Fachverfahren watches a folder for XML and reads one file a transfer; the message says all that is needed, so there
is no slip. The branch chooses the place (``jobcenter-kreis-re/castrop-rauxel``); without one it is the Zentrale, so
that a message for which nobody knew the branch still lies where somebody looks. The statement of a reduction lies
beside it.
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
    kind="jobcenter",
    units={UnitCode.JOBCENTER: "zentrale"},
    accepts=frozenset({("uebermittlung", "1.0")}),
    branches=True,
    separate=False,
    channels=frozenset({"inbox", "folder"}),
    hours=WORKING_HOURS,
    plan=plan,
)
