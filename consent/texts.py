"""German texts of findings: rendered from the rows of the catalogue; they name categories and units, never values."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from consent.decision import Missing
from consent.facts import Item
from consent.gates.case import Case

CATEGORIES = "{kategorien}"
LACKING = "{fehlt}"
REMEMBERED = 4096
"""Texts that need not be filled again: rows of the catalogue times what stands in them."""


def render(template: str, case: Case, items: Iterable[Item] = (), missing: Iterable[Missing] = ()) -> str:
    """Fill a template with German names.

    ``{kategorien}`` of the items, ``{fehlt}`` of what is missing, ``{absender}``, ``{empfaenger}`` and ``{zweck}``.
    """
    if "{" not in template:
        return template
    names = categories(case, items) if CATEGORIES in template else ""
    lacking = ", ".join(case.day.declarations[lack.field].name for lack in missing) if LACKING in template else ""
    return _filled(template, names, lacking, case.sender.name, case.recipient.name, case.purpose.name)


@lru_cache(maxsize=REMEMBERED)
def _filled(template: str, names: str, lacking: str, sender: str, recipient: str, purpose: str) -> str:
    return template.format(kategorien=names, fehlt=lacking, absender=sender, empfaenger=recipient, zweck=purpose)


def categories(case: Case, items: Iterable[Item]) -> str:
    """German names of the items' categories, each once, in the order of the message."""
    rows = case.day.categories
    codes = dict.fromkeys([item.category for item in items])
    return ", ".join(dict.fromkeys([rows[code].name for code in codes]))
