"""Random requests, each said twice: as facts for the engine, and as what Cedar is asked about.

A round is one purpose on one day with some switches. Routes and categories come mostly from the rows of the purpose, so
that all outcomes are common; days lie on both sides of every row's validity.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from itertools import cycle
from random import Random
from typing import Any

from consent.consents import Consent, ConsentForm, GivenBy, ReleaseOf
from consent.facts import FirstCollection, Item, Party, PersonFacts, TransferFacts
from schemas.declarations import Declarations, Received, RegisteredProcedure
from schemas.identifiers import DataCategory, Mode, OriginMark, Part, Purpose, UnitCode
from tests.consent.second.policies import tables
from tests.consent.second.tables import ANYONE, Row, counts, number

USUAL_DAY = date(2026, 3, 16)
ONE = timedelta(days=1)
SILENT = {"STRITTIG", "DRITTER"}
NOTICES = frozenset({"zweck", "folgen_der_verweigerung", "widerruf"})
CATEGORIES = [category.value for category in DataCategory]
MARKS = [mark.value for mark in OriginMark]
Context = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Round:
    """What the requests of one batch share."""

    purpose: str
    day: date
    switches: frozenset[str]


@dataclass(frozen=True, slots=True)
class Request:
    """One transfer for both: `case` is asked of the case, `items` (id → what is added) of each item."""

    facts: TransferFacts
    case: Context
    items: dict[str, Context]


@cache
def turns(purpose: str) -> tuple[list[date], list[date]]:
    """Return the two days about the first day of the law, and those about each later turn of a row.

    Where rows of the purpose itself turn, only theirs.
    """
    rows = [row for table in tables().rows.values() for row in table]
    first = min(row["valid_from"] for row in rows)
    own = [row for row in rows if purpose in {row.get("purpose"), *row.get("purposes", ())}]
    later = turned(own, first) or turned(rows, first)
    return [first - ONE, first], [day for turn in sorted(later) for day in (turn - ONE, turn)]


def turned(rows: list[Row], first: date) -> set[date]:
    """Return the days after the first on which one of the rows begins to count, or counts no more."""
    ends = {row["valid_to"] + ONE for row in rows if "valid_to" in row}
    return ({row["valid_from"] for row in rows} | ends) - {first}


def rounds(random: Random) -> Iterator[Round]:
    """Go through the purposes again and again, often at a turn of the law, often with a switch or two."""
    for purpose in cycle(tables().purposes):
        begin, later = turns(purpose)
        day = random.choice([USUAL_DAY] * 5 + [random.choice(begin)] + [random.choice(later)] * 4)
        switches = random.sample(tables().row_switches, random.choice([0, 0, 1, 2]))
        yield Round(purpose, day, frozenset(switches))


@cache
def units(the: Round) -> dict[str, Row]:
    """Return the units in force, by code."""
    return {row["code"]: row for row in tables().rows["unit"] if counts(row, the.day, the.switches)}


@cache
def classes(the: Round) -> dict[str, str]:
    """Return the class of each category in force."""
    return {row["code"]: row["class"] for row in tables().rows["category"] if counts(row, the.day, the.switches)}


def request(random: Random, the: Round) -> Request:
    """Make one request of a round."""
    rows = tables().of("row", the.purpose)
    row = random.choice(rows) if rows and random.random() < 0.95 else {}
    sender, recipient = (unit(random, row.get(name, "")) for name in ("sender", "recipient"))
    known = classes(the)
    blocks = [block(random, row, place) for place in range(random.randint(1, 4))]
    persons = {"p1": 38, "p2": random.choice([11, 12, 17, None])}
    consents = consented(random, the, recipient, blocks) if random.random() < 0.4 else None
    said, case = declared(random, the, blocks)
    record, collected = collection(random, the)
    asked = frozenset(random.sample(CATEGORIES, 20)) if random.random() < 0.3 else None
    german = random.choice([None, True, False])
    same = random.choice([*[None] * 20, False, False, True])
    facts = TransferFacts(
        sender=Party(sender, UnitCode(sender)),
        recipient=Party(recipient, UnitCode(recipient)),
        purpose=Purpose(the.purpose),
        mode=Mode(case["mode"]),
        persons=tuple(PersonFacts(ref, age, ref == "p2", german) for ref, age in persons.items()),
        items=tuple(item for item, _ in blocks),
        declarations=said,
        first_collection=record,
        requested=None if asked is None else frozenset(DataCategory(name) for name in asked),
        consents=() if consents is None else (consents,),
        same_controller=same,
    )
    concerned = {item.person for item, _ in blocks}
    case |= collected | {
        "day": number(the.day),
        "switches": sorted(the.switches),
        "german": {None: "", True: "ja", False: "nein"}[german],
        "consented": [f"p1:{name}" for name in sorted(consents.categories)] if consents else [],
        "released": consents is not None and consents.release_of is not None and consents.release_of.natural_person,
        "consent_of_all": consents is not None and concerned == {"p1"},
        "address": any(item.category is DataCategory.ANSCHRIFT for item, _ in blocks),
    }
    case |= ({} if asked is None else {"requested": sorted(asked)}) | ({} if same is None else {"same": same})
    ages = {"p1": -1, "p2": persons["p2"] or -1}
    items = {
        item.id: added | {"klass": known.get(item.category.value, ""), "child_age": ages[item.person]}
        for item, added in blocks
    }
    return Request(facts, case, items)


def unit(random: Random, pattern: str) -> str:
    """Choose a unit for one side of a row; seldom any."""
    if pattern not in {"", ANYONE} and random.random() < 0.95:
        return pattern
    social = sorted({row["code"] for row in tables().rows["unit"] if row["regime"] != "KEINES"})
    youth = [code for code in social if code.startswith("JUGENDAMT")]
    return random.choice([*social, *youth, *([unit.value for unit in UnitCode] if pattern == "" else [])])


def block(random: Random, row: Row, place: int) -> tuple[Item, Context]:
    """Make an item, mostly of a category of the row, and what is said of it."""
    named = [*row.get("necessary", ()), *row.get("conditional", {})]
    category = random.choice(named if named and random.random() < 0.8 else CATEGORIES)
    person = random.choice(["p1", "p1", "p1", "p2"])
    part = random.choice([*Part]) if random.random() < 0.15 else None
    marks = frozenset(random.sample(MARKS, random.choice([1, 1, 2]))) if random.random() < 0.2 else frozenset()
    origin = received(random) if "EMPFANGEN" in marks else None
    item = Item(
        f"i{place}",
        person,
        DataCategory(category),
        part=part,
        marks=frozenset(OriginMark(mark) for mark in marks),
        received=origin,
    )
    context: Context = {
        "category": category,
        "key": f"{person}:{category}",
        "part": part.value if part else "",
        "marks": sorted(marks - SILENT),
        "origin": (origin.ursprung or "") if origin else "",
        "origin_purpose": (origin.ursprungszweck or "") if origin else "",
    }
    came = origin.ursprungsmarke if origin else None
    if came is not None and came.value not in SILENT | {"EMPFANGEN"}:
        context["origin_mark"] = came.value
    return item, context


def received(random: Random) -> Received:
    """Say where an item came from."""
    purposes = tables().purposes
    return Received(
        ursprung=random.choice([None, UnitCode.JUGENDAMT_ASD, UnitCode.JUGENDAMT_BEISTAND, UnitCode.JOBCENTER]),
        ursprungszweck=random.choice(
            [None, *(Purpose(code) for code in random.sample(purposes, 4)), Purpose("ABGLEICH_52A")]
        ),
        ursprungsmarke=random.choice([None, None, *OriginMark]),
    )


def consented(random: Random, the: Round, recipient: str, blocks: list[tuple[Item, Context]]) -> Consent:
    """Make a valid consent of the first person that names most of the categories."""
    categories = {item.category.value for item, _ in blocks if random.random() < 0.8}
    return Consent(
        id="c1",
        person="p1",
        given_by=GivenBy.PERSON,
        granted=the.day - timedelta(days=20),
        purpose=the.purpose,
        recipients=frozenset({recipient}),
        categories=frozenset(categories),
        form=ConsentForm.SCHRIFTLICH,
        notices=NOTICES,
        voluntary=True,
        release_of=random.choice([None, ReleaseOf(natural_person=True), ReleaseOf(natural_person=False)]),
    )


def collection(random: Random, the: Round) -> tuple[FirstCollection | None, Context]:
    """Record the first collection, mostly well."""
    status = random.choice(
        ["VERSUCHT_FRUCHTLOS"] * 4 + ["UNVERHAELTNISMAESSIG", "RECHTSNORM", "AUFGABENART", "NICHT_VERSUCHT", ""]
    )
    wait, over = random.choice([13, 14, 15, 20]), random.random() < 0.9
    deadline = the.day - timedelta(days=1 if over else 0)
    reason = random.choice([row["code"] for row in tables().rows["collection_reason"]] + ["SCHNELLER"])
    norm = random.choice([row["norms"][0] for row in tables().rows["collection_norm"]] + ["SGB X § 3"])
    record = FirstCollection(status, deadline - timedelta(days=wait), deadline, norm, reason) if status else None
    return record, {"status": status, "answer_days": wait, "answer_over": over, "reason": reason, "norm": norm}


def declared(random: Random, the: Round, blocks: list[tuple[Item, Context]]) -> tuple[Declarations, Context]:
    """Declare what both sides can."""
    categories = [item.category for item, _ in blocks]
    persons = {item.person for item, _ in blocks}
    context = drawn(random, categories, "unklar" if len(persons) == 1 else "")
    age = random.choice([None, 0, 5, 6, 7, -1])
    entry = procedure(random, the, categories) if random.random() < 0.7 else None
    said = declarations(random, the, context)
    said = replace(
        said, ersuchen_vom=None if age is None else months_before(the.day, age), verfahren=entry[0] if entry else None
    )
    return said, context | ({} if age is None else {"asked": age}) | ({"entry": entry[1]} if entry else {})


def drawn(random: Random, categories: list[DataCategory], unsure: str) -> Context:
    """Draw what is declared: what supports mostly, what opposes seldom."""
    mostly, seldom = (lambda: random.random() < 0.85), (lambda: random.random() < 0.04)
    keys = [row["name"] for row in tables().rows["key"] if row["lock"] == "PAR65"]
    return {
        "mode": random.choice(["ERSUCHEN", "ERSUCHEN", "UNAUFGEFORDERT", "UNAUFGEFORDERT", "ABRUF", "REGELMAESSIG"]),
        "other_body": random.random() < 0.1,
        "par64": random.choice(["nein"] * 6 + ["ja", "", unsure]),
        "fachkraft": mostly(),
        "no_need": seldom(),
        "conditions": random.sample(["AUSL", "MB", "K12", "KOPF", "ARBG", "WEGFALL", "MIET"], 4),
        "key_65": random.choice(["", *keys]),
        "entrusted_by_person": mostly(),
        "secret": [name.value for name in categories if random.random() < 0.03],
        "noticed_76": mostly(),
        "signs": random.choice(["ja"] * 6 + ["nein", ""]),
        "urgent": mostly(),
        "relevant": [name.value for name in categories if mostly()],
        "endangered": seldom(),
        "sheltered": seldom(),
        "head": mostly(),
        "duty_87": random.random() < 0.5,
        "ordered": random.random() < 0.6,
        "committed": random.random() < 0.6,
        "people": random.choice([0, 0, 0, 50, 51]),
        "reminded": mostly(),
        "noticed_74": mostly(),
        "deadline_over": mostly(),
        "court": random.random() < 0.2,
        "household": random.random() < 0.5,
        "proves": random.random() < 0.5,
        "continuing": random.random() < 0.5,
        "tax_id": random.random() < 0.2,
    }


def declarations(random: Random, the: Round, context: Context) -> Declarations:
    """Say the same to the engine."""
    late = the.day + ONE
    return Declarations(
        konkreter_bedarf=False if context["no_need"] else random.choice([None, True]),
        bedingungen=frozenset(context["conditions"]),
        par64_2_erfolg_gefaehrdet=context["par64"] or None,
        fachkraft="F" if context["fachkraft"] else None,
        par65_key=context["key_65"] or None,
        anvertraut_von="betroffene Person" if context["entrusted_by_person"] else random.choice([None, "Mutter"]),
        absender_beruf_203=frozenset(DataCategory(name) for name in context["secret"]),
        hinweis_par76=the.day - timedelta(days=1) if context["noticed_76"] else random.choice([None, the.day]),
        gewichtige_anhaltspunkte={"ja": True, "nein": False, "": None}[context["signs"]],
        dringend=True if context["urgent"] else random.choice([None, False]),
        gefahrrelevant=frozenset(DataCategory(name) for name in context["relevant"]),
        anhaltspunkte_schutz=context["endangered"],
        schutzanschrift_im_register=context["sheltered"],
        leitung_entschieden=context["head"],
        norm="AufenthG § 87 Abs. 2" if context["duty_87"] else random.choice([None, "AufenthG § 90"]),
        richterliche_anordnung=the.day if context["ordered"] else random.choice([None, late]),
        verpflichtung_privat=the.day if context["committed"] else random.choice([None, late]),
        anzahl_personen=context["people"] or None,
        mahnung_am=the.day - timedelta(days=40) if context["reminded"] else None,
        mahnung_mit_hinweis=context["noticed_74"],
        frist_bis=the.day - timedelta(days=1 if context["deadline_over"] else 0),
        gerichtsverfahren=context["court"],
        haushaltsmitglieder_eingewilligt=context["household"],
        nachweis_fuer_anspruch=context["proves"],
        fortdauernder_zustand=context["continuing"],
        ordnungsmerkmal_typ="STEUER_IDNR" if context["tax_id"] else None,
        anderer_traeger=context["other_body"],
    )


def procedure(random: Random, the: Round, categories: list[DataCategory]) -> tuple[RegisteredProcedure, Context]:
    """Enter a procedure in the register, mostly well."""
    active, told, approved = (random.random() < 0.9 for _ in range(3))
    listed = sorted({name.value for name in categories if random.random() < 0.9})
    entry = RegisteredProcedure(
        "V",
        "AKTIV" if active else "RUHEND",
        genehmigt=approved,
        ldi_unterrichtet=the.day + timedelta(days=0 if told else 1),
        kategorien=frozenset(DataCategory(name) for name in listed),
    )
    return entry, {"active": active and told, "approved": approved, "categories": listed}


def months_before(day: date, months: int) -> date:
    """Go back calendar months; -1 is tomorrow."""
    if months < 0:
        return day + timedelta(days=1)
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
