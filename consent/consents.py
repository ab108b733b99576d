"""A recorded consent, as the law looks at it (rules dossier 6.1)."""

from __future__ import annotations

from calendar import monthrange
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


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a declaration is judged against: the transfer, the person and the figures of the law on that day."""

    purpose: str
    recipient: str
    """The recipient's instance."""
    on: date
    age: int | None
    sole_custody: bool
    carer_covers: bool
    """The Betreuer's task covers it."""
    insight_age: int
    adult_age: int
    default_months: int
    health_form: bool
    """Whether consent to health data needs writing on that day (§ 67b Abs. 2 Satz 2 SGB X, since 2019-11-26)."""
    one_parent_for_e: bool


PAUSCHAL = "EINWILLIGUNG_PAUSCHAL"
VERWEIGERT = "EINWILLIGUNG_VERWEIGERT"
FALSCHE_PERSON = "EINWILLIGUNG_FALSCHE_PERSON"
ALTER = "EINWILLIGUNG_ALTER"
SORGE = "EINWILLIGUNG_SORGE"
FORM = "EINWILLIGUNG_FORM"
WIDERRUFEN = "EINWILLIGUNG_WIDERRUFEN"
AGE_UNKNOWN = "UNVOLLSTAENDIG"

ORDER = (
    PAUSCHAL,
    VERWEIGERT,
    AGE_UNKNOWN,
    FALSCHE_PERSON,
    ALTER,
    "EINWILLIGUNG_ZWECK",
    "EINWILLIGUNG_EMPFAENGER",
    "EINWILLIGUNG_HINWEIS",
    "EINWILLIGUNG_UNFREIWILLIG",
    "EINWILLIGUNG_OPTOUT",
    FORM,
    "EINWILLIGUNG_NOCH_NICHT",
    WIDERRUFEN,
    "EINWILLIGUNG_ABGELAUFEN",
    SORGE,
)
"""Order in which faults are asked (settled reading D 21); SORGE, being per item, comes after the others (22)."""

NOTICES = frozenset({"zweck", "folgen_der_verweigerung", "widerruf"})
UNLIMITED = "*"
_BOTH_PARENTS = frozenset({"E", "G", "J", "A9", "A10"})
_REPRESENTATIVES = frozenset({GivenBy.MUTTER, GivenBy.VATER, GivenBy.BEIDE, GivenBy.VORMUND})
_MINOR_THEMSELVES = frozenset({GivenBy.PERSON, GivenBy.JUGENDLICHER, GivenBy.KIND})


def fault(consent: Consent, c: Circumstances) -> str | None:
    """Return the first fault of the whole declaration, None where it has none (settled reading D 21).

    A valid declaration can still fail for single items: `item_fault`, and whether it names the category.
    """
    tests = (
        (PAUSCHAL, UNLIMITED in {consent.purpose, *consent.recipients, *consent.categories}),
        (VERWEIGERT, refused(consent, c.on)),
        (AGE_UNKNOWN, c.age is None),
        (FALSCHE_PERSON, wrong_person(consent, c)),
        (ALTER, not decides_alone(c, consent.insight_of_minor) and consent.given_by in _MINOR_THEMSELVES),
        ("EINWILLIGUNG_ZWECK", consent.purpose != c.purpose),
        ("EINWILLIGUNG_EMPFAENGER", c.recipient not in consent.recipients),
        ("EINWILLIGUNG_HINWEIS", not consent.notices >= NOTICES),
        ("EINWILLIGUNG_UNFREIWILLIG", not consent.voluntary),
        ("EINWILLIGUNG_OPTOUT", consent.default_on),
        (FORM, consent.form is ConsentForm.MUENDLICH and not consent.documented),
        ("EINWILLIGUNG_NOCH_NICHT", not begun(consent, c.on)),
        (WIDERRUFEN, withdrawn(consent, c.on)),
        ("EINWILLIGUNG_ABGELAUFEN", consent.granted is not None and _end(consent, c) < c.on),
    )
    return next((code for code, holds in tests if holds), None)


def item_fault(consent: Consent, klass: str, c: Circumstances) -> str | None:
    """Return the first fault for an item of that class: one parent only, or health data by word of mouth."""
    needs_both = klass in _BOTH_PARENTS and not (klass == "E" and c.one_parent_for_e)
    if needs_both and not c.sole_custody and consent.given_by in {GivenBy.MUTTER, GivenBy.VATER}:
        return SORGE
    if klass == "G" and c.health_form and consent.form is ConsentForm.MUENDLICH:
        return FORM
    return None


def decides_alone(c: Circumstances, insight: bool | None) -> bool:
    """15 and over with insight decide alone (settled reading D 23); insight is presumed. An unknown age does not."""
    if c.age is None:
        return False
    return c.age >= c.adult_age or (c.age >= c.insight_age and insight is not False)


def wrong_person(consent: Consent, c: Circumstances) -> bool:
    """Someone signed for a person who decides alone, or is neither the person nor the representative."""
    if c.age is not None and c.age >= c.adult_age:
        by_carer = consent.given_by is GivenBy.BETREUER and c.carer_covers
        return not by_carer and consent.given_by is not GivenBy.PERSON
    if decides_alone(c, consent.insight_of_minor):
        return consent.given_by not in _MINOR_THEMSELVES
    return consent.given_by not in _REPRESENTATIVES | _MINOR_THEMSELVES


def refused(consent: Consent, on: date) -> bool:
    """Whether the person has said no by that day."""
    return consent.refused is not None and consent.refused <= on


def withdrawn(consent: Consent, on: date) -> bool:
    """Whether the declaration was withdrawn by that day; on the day itself it is (settled reading D 22)."""
    return consent.revoked is not None and consent.revoked <= on


def begun(consent: Consent, on: date) -> bool:
    """Whether the declaration was granted, and counts, by that day."""
    if consent.granted is None:
        return False
    return max(consent.granted, consent.valid_from or consent.granted) <= on


def stops(consent: Consent, purpose: str, recipient: str, on: date) -> str | None:
    """Return the code of a no for this purpose and recipient: refused or withdrawn (settled reading C 13), else None.

    A refusal of everything (``*``) is a refusal of this, too.
    """
    if consent.purpose not in {purpose, UNLIMITED} or consent.recipients.isdisjoint({recipient, UNLIMITED}):
        return None
    if refused(consent, on):
        return VERWEIGERT
    return WIDERRUFEN if withdrawn(consent, on) else None


def said_no(consent: Consent, on: date) -> date:
    """Return the latest day up to `on` on which it was refused or withdrawn; for a declaration that `stops`."""
    return max(day for day in (consent.refused, consent.revoked) if day is not None and day <= on)


def _end(consent: Consent, c: Circumstances) -> date:
    if consent.valid_until is not None:
        return consent.valid_until
    return add_months(consent.granted or c.on, c.default_months)


def add_months(day: date, months: int) -> date:
    """Add calendar months; a day that the month does not have becomes its last one."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
