"""What lies beside the evidence goes when its time is over or somebody may ask; the evidence stays provable."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.audit.export import export
from broker.audit.sequencer import Sealer
from broker.audit.verify import Report
from broker.cli.audit import app
from broker.erasure import BadErasure, EraseReason, Erasure, count, erase
from tests.broker.audit.exported import verified
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, consent_body, ersuchen_body, person
from tests.world import evidence

DUE = Erasure(EraseReason.FRIST, due=True)
DAY = 24 * 3600


async def report_of(kreis: Kreis) -> Report:
    """Seal what waits, export and verify."""
    sealer = Sealer(kreis.gateway, "one")
    while await sealer.seal():
        pass
    await sealer.stop()
    return verified([line async for line in export(kreis.gateway)])


async def held(kreis: Kreis) -> Counter[str]:
    """Count the entries that still have side data, by event."""
    return Counter(entry.event for entry, side in await evidence(kreis.gateway) if side)


async def processed(kreis: Kreis) -> str:
    """Carry a transfer to its end; return its id."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    [item] = await sozialamt.inbox()
    await sozialamt.answer(item, "VERARBEITET")
    return transfer


async def test_what_is_past_its_time_goes_and_the_rest_stays(kreis: Kreis) -> None:
    """Two years after its end a transfer's side data goes; one that has not ended, and a consent, keep theirs."""
    jobcenter = await kreis.office(JOBCENTER)
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["KONTAKT"], person())
    consent = (await jobcenter.post("/v1/consents", body)).json()["id"]
    await processed(kreis)
    kreis.clock.move(days=2)
    open_one = await jobcenter.accepted(SOZIALAMT)
    kreis.clock.move(days=729)
    before = await held(kreis)
    assert await erase(kreis.gateway, DUE) == before.total() - 2
    after = await held(kreis)

    assert (after["transfer.permitted"], after["consent.recorded"], after["client.added"]) == (1, 1, 0)
    kept = [e.reference for e, side in await evidence(kreis.gateway, "transfer.permitted") if side]
    assert kept == [open_one]
    await jobcenter.post(f"/v1/consents/{consent}/withdrawal")
    await erase(kreis.gateway, DUE)
    assert (await held(kreis))["consent.recorded"] == 1
    kreis.clock.move(days=1100)
    await erase(kreis.gateway, DUE)
    assert (await held(kreis))["consent.recorded"] == 0


async def test_an_open_ersuchen_and_an_open_stop_keep_theirs(kreis: Kreis) -> None:
    """Nothing goes before its end has come, however long ago it was recorded."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    ersuchen = (await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, who))).json()["id"]
    stop = {
        "art": "OPT_OUT",
        "person": {"familienname": who.family, "vornamen": who.given, "geburtsdatum": who.birth.isoformat()},
        "datum": "2026-03-16",
        "erklaert_von": "betroffene Person",
    }
    stop_id = (await jobcenter.post("/v1/objections", stop)).json()["id"]
    before = await held(kreis)
    kreis.clock.move(days=4000)
    await erase(kreis.gateway, DUE)
    after = await held(kreis)
    assert (after["ersuchen.recorded"], after["stop.recorded"]) == (
        before["ersuchen.recorded"],
        before["stop.recorded"],
    )
    await sozialamt.post(f"/v1/ersuchen/{ersuchen}/close", {"grund": "ERLEDIGT"})
    await jobcenter.post(f"/v1/objections/{stop_id}/end", {"grund": "IRRTUM"})
    kreis.clock.move(days=1200)
    await erase(kreis.gateway, DUE)
    after = await held(kreis)
    assert (after["ersuchen.recorded"], after["stop.recorded"]) == (0, 0)


async def test_a_transfer_or_a_person_can_be_asked_for(kreis: Kreis) -> None:
    """By its id, or by the pseudonym that an officer sees beside the entry; others keep theirs."""
    jobcenter = await kreis.office(JOBCENTER)
    one = await processed(kreis)
    erika = await jobcenter.accepted(SOZIALAMT, persons=[person("Muster")])
    other = await jobcenter.accepted(SOZIALAMT, persons=[person("Anders", born=person().birth.replace(year=1999))])
    [pseudonym] = [
        side["persons"] for e, side in await evidence(kreis.gateway, "transfer.permitted") if e.reference == erika
    ]
    asked = EraseReason.ANTRAG
    assert await erase(kreis.gateway, Erasure(asked, transfer=one)) > 0
    key = pseudonym.split()[0]
    assert await count(kreis.gateway, Erasure(asked, key=key)) == 1
    assert await erase(kreis.gateway, Erasure(asked, key=key)) == 1

    kept = [e.reference for e, side in await evidence(kreis.gateway, "transfer.permitted") if side]
    assert kept == [other]
    assert key.encode() not in b"".join([line async for line in export(kreis.gateway)])


async def test_erasing_leaves_every_proof_valid(kreis: Kreis) -> None:
    """Before and after, the export verifies; what went is counted."""
    await processed(kreis)
    before = await report_of(kreis)
    number = await erase(kreis.gateway, Erasure(EraseReason.ANORDNUNG, key=await any_pseudonym(kreis)))
    after = await report_of(kreis)

    assert (before.sound, before.erased, number > 0) == (True, 0, True)
    assert (after.sound, after.erased) == (True, number)
    assert after.last is not None
    assert before.last is not None
    assert after.last.size > before.last.size


async def any_pseudonym(kreis: Kreis) -> str:
    """Return a pseudonym that lies beside an entry."""
    [(_, side)] = await evidence(kreis.gateway, "transfer.permitted")
    return side["persons"].split()[0]


async def test_each_run_is_an_entry_with_number_and_reason(kreis: Kreis) -> None:
    """How many and why, not whose; a dry run and a run that finds nothing leave none."""
    await processed(kreis)
    key = await any_pseudonym(kreis)
    what = Erasure(EraseReason.ANTRAG, key=key)
    await count(kreis.gateway, what)
    assert await evidence(kreis.gateway, "audit.erased") == []
    number = await erase(kreis.gateway, what)
    await erase(kreis.gateway, what)
    [(entry, side)] = await evidence(kreis.gateway, "audit.erased")

    assert entry.data == {"reason": "ANTRAG", "scope": "person", "count": number}
    assert (entry.actor, side) == ("eraser", {})


async def test_long_runs_go_step_by_step(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is more than a step goes in several, each with its entry, until nothing is left."""
    monkeypatch.setattr("broker.erasure.STEP", 2)
    for _ in range(3):
        await processed(kreis)
    kreis.clock.move(days=800)
    number = await erase(kreis.gateway, DUE)
    steps = [entry.data["count"] for entry, _ in await evidence(kreis.gateway, "audit.erased")]

    assert (sum(steps), max(steps)) == (number, 2)
    assert await count(kreis.gateway, DUE) == 0


@pytest.mark.parametrize(
    "what",
    [
        Erasure(EraseReason.ANTRAG),
        Erasure(EraseReason.FRIST, due=True, transfer="x"),
        Erasure(EraseReason.ANTRAG, due=True),
        Erasure(EraseReason.FRIST, transfer="x"),
        Erasure(EraseReason.ANTRAG, key="%"),
        Erasure(EraseReason.ANTRAG, key="a' OR 1"),
        Erasure(EraseReason.ANTRAG, key="payload_digest"),
        Erasure(EraseReason.ANTRAG, key="1:0123abcd"),
    ],
)
async def test_an_unclear_order_erases_nothing(kreis: Kreis, what: Erasure) -> None:
    """One thing is asked for, with a reason that goes with it; no wildcard, no part and no field is a key."""
    before = await held(kreis)
    with pytest.raises(BadErasure):
        await erase(kreis.gateway, what)
    assert await held(kreis) == before


def test_the_command_counts_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run counts, a mistake is told in one line, and a reason is asked for."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(tmp_path / "data"))
    dry = CliRunner().invoke(app, ["erase", "--due", "--reason", "FRIST", "--dry-run"])
    wrong = CliRunner().invoke(app, ["erase", "--reason", "ANTRAG"])
    none = CliRunner().invoke(app, ["erase", "--due"])

    assert (dry.exit_code, dry.stdout) == (0, "Nebendaten von 0 Einträgen würden gelöscht.\n")
    assert (wrong.exit_code, wrong.stderr.startswith("Nichts gelöscht. Genau eines angeben")) == (2, True)
    assert none.exit_code == 2
