"""Filling sentences: units with their articles, names, norms as lawyers cite them, and days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from consent.explanation.sentences import ConditionSaid, Language, Said, Sentences, UnitSaid, sentences
from consent.gates.case import Case
from consent.norm import Norm
from consent.rows import DutyRow, Lasts, Regime
from schemas.identifiers import DataCategory

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DATIVE = 1
_AND = {Language.DE: "und", Language.EN: "and"}
_ROLES = {Language.DE: ("absendende", "empfangende"), Language.EN: ("sending", "receiving")}
_PASSED_ON = {
    Language.DE: {False: ("übermittelt", "übermitteln"), True: ("weitergegeben", "weitergeben")},
    Language.EN: {False: ("transferred", "transfer"), True: ("passed on", "pass on")},
}
"""Between two controllers, and inside one."""
_OF_SOCIAL_DATA = ("SGB X § 67b", "SGB X § 67d", "SGB X § 69")
"""Norms that bind senders of Sozialdaten alone."""
_OTHERWISE = {Regime.ASYLBLG: ("DSGVO Art. 6 Abs. 1", "DSG NRW"), Regime.BEISTAND_68: ("SGB VIII § 68",)}
"""What binds the others where a reason names nothing else."""
_YOUTH, _ASKED, _ASKED_BY_YOUTH = "SGB8", ("SGB X § 67a",), ("SGB VIII § 62",)
"""The Jugendamt collects by a norm of its own."""


@dataclass(frozen=True, slots=True)
class Words:
    """Fills the sentences of one case in one language."""

    case: Case
    language: Language
    use: bool = False
    """The two sides are one controller."""

    @property
    def all(self) -> Sentences:
        """All sentences."""
        return sentences()

    def fill(self, said: Said, **more: Any) -> str:  # noqa: ANN401 - what stands in a sentence: words and numbers
        """Fill a sentence."""
        return said.spoken(self.language).format(**self._known(), **more)

    def frame(self, name: str, **more: Any) -> str:  # noqa: ANN401 - see `fill`
        """Fill a sentence of the frame."""
        return self.fill(self.all.frames[name], **more)

    def _known(self) -> Mapping[str, str]:
        sender, recipient = self._sides()
        passed, to_pass = _PASSED_ON[self.language][self.use]
        return {
            "uebermittelt": passed,
            "uebermitteln": to_pass,
            "absender": sender[0],
            "dem_absender": sender[1],
            "vom_absender": f"von {sender[1]}".replace("von dem ", "vom "),
            "Absender": _begun(sender[0]),
            "empfaenger": recipient[0],
            "dem_empfaenger": recipient[1],
            "den_empfaenger": recipient[2],
            "Empfaenger": _begun(recipient[0]),
            "zweck": self.named("purpose", self.case.purpose.code, self.case.purpose.name),
            "modus": self.all.modes[self.case.facts.mode.value].spoken(self.language),
        }

    def _sides(self) -> list[tuple[str, ...]]:
        """Return both sides in their cases; where both are units of one kind, with their roles."""
        units = (self.case.sender, self.case.recipient)
        found = [self._unit(row.code.value, row.name) for row in units]
        if units[0].code is units[1].code:
            roles = _ROLES[self.language]
            return [
                tuple(_in_role(form, role, place) for place, form in enumerate(forms))
                for forms, role in zip(found, roles, strict=True)
            ]
        return found

    def _unit(self, code: str, name: str) -> tuple[str, ...]:
        return self.all.units.get(code, UnitSaid((name, name, name), name)).spoken(self.language)

    def named(self, kind: str, code: str, german: str) -> str:
        """Return the name of a row: German as it stands in the row, English as it stands beside it."""
        return german if self.language is Language.DE else self.all.names[kind].get(code, german)

    def condition(self, code: str) -> ConditionSaid:
        """Return what is said of a condition; of one that only the catalogue knows, by its row's name."""
        if (said := self.all.conditions.get(code)) is not None:
            return said
        name = _plain(self.case.day.conditions[code].name)
        return ConditionSaid(
            met=Said(f"Die Bedingung „{name}“ ist erfüllt.", f"The condition “{name}” is met."),
            unmet=Said(f"Die Bedingung „{name}“ ist nicht erfüllt.", f"The condition “{name}” is not met."),
            remedy=Said(
                f"Übermitteln Sie diese Daten erst, wenn die Bedingung „{name}“ erfüllt ist: {{kategorien}}.",
                f"Transfer these data only where the condition “{name}” is met: {{kategorien}}.",
            ),
        )

    def duty(self, row: DutyRow) -> Said:
        """Return what is said of a duty; of one that only the catalogue knows, its row's name."""
        if (said := self.all.duties.get(row.code)) is not None:
            return said
        until = ", {frist}" if row.lasts is Lasts.FRIST else ""
        return Said(f"Pflicht: {_plain(row.name)}{until}.", f"Duty: {_plain(row.name)}{until}.")

    def categories(self, codes: Iterable[DataCategory]) -> str:
        """Return names of categories, each once."""
        rows = self.case.day.categories
        return ", ".join(self.named("category", code.value, rows[code].name) for code in dict.fromkeys(codes))

    def lacking(self, fields: Iterable[str]) -> str:
        """Return names of what is missing."""
        rows = self.case.day.declarations
        return ", ".join(self.named("declaration", field, rows[field].name) for field in dict.fromkeys(fields))

    def norms(self, norms: Iterable[str]) -> str:
        """Return norms as lawyers cite them: the statute behind."""
        found = [cited(norm) for norm in self._binding(norms)]
        *first, last = found or [""]
        return f"{', '.join(first)} {_AND[self.language]} {last}" if first else last

    def on_norms(self, text: str, norms: Iterable[str]) -> str:
        """Put norms that a text does not name behind it, before its full stop."""
        unnamed = [cited(norm) for norm in self._binding(norms) if cited(norm) not in text]
        return f"{text.removesuffix('.')} ({', '.join(unnamed)})." if unnamed else text

    def _binding(self, norms: Iterable[str]) -> tuple[str, ...]:
        """Return norms that bind this sender, each once, and none of which a closer one is there."""
        left = tuple(norms)
        if self.case.sender.regime in _OTHERWISE:
            left = _without(left, _OF_SOCIAL_DATA, _OTHERWISE[self.case.sender.regime])
        if self.case.recipient.controller == _YOUTH:
            left = _without(left, _ASKED, _ASKED_BY_YOUTH)
        found = {norm: Norm.parse(norm) for norm in left}
        return tuple(
            norm
            for norm, place in found.items()
            if not any(other != place and other.lies_in(place) for other in found.values())
        )

    def day(self, day: date) -> str:
        """Write a day."""
        if self.language is Language.DE:
            return f"{day.day:02}.{day.month:02}.{day.year}"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def cited(norm: str) -> str:
    """Write ``SGB X § 69 Abs. 1`` as ``§ 69 Abs. 1 SGB X``; a statute alone stays as it is."""
    for sign in (" §§ ", " § ", " Art. "):
        statute, found, place = norm.partition(sign)
        if found:
            return f"{sign.strip()} {place} {statute}"
    return norm


def _without(norms: tuple[str, ...], foreign: tuple[str, ...], instead: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out norms that bind others; where nothing else is left say what binds instead."""
    places = [Norm.parse(norm) for norm in foreign]
    left = tuple(norm for norm in norms if not any(map(Norm.parse(norm).lies_in, places)))
    return left or (instead if norms else ())


def _in_role(form: str, role: str, place: int) -> str:
    """Put a role behind the article of a name: ``das absendende Jobcenter``, ``dem absendenden Jobcenter``."""
    article, _, name = form.partition(" ")
    inflected = role.endswith("e") and (place == _DATIVE or article == "den")
    return f"{article} {role}{'n' if inflected else ''} {name}"


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain(name: str) -> str:
    """Return a name to stand in a sentence that is filled in: its braces open no place."""
    return name.replace("{", "{{").replace("}", "}}")
