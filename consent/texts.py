"""German texts of findings: rendered from the rows of the catalogue; they name categories and units, never values."""

from __future__ import annotations

from collections.abc import Iterable

from consent.facts import Item
from consent.gates.case import Case


def render(template: str, case: Case, items: Iterable[Item] = ()) -> str:
    """Fill ``{kategorien}``, ``{absender}``, ``{empfaenger}`` and ``{zweck}`` of a template with German names."""
    return template.format(
        kategorien=categories(case, items),
        absender=case.sender.name,
        empfaenger=case.recipient.name,
        zweck=case.purpose.name,
    )


def categories(case: Case, items: Iterable[Item]) -> str:
    """German names of the items' categories, each once, in the order of the message."""
    return ", ".join(dict.fromkeys(case.day.categories[item.category].name for item in items))
