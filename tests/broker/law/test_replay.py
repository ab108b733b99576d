"""What was decided is decided again: the same, or what differs is named; and what another catalogue would change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import insert, select

from broker.cleanup.role import clean_up
from broker.db import Database
from broker.law import repository, stored
from broker.law.replay import Difference, Replayed, Sort, Tally, replay
from broker.law.stored import Wanted
from broker.privileges import DbRole
from broker.transfers.models import DecisionRow
from consent.catalogue import Catalogue, read_catalogue
from schemas.identifiers import DataCategory
from tests.broker.law.variants import files_with
from tests.flow.world import ASD, BEZUG, HOEHE, JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis, consent_body, person
from tests.world import START

KONTAKT, HERKUNFT = DataCategory.KONTAKT, DataCategory.ETHNIE_HERKUNFT
ALL = Wanted(START - timedelta(days=1), START + timedelta(days=2000))
#: The list of the two rows between Jobcenter and Sozialamt, and a switch, as the files have them.
LIST = '"LEISTUNGSHOEHE", "EINKOMMEN", "UNTERKUNFT", "KRANKENVERSICHERUNG", "ERWERBSFAEHIGKEIT",'
SWITCH = 'name = "ASD unaufgefordert an Jobcenter und Sozialamt auf gesetzlichem Grund"\nvalid_from = 2018-05-25'
LATER = SWITCH.replace("2018-05-25", "2030-01-01")


async def decided(kreis: Kreis) -> None:
    """Let the law say yes, no, yes to a part, yes by consent, yes to a mere check, and yes again at the hand-over."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    await jobcenter.accepted(SOZIALAMT)
    await jobcenter.submit(SOZIALAMT, [STAMMDATEN, HERKUNFT])
    await jobcenter.accepted(SOZIALAMT, [STAMMDATEN, BEZUG, HOEHE, HERKUNFT], ueberhang="entfernen")
    consent = consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["STAMMDATEN", "KONTAKT"], person())
    given = await jobcenter.post("/v1/consents", consent)
    await jobcenter.accepted(SOZIALAMT, [STAMMDATEN, KONTAKT], purpose="CASE_MANAGEMENT", consents=[given.json()["id"]])
    await jobcenter.post_xml("/v1/transfers/check", jobcenter.message(ASD))
    await kreis.pump()
    await sozialamt.inbox()


def reading(kreis: Kreis) -> Database:
    """Return the database as the role sees it that replays."""
    return kreis.gateway.acting(DbRole.REPLAY).db


async def again(kreis: Kreis, wanted: Wanted = ALL, other: Catalogue | None = None) -> list[Replayed]:
    """Decide all again."""
    return [one async for one in replay(reading(kreis), wanted, other)]


async def copy(kreis: Kreis, number: int = 0, **changes: Any) -> str:
    """Store a decision once more, with changes; return its id."""
    async with kreis.gateway.db.writing() as connection:
        query = select(DecisionRow.__table__).order_by(DecisionRow.at, DecisionRow.id)
        row = dict((await connection.execute(query)).mappings().all()[number])
        row |= {"id": f"{len(str(changes)):036d}"} | {name: changed(row[name], to) for name, to in changes.items()}
        await connection.execute(insert(DecisionRow), [row])
    return str(row["id"])


def changed(before: Any, to: Any) -> Any:
    """Return a value, or an object with some values changed."""
    return {**before, **to} if isinstance(to, Mapping) else to


def sorts(found: list[Replayed]) -> dict[Sort, int]:
    """Count what came out how."""
    tally = Tally()
    for one in found:
        tally.add(one)
    return dict(tally.sorts)


async def test_what_was_decided_is_decided_the_same_again(kreis: Kreis) -> None:
    """Permits, refusals, reductions, checks and the decision at the hand-over come out as they are stored."""
    await decided(kreis)
    found = await again(kreis)
    outcomes = await kreis.scalar("SELECT count(DISTINCT outcome) FROM decisions")

    assert (sorts(found), outcomes) == ({Sort.SAME: len(found)}, 3)
    assert len(found) == await kreis.scalar("SELECT count(*) FROM decisions") > 5
    assert {(one.purpose, one.route) for one in found} == {
        ("RECHTSKREISWECHSEL", "JOBCENTER → SOZIALAMT_SGBXII"),
        ("RECHTSKREISWECHSEL", "JOBCENTER → JUGENDAMT_ASD"),
        ("CASE_MANAGEMENT", "JOBCENTER → SOZIALAMT_SGBXII"),
    }


async def test_what_comes_out_otherwise_is_named(kreis: Kreis) -> None:
    """A stored answer that the law of that day does not give is named, with every part that differs."""
    await decided(kreis)
    wrong = await copy(kreis, outcome="DENY", kind="not_permitted", code="PAR65", detail={"kept": [], "findings": []})
    [found] = [one for one in await again(kreis) if one.sort is not Sort.SAME]
    parts = {difference.part: difference for difference in found.differences}

    assert (found.decision, found.sort, found.change) == (wrong, Sort.DIFFERS, "DENY PAR65 → PERMIT")
    assert parts["outcome"] == Difference("outcome", ("DENY",), ("PERMIT",))
    assert parts["kept"].now == ("ANSCHRIFT", "LEISTUNGSBEZUG", "LEISTUNGSHOEHE", "STAMMDATEN")
    assert "G6 pass" in parts["findings"].now
    assert parts.keys() == {"outcome", "kind", "code", "kept", "findings"}


@pytest.mark.parametrize("part", ["grounds", "duties", "consents", "removed"])
async def test_each_part_of_the_answer_is_compared(kreis: Kreis, part: str) -> None:
    """One ground, duty, consent or removal more than the law gives is a difference."""
    await decided(kreis)
    more: Any = {"block": "b", "person": "p1", "category": "ANSCHRIFT", "code": "PAR65", "norms": []}
    await copy(kreis, detail={part: [more if part == "removed" else "ZUVIEL"]})
    [found] = [one for one in await again(kreis) if one.sort is Sort.DIFFERS]

    assert part in {difference.part for difference in found.differences}


async def test_the_words_of_a_finding_are_compared_and_not_repeated(kreis: Kreis) -> None:
    """A finding that was worded otherwise is named by its gate alone."""
    await decided(kreis)
    findings = orjson.loads(await kreis.scalar("SELECT CAST(detail AS TEXT) FROM decisions ORDER BY at, id"))[
        "findings"
    ]
    await copy(kreis, detail={"findings": [findings[0] | {"text": "Ein anderer Satz."}, *findings[1:]]})
    [found] = [one for one in await again(kreis) if one.sort is Sort.DIFFERS]

    assert found.differences == (Difference("findings", ("G0 pass",), ("G0 pass",)),)
    assert found.change == "PERMIT: findings"


async def test_another_version_of_the_engine_is_told_apart(kreis: Kreis) -> None:
    """What another engine decided is no error of this one, and what this one says is told beside it."""
    await decided(kreis)
    await copy(kreis, engine_version="1")
    await copy(kreis, engine_version="1", code="PAR65", outcome="DENY")
    tally = Tally()
    for one in await again(kreis):
        tally.add(one)

    assert tally.sorts.keys() == {Sort.SAME, Sort.OTHER_ENGINE}
    assert tally.engines == {("1", False): 1, ("1", True): 1}


async def test_what_cannot_be_read_is_told_apart(kreis: Kreis) -> None:
    """Facts of a later program, damaged ones, a catalogue that is not kept, and a switch that it does not have."""
    await decided(kreis)
    await copy(kreis, facts={"version": 99})
    await copy(kreis, facts={"facts": {"items": [{"id": "x"}]}})
    await copy(kreis, catalogue="f" * 64)
    await copy(kreis, detail={"switches": ["GIBT_ES_NICHT"]})

    assert sorts(await again(kreis))[Sort.UNREADABLE] == 4


def with_less() -> Catalogue:
    """Return a catalogue by which the Jobcenter may no longer send the amount of a benefit on a change."""
    return read_catalogue(files_with({("necessity.toml", LIST): LIST.replace('"LEISTUNGSHOEHE", ', "")}))


async def test_a_catalogue_of_then_is_read_from_where_it_is_kept(kreis: Kreis) -> None:
    """A decision that names another catalogue than the program's own is decided by that one."""
    await decided(kreis)
    other = with_less()
    async with kreis.gateway.db.writing() as connection:
        await repository.keep(connection, other.fingerprint, other.source_bytes, kreis.clock())
    named = await copy(kreis, catalogue=other.fingerprint)
    [found] = [one for one in await again(kreis) if one.sort is not Sort.SAME]

    assert (found.decision, found.sort) == (named, Sort.DIFFERS)


async def test_what_went_by_its_time_is_told_apart(kreis: Kreis) -> None:
    """After the clean-up the evidence still names the decisions, and they are counted as erased."""
    await decided(kreis)
    number = await kreis.scalar("SELECT count(*) FROM decisions WHERE occasion IN ('submit', 'check')")
    kreis.clock.move(days=800)
    await clean_up(kreis.gateway.acting(DbRole.ERASER))
    kreis.clock.move(days=800)
    await clean_up(kreis.gateway.acting(DbRole.ERASER))

    assert await kreis.scalar("SELECT count(*) FROM decisions") == 0
    assert sorts(await again(kreis)) == {Sort.ERASED: number}
    assert sorts(await again(kreis, Wanted(ALL.since, ALL.until, "CASE_MANAGEMENT"))) == {Sort.ERASED: 1}
    assert sorts(await again(kreis, Wanted(ALL.since, ALL.until, None, "jugendamt-herten"))) == {Sort.ERASED: 1}
    assert await again(kreis, Wanted(ALL.since, START)) == []


async def test_only_what_is_wanted_is_decided(kreis: Kreis) -> None:
    """By moment, purpose and agency, the latter on either side."""
    await decided(kreis)
    kreis.clock.move(days=3)
    await decided(kreis)
    half = await kreis.scalar("SELECT count(*) FROM decisions WHERE at < :end", end=(START + timedelta(days=1)))

    assert len(await again(kreis, Wanted(START, START + timedelta(days=1)))) == half
    assert len(await again(kreis, Wanted(START + timedelta(days=3), ALL.until))) == len(await again(kreis)) - half
    assert {one.purpose for one in await again(kreis, Wanted(ALL.since, ALL.until, "CASE_MANAGEMENT"))} == {
        "CASE_MANAGEMENT"
    }
    asd = await again(kreis, Wanted(ALL.since, ALL.until, None, "jugendamt-herten"))
    assert {one.route for one in asd} == {"JOBCENTER → JUGENDAMT_ASD"}
    assert await again(kreis, Wanted(ALL.since, ALL.until, None, "jugendamt")) == []


async def test_pages_pass_over_nothing(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions of one moment, more than a page, come each once; what is erased too."""
    await decided(kreis)
    whole = {one.decision for one in await again(kreis)}
    monkeypatch.setattr(stored, "PAGE", 2)
    paged = [one.decision for one in await again(kreis)]

    assert (set(paged), len(paged)) == (whole, len(whole))


async def test_another_catalogue_shows_what_it_would_change(kreis: Kreis) -> None:
    """In shadow mode both answers are today's program's; each change is counted by purpose and route."""
    await decided(kreis)
    tally = Tally()
    for one in await again(kreis, other=with_less()):
        tally.add(one)

    assert tally.changes == {
        ("RECHTSKREISWECHSEL", "JOBCENTER → SOZIALAMT_SGBXII", "PERMIT → PERMIT_REDUCED"): 2,
        ("RECHTSKREISWECHSEL", "JOBCENTER → SOZIALAMT_SGBXII", "PERMIT_REDUCED: kept"): 2,
    }
    assert tally.sorts[Sort.SAME] == len(await again(kreis)) - 4


async def test_a_switch_that_the_other_catalogue_lacks_is_a_change(kreis: Kreis) -> None:
    """What the other catalogue cannot decide at all is counted as such."""
    await decided(kreis)
    await copy(kreis, detail={"switches": ["ASD_UNAUFGEFORDERT_GESETZ"]})
    other = read_catalogue(files_with({("switches.toml", SWITCH): LATER}))
    changes = [one.change for one in await again(kreis, other=other) if one.differences]

    assert changes == ["PERMIT → UNDECIDABLE"]
