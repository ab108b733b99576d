"""German texts of findings: rendered from the rows of the catalogue; they name categories and units, never values."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from consent.facts import Item
from consent.gates.case import Case

CATEGORIES = "{kategorien}"
REMEMBERED = 4096
"""Texts that need not be filled again: rows of the catalogue times what stands in them."""


def render(template: str, case: Case, items: Iterable[Item] = ()) -> str:
    """Fill ``{kategorien}``, ``{absender}``, ``{empfaenger}`` and ``{zweck}`` of a template with German names."""
    names = categories(case, items) if CATEGORIES in template else ""
    return _filled(template, names, case.sender.name, case.recipient.name, case.purpose.name)


@lru_cache(maxsize=REMEMBERED)
def _filled(template: str, names: str, sender: str, recipient: str, purpose: str) -> str:
    return template.format(kategorien=names, absender=sender, empfaenger=recipient, zweck=purpose)


def categories(case: Case, items: Iterable[Item]) -> str:
    """German names of the items' categories, each once, in the order of the message."""
    rows = case.day.categories
    codes = dict.fromkeys([item.category for item in items])
    return ", ".join(dict.fromkeys([rows[code].name for code in codes]))
