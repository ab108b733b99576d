"""Reading case files: YAML without date magic, then facts; what cannot be read is named with file, case and field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from consent.casefields import Fields, UnreadableCase, load_yaml
from consent.consents import Consent, ConsentForm, GivenBy, ReleaseOf
from consent.decision import RefusalKind
from consent.facts import FirstCollection, Item, Objection, ObjectionScope, Party, PersonFacts, TransferFacts
from schemas.declarations import Declarations, Received, RegisteredProcedure
from schemas.identifiers import DataCategory, Mode, OriginMark, Part, Purpose, UnitCode

PERSON = "p1"
"""The one person of a case."""
_ADULT = 18
_CASE = {
    "expected_alt",
    "id",
    "title",
    "facts",
    "expected",
    "norms",
    "reason",
    "source",
    "confidence",
    "same_controller",
}
_FACTS = {
    *("sender", "recipient", "same_controller", "purpose", "date", "mode", "person", "categories", "origin"),
    *("first_collection", "consent", "objection", "declarations"),
}
_EXPECTED = {"outcome", "remove", "code", "kind", "duties", "alternative_reading"}
_CONSENT = {
    *("given_by", "granted", "valid_from", "valid_until", "revoked", "refused", "form", "documented", "default_on"),
    *("purpose", "recipients", "categories", "notices", "voluntary", "insight_of_minor", "release_of", "language"),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the file says the answer must be."""

    outcome: str
    remove: frozenset[str]
    code: str | None
    kind: str | None
    duties: frozenset[str]


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One case of a file: facts, the day, and what is expected."""

    id: str
    on: date
    facts: TransferFacts
    expected: Expected
    norms: tuple[str, ...]


def read_cases(path: Path) -> list[CaseRecord]:
    """Read a case file. Raises `UnreadableCase`."""
    try:
        document = load_yaml(path.read_bytes())
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise UnreadableCase(str(path), "-", "-", f"nicht zu lesen: {error}") from error
    if not isinstance(document, dict) or set(document) != {"cases"} or not isinstance(document["cases"], list):
        raise UnreadableCase(str(path), "-", "cases", "die Datei hat genau einen Schlüssel, „cases“, mit einer Liste")
    found: dict[str, CaseRecord] = {}
    for number, entry in enumerate(document["cases"], start=1):
        name = entry.get("id") if isinstance(entry, dict) else None
        reader = _Reader(str(path), str(name or f"Fall {number}"))
        case = reader.case(entry)
        if case.id in found:
            raise reader.wrong("id", "steht zweimal in der Datei")
        found[case.id] = case
    return list(found.values())


class _Reader(Fields):
    """Reads one case."""

    def case(self, entry: Any) -> CaseRecord:  # noqa: ANN401  what YAML gives
        case = self.table(entry, "case", _CASE)
        facts = self.table(self.required(case, "facts", "case"), "facts", _FACTS)
        norms = tuple(self.text(norm, "norms") for norm in self.listed(case.get("norms"), "norms"))
        declared = [table["same_controller"] for table in (case, facts) if table.get("same_controller") is not None]
        if len(set(declared)) > 1:
            raise self.wrong("same_controller", "steht zweimal und verschieden")
        same = self.flag(declared[0], "same_controller") if declared else None
        on = self.day(facts, "date", "facts")
        if on is None:
            raise self.wrong("facts.date", "fehlt")
        return CaseRecord(
            id=self.text(self.required(case, "id", "case"), "id"),
            on=on,
            facts=self.facts(facts, same),
            expected=self.expected(self.table(self.required(case, "expected", "case"), "expected", _EXPECTED)),
            norms=norms,
        )

    def facts(self, facts: Mapping[str, Any], same: bool | None) -> TransferFacts:
        declared = self.table(facts.get("declarations") or {}, "declarations", DECLARATION_KEYS)
        person = self.table(facts.get("person") or {}, "person", {"age", "situation"})
        age = self.number(person.get("age"), "person.age")
        return TransferFacts(
            sender=self.party(facts, "sender"),
            recipient=self.party(facts, "recipient"),
            purpose=Purpose(self.text(self.required(facts, "purpose", "facts"), "facts.purpose")),
            mode=self.word(Mode, self.required(facts, "mode", "facts"), "facts.mode"),
            persons=(PersonFacts(PERSON, age, is_child=age is not None and age < _ADULT),),
            items=self.items(facts, declared),
            declarations=self.declarations(declared),
            first_collection=self.first_collection(facts.get("first_collection")),
            consents=self.consents(facts.get("consent")),
            objections=self.objections(facts.get("objection")),
            same_controller=same,
            transfer_id=self.name,
        )

    def party(self, facts: Mapping[str, Any], field: str) -> Party:
        unit = self.word(UnitCode, self.required(facts, field, "facts"), f"facts.{field}")
        return Party(unit.value, unit)

    def items(self, facts: Mapping[str, Any], declared: Mapping[str, Any]) -> tuple[Item, ...]:
        origin = facts.get("origin") or {}
        if not isinstance(origin, dict):
            raise self.wrong("facts.origin", "ordnet Kategorien eine Marke oder eine Liste von Marken zu")
        marks = {
            self.word(DataCategory, category, "facts.origin"): self.marks(given, f"facts.origin.{category}")
            for category, given in origin.items()
        }
        parts = {DataCategory.SCHULDEN: Part.MIET} if declared.get("schulden_typ") == "MIET" else {}
        categories = self.words(DataCategory, facts.get("categories"), "facts.categories")
        return tuple(
            Item(
                id=f"{place}-{category.value}",
                person=PERSON,
                category=category,
                part=parts.get(category),
                marks=marks.get(category, frozenset()),
                contested=OriginMark.STRITTIG in marks.get(category, ()),
            )
            for place, category in enumerate(categories, start=1)
        )

    def marks(self, given: Any, field: str) -> frozenset[OriginMark]:  # noqa: ANN401  what YAML gives
        listed = given is None or isinstance(given, list)
        return frozenset(self.words(OriginMark, given if listed else [given], field))

    def first_collection(self, entry: Any) -> FirstCollection | None:  # noqa: ANN401  what YAML gives
        if entry is None:
            return None
        known = {"status", "asked", "deadline", "norm", "reason_code", "why", "text"}
        table = self.table(entry, "first_collection", known)
        return FirstCollection(
            status=self.text(self.required(table, "status", "first_collection"), "first_collection.status"),
            asked=self.day(table, "asked", "first_collection"),
            deadline=self.day(table, "deadline", "first_collection"),
            norm=self.optional_text(table, "norm", "first_collection"),
            reason_code=self.optional_text(table, "reason_code", "first_collection"),
        )

    def consents(self, entry: Any) -> tuple[Consent, ...]:  # noqa: ANN401  what YAML gives
        if entry is None:
            return ()
        table = self.table(entry, "consent", _CONSENT)

        def texts(field: str) -> frozenset[str]:
            return frozenset(
                self.text(text, f"consent.{field}") for text in self.listed(table.get(field), f"consent.{field}")
            )

        granted, valid_from, valid_until, revoked, refused = (
            self.day(table, name, "consent") for name in _CONSENT_DAYS
        )
        insight = table.get("insight_of_minor")
        consent = Consent(
            id="c1",
            person=PERSON,
            given_by=self.word(GivenBy, self.required(table, "given_by", "consent"), "consent.given_by"),
            purpose=self.optional_text(table, "purpose", "consent") or "",
            recipients=texts("recipients"),
            categories=texts("categories"),
            form=self.word(ConsentForm, table.get("form") or ConsentForm.MUENDLICH.value, "consent.form"),
            notices=texts("notices"),
            voluntary=self.flag(table.get("voluntary"), "consent.voluntary"),
            documented=self.flag(table.get("documented"), "consent.documented"),
            default_on=self.flag(table.get("default_on"), "consent.default_on"),
            insight_of_minor=None if insight is None else self.flag(insight, "consent.insight_of_minor"),
            release_of=self.release(table.get("release_of")),
            granted=granted,
            valid_from=valid_from,
            valid_until=valid_until,
            revoked=revoked,
            refused=refused,
        )
        return (consent,)

    def release(self, entry: Any) -> ReleaseOf | None:  # noqa: ANN401  what YAML gives
        if entry is None:
            return None
        table = self.table(entry, "consent.release_of", {"name", "natural_person"})
        return ReleaseOf(self.flag(table.get("natural_person"), "consent.release_of.natural_person"))

    def objections(self, entry: Any) -> tuple[Objection, ...]:  # noqa: ANN401  what YAML gives
        if entry is None:
            return ()
        table = self.table(entry, "objection", {"by", "date", "scope"})
        by = table.get("by") or GivenBy.PERSON.value
        day = self.day(table, "date", "objection")
        scope = str(table.get("scope"))
        if day is None:
            raise self.wrong("objection.date", "fehlt")
        narrow = scope in {ObjectionScope.PAR76.value, ObjectionScope.ART21.value}
        return (
            Objection(
                day, ObjectionScope(scope) if narrow else ObjectionScope.ALLE, self.word(GivenBy, by, "objection.by")
            ),
        )

    def declarations(self, table: Mapping[str, Any]) -> Declarations:
        values = {
            name: read(self, table[name], f"declarations.{name}")
            for name, read in _DECLARATIONS.items()
            if table.get(name) is not None
        }
        received = Received(**{name: values.pop(name) for name in _RECEIVED if name in values})
        entry = {name: values.pop(name) for name in _PROCEDURE if name in values}
        verfahren = RegisteredProcedure(**entry) if "verfahren_id" in entry else None
        return Declarations(received=received, verfahren=verfahren, **values)

    def expected(self, table: Mapping[str, Any]) -> Expected:
        outcome = self.text(self.required(table, "outcome", "expected"), "expected.outcome")
        if outcome not in {"PERMIT", "PERMIT_REDUCED", "DENY"}:
            raise self.wrong("expected.outcome", "heißt PERMIT, PERMIT_REDUCED oder DENY")
        kind = None if table.get("kind") is None else self.word(RefusalKind, table["kind"], "expected.kind").value
        return Expected(
            outcome=outcome,
            remove=frozenset(c.value for c in self.words(DataCategory, table.get("remove"), "expected.remove")),
            code=self.optional_text(table, "code", "expected"),
            kind=kind,
            duties=frozenset(
                self.text(duty, "expected.duties") for duty in self.listed(table.get("duties"), "expected.duties")
            ),
        )


def _answer(reader: _Reader, value: Any, field: str) -> str:  # noqa: ANN401  what YAML gives
    if value not in {"nein", "ja", "unklar"}:
        raise reader.wrong(field, "heißt nein, ja oder unklar")
    return str(value)


def _sorge(reader: _Reader, value: Any, field: str) -> str:  # noqa: ANN401  what YAML gives
    if value not in {"gemeinsam", "allein"}:
        raise reader.wrong(field, "heißt gemeinsam oder allein")
    return str(value)


def _texts(reader: _Reader, value: Any, field: str) -> frozenset[str]:  # noqa: ANN401  what YAML gives
    return frozenset(reader.text(one, field) for one in reader.listed(value, field))


def _categories(reader: _Reader, value: Any, field: str) -> frozenset[DataCategory]:  # noqa: ANN401  what YAML gives
    return frozenset(reader.words(DataCategory, value, field))


def _purpose(reader: _Reader, value: Any, field: str) -> Purpose:  # noqa: ANN401  what YAML gives
    return Purpose(reader.text(value, field))


_CONSENT_DAYS = ("granted", "valid_from", "valid_until", "revoked", "refused")
_RECEIVED = ("ursprung", "ursprungszweck", "ursprungsmarke")
_PROCEDURE = ("verfahren_id", "status", "genehmigt", "ldi_unterrichtet", "kategorien")
_READ = Callable[[_Reader, Any, str], Any]
_FLAG: _READ = _Reader.flag
_DAY: _READ = _Reader.as_day
_TEXT: _READ = _Reader.text
_DECLARATIONS: Mapping[str, _READ] = {
    "konkreter_bedarf": _FLAG,
    "bedingungen": _texts,
    "par64_2_erfolg_gefaehrdet": _answer,
    "fachkraft": _TEXT,
    "par65_key": _TEXT,
    "anvertraut_von": _TEXT,
    "absender_beruf_203": _categories,
    "hinweis_par76": _DAY,
    "verfahrensbeginn": _DAY,
    "gewichtige_anhaltspunkte": _FLAG,
    "dringend": _FLAG,
    "gefahrrelevant": _categories,
    "anhaltspunkte_schutz": _FLAG,
    "schutzanschrift_im_register": _FLAG,
    "ersuchen_vom": _DAY,
    "leitung_entschieden": _FLAG,
    "norm": _TEXT,
    "richterliche_anordnung": _DAY,
    "verpflichtung_privat": _DAY,
    "verfahren_id": _TEXT,
    "status": _TEXT,
    "genehmigt": _FLAG,
    "ldi_unterrichtet": _DAY,
    "kategorien": _categories,
    "anzahl_personen": _Reader.number,
    "ursprung": lambda reader, value, field: reader.word(UnitCode, value, field),
    "ursprungszweck": _purpose,
    "ursprungsmarke": lambda reader, value, field: reader.word(OriginMark, value, field),
    "mahnung_am": _DAY,
    "mahnung_mit_hinweis": _FLAG,
    "frist_bis": _DAY,
    "gerichtsverfahren": _FLAG,
    "haushaltsmitglieder_eingewilligt": _FLAG,
    "nachweis_fuer_anspruch": _FLAG,
    "fortdauernder_zustand": _FLAG,
    "ordnungsmerkmal_typ": _TEXT,
    "sorge": _sorge,
    "betreuer_aufgabenkreis": _FLAG,
    "anhang": _TEXT,
    "kategorien_erklaert": _FLAG,
    "anderer_traeger": _FLAG,
    "raeumungstermin": _DAY,
}
DECLARATION_KEYS = frozenset({*_DECLARATIONS, "schulden_typ", "text"})
