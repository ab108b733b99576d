"""A recorded consent, as the law looks at it (rules dossier 6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from schemas.identifiers import DataCategory


class GivenBy(StrEnum):
    """Who declared: the words of the case format."""

    PERSON = "betroffene Person"
    JUGENDLICHER = "Jugendlicher"
    KIND = "Kind"
    MUTTER = "Mutter"
    VATER = "Vater"
    BEIDE = "beide Sorgeberechtigte"
    VORMUND = "Vormund"
    BETREUER = "Betreuer"
    EHEGATTE = "Ehegatte"


class ConsentForm(StrEnum):
    """Form of the declaration (§ 67b Abs. 2 SGB X)."""

    SCHRIFTLICH = "schriftlich"
    ELEKTRONISCH = "elektronisch"
    MUENDLICH = "muendlich"


@dataclass(frozen=True, slots=True)
class ReleaseOf:
    """The professional who is released from secrecy (§ 203 StGB). Only whether a natural person is named counts."""

    natural_person: bool


@dataclass(frozen=True, slots=True)
class Consent:
    """One declaration: who, for what, to whom, which categories.

    ``*`` in purpose, recipients or categories = unlimited, which is never valid.
    """

    id: str
    person: str
    given_by: GivenBy
    granted: date | None
    purpose: str
    recipients: frozenset[str]
    """Instances; in case files unit codes, each standing for one instance."""
    categories: frozenset[str]
    form: ConsentForm
    notices: frozenset[str]
    voluntary: bool
    valid_from: date | None = None
    valid_until: date | None = None
    revoked: date | None = None
    refused: date | None = None
    documented: bool = False
    default_on: bool = False
    insight_of_minor: bool | None = None
    release_of: ReleaseOf | None = None
    recorded_by: str | None = None
    """The controller whose record it is; None in case files."""

    def names(self, category: DataCategory) -> bool:
        """Whether the declaration names the category."""
        return category.value in self.categories
