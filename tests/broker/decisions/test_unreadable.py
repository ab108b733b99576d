"""What is shown of a decision whose facts or catalogue this program cannot read."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select

from broker.ids import new_id
from broker.law import repository
from broker.problems import PROBLEMS
from broker.transfers.models import DecisionRow
from tests.broker.decisions.test_api import HOME, REASON, TOO_MUCH, shown
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis

LABELS = frozenset({"id", "links", "explanation", "problems", "facts_version", "purpose", "mode"})


async def again(kreis: Kreis, decision: str, **changes: Any) -> str:
    """Store a decision once more, with other facts or another catalogue; return its id."""
    new = new_id()
    async with kreis.gateway.db.writing() as connection:
        found = await connection.execute(select(DecisionRow.__table__).where(DecisionRow.id == decision))
        await connection.execute(insert(DecisionRow), [dict(found.mappings().one()) | {"id": new} | changes])
    return new


def rest(answer: dict[str, Any], *more: str) -> dict[str, Any]:
    """Return what must stay as it is."""
    return {key: value for key, value in answer.items() if key not in LABELS | {*more}}


@pytest.mark.parametrize(
    ("facts", "purpose"),
    [
        ({"version": 99, "facts": {"purpose": "RECHTSKREISWECHSEL", "mode": "ERSUCHEN"}}, "RECHTSKREISWECHSEL"),
        ({"version": 1, "facts": {"items": [{"id": "x"}], "purpose": "Erika Muster"}}, None),
        ({"version": 1, "facts": 7}, None),
        ({}, None),
        ([], None),
    ],
)
async def test_unreadable_facts_hide_only_the_explanation(kreis: Kreis, facts: Any, purpose: str | None) -> None:
    """Outcome, codes, findings and duties stand there; a problem says what is missing, why, and what to do."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    accepted = (await jobcenter.submit(SOZIALAMT, TOO_MUCH, ueberhang="entfernen")).json()
    await kreis.pump()
    await sozialamt.inbox()
    [given] = (await sozialamt.get(f"/v1/transfers/{accepted['transfer_id']}")).json()["decisions"]
    answers = []
    for office, decision in ((jobcenter, accepted["decision"]["id"]), (sozialamt, given["id"])):
        damaged = await again(kreis, decision, facts=facts)
        answers.append(await shown(office, damaged))
        before = await shown(office, decision)
        assert before["problems"] == []
        assert rest(before) == rest(answers[-1])
    answers.append(await shown(await kreis.officer(HOME), damaged, reason=REASON))

    for answer in answers:
        [problem] = answer["problems"]
        assert (answer["explanation"], answer["purpose"]) == (None, purpose)
        assert (problem["type"], problem["remedy"]) == (
            "/problems/facts-unreadable",
            PROBLEMS["facts-unreadable"].remedy,
        )
    assert "Erika" not in str(answers)


@pytest.mark.parametrize("content", [None, b"morgen.toml\n1\nx", b"kein Katalog"])
async def test_an_unreadable_catalogue_hides_only_what_is_read_from_it(kreis: Kreis, content: bytes | None) -> None:
    """A decision by a catalogue of a later program, or by one that is not kept, still says what was decided."""
    jobcenter = await kreis.office(JOBCENTER)
    decision = (await jobcenter.submit(SOZIALAMT, purpose="MIETE_KLAERUNG")).json()["decision"]
    if content is not None:
        async with kreis.gateway.db.writing() as connection:
            await repository.keep(connection, "b" * 64, content, kreis.clock())
    before, after = [
        await shown(jobcenter, one) for one in (decision, await again(kreis, decision, catalogue="b" * 64))
    ]
    [problem] = after["problems"]

    assert (problem["type"], after["explanation"], after["duties"]) == ("/problems/catalogue-unreadable", None, [])
    assert "b" * 64 in problem["detail"]
    assert rest(before, "catalogue") == rest(after, "catalogue")
