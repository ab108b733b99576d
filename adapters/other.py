"""All other agencies, inside § 35 SGB I or outside: they fetch from their inbox, whichever units they have."""

from __future__ import annotations

from adapters import planning
from adapters.base import AdapterSettings, Delivery, Dialect, Package


def plan(delivery: Delivery, settings: AdapterSettings) -> Package:
    """Plan the XML and the statement if something was taken out. Raises `DeliveryError`."""
    return planning.package(delivery, settings, *planning.statement(delivery))


def dialect(kind: str) -> Dialect:
    """Return the plain dialect under the name of a kind of the directory."""
    return Dialect(
        kind=kind,
        units=None,
        accepts=frozenset({("uebermittlung", "1.0")}),
        branches=False,
        separate=True,
        channels=frozenset({"inbox"}),
        hours=None,
        plan=plan,
    )
