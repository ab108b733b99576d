"""What is exported from a real log verifies; what its owner changes in the database is found in the export."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from broker.audit.export import export
from broker.audit.sequencer import Sealer
from broker.audit.verify import Report
from tests.broker.audit.exported import verified
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis
from tests.world import evidence, rows


async def seal(kreis: Kreis) -> None:
    """Let a sealer seal all that waits."""
    sealer = Sealer(kreis.gateway, "one")
    while await sealer.seal():
        pass
    await sealer.stop()


async def travelled(kreis: Kreis) -> list[str]:
    """Carry two transfers to their quittung, sealing on the way; return the promises about them."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    promises = []
    for _ in range(2):
        promises.append((await jobcenter.submit(SOZIALAMT)).json()["promise"])
        await seal(kreis)
        await kreis.pump()
        [item] = await sozialamt.inbox()
        await sozialamt.answer(item)
    await seal(kreis)
    return promises


async def exported(kreis: Kreis, **options: bool) -> list[bytes]:
    """Return the lines of an export."""
    return [line async for line in export(kreis.gateway, **options)]


async def verify(kreis: Kreis, **trust: Any) -> Report:
    """Export and verify."""
    return verified(await exported(kreis), **trust)


async def own(kreis: Kreis, *statements: str, **values: Any) -> None:
    """Change the database as whoever owns it can: triggers bind nobody who may drop them."""
    async with kreis.gateway.db.writing() as connection:
        if connection.dialect.name == "sqlite":
            for table in ("audit_entries", "audit_leaves", "audit_checkpoints", "audit_side"):
                for what in ("update", "delete"):
                    await connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{what}"))
            await connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        for statement in statements:
            await connection.execute(text(statement), values)


async def test_a_real_log_verifies_and_its_promises_are_kept(kreis: Kreis) -> None:
    """Every entry that is sealed is exported, opens, and stands where it was promised."""
    promises = await travelled(kreis)
    report = await verify(kreis, tokens=promises)
    entries = await evidence(kreis.gateway)

    assert report.faults == []
    assert (report.entries, report.erased, len(report.kept)) == (len(entries), 0, 2)
    assert report.opened == sum(len(side) for _, side in entries)
    assert report.checkpoints == 3


async def test_what_is_not_sealed_yet_is_not_exported(kreis: Kreis) -> None:
    """An export ends at the last checkpoint."""
    await travelled(kreis)
    before = (await verify(kreis)).entries
    promise = (await (await kreis.office(JOBCENTER)).submit(SOZIALAMT)).json()["promise"]
    report = await verify(kreis, tokens=[promise])

    assert (report.entries, report.sound, len(report.not_due)) == (before, True, 1)
    kreis.clock.move(minutes=2)
    late = await verify(kreis, tokens=[promise])
    assert [why for _, why in late.broken] == ["Der zugesagte Eintrag steht nicht im Protokoll."]
    await seal(kreis)
    sealed_late = await verify(kreis, tokens=[promise])
    assert "kam erst am" in sealed_late.broken[0][1]


async def test_without_side_data_nothing_of_it_is_written(kreis: Kreis) -> None:
    """An export for a witness holds the log alone, and verifies."""
    await travelled(kreis)
    whole, bare = await exported(kreis), await exported(kreis, side=False)
    report = verified(bare)

    assert b'"persons":["' in b"".join(whole)
    assert b'"persons":["' not in b"".join(bare)
    assert (report.sound, report.opened, report.erased) == (True, 0, 0)


#: What is done to entry 5 of the log (seq 6 is only where it stands by chance), and what is found there.
TAMPERED = {
    "UPDATE audit_entries SET actor = 'somebody:ELSE' WHERE seq = :seq": "entry",
    "UPDATE audit_entries SET at = '2020-01-01 00:00:00' WHERE seq = :seq": "entry",
    "UPDATE audit_entries SET data = '{\"x\": 1.5}' WHERE seq = :seq": "missing",
    "DELETE FROM audit_entries WHERE seq = :seq": "missing",
    "UPDATE audit_leaves SET leaf = :leaf WHERE seq = :seq": "entry",
    "DELETE FROM audit_leaves WHERE seq = :seq": "order",
    "UPDATE audit_leaves SET seq = seq + 100000 WHERE seq = :seq": "missing",
}


@pytest.mark.parametrize("statement", TAMPERED)
async def test_whoever_owns_the_database_is_found_out(kreis: Kreis, statement: str) -> None:
    """An entry changed, deleted or taken out of the tree is named with its index."""
    await travelled(kreis)
    [victim] = await rows(kreis.gateway, 'SELECT seq, leaf FROM audit_leaves WHERE "index" = 5')
    given = {"seq": victim.seq, "leaf": bytes(32)}
    if "DELETE FROM audit_entries" in statement:
        await own(kreis, "DELETE FROM audit_side")
    await own(kreis, statement, **{name: value for name, value in given.items() if f":{name}" in statement})
    report = await verify(kreis)

    assert (report.faults[0].code, report.faults[0].index) == (TAMPERED[statement], 5)


async def test_two_entries_exchanged_are_found_out(kreis: Kreis) -> None:
    """Two entries in each other's place, index for index: the first of them is named."""
    await travelled(kreis)
    await own(
        kreis,
        "CREATE TABLE swapped AS SELECT a.seq AS one, b.seq AS other FROM audit_leaves a, audit_leaves b "
        'WHERE a."index" = 4 AND b."index" = 7',
        "UPDATE audit_leaves SET seq = -1 WHERE seq = (SELECT one FROM swapped)",
        "UPDATE audit_leaves SET seq = (SELECT one FROM swapped) WHERE seq = (SELECT other FROM swapped)",
        "UPDATE audit_leaves SET seq = (SELECT other FROM swapped) WHERE seq = -1",
    )
    report = await verify(kreis)

    assert [(fault.code, fault.index) for fault in report.faults] == [("entry", 4), ("entry", 7)]


async def test_changed_side_data_is_found_out_and_erased_is_not_a_fault(kreis: Kreis) -> None:
    """Another value beside an entry is named; none at all is counted."""
    await travelled(kreis)
    [first, second] = (await evidence(kreis.gateway, "transfer.permitted"))[:2]
    await own(kreis, "DELETE FROM audit_side WHERE entry_id = :entry", entry=first[0].id)
    changed = '{"client": ["00", "somebody"]}'
    update = "UPDATE audit_side SET fields = :changed WHERE entry_id = :entry"
    await own(kreis, update, changed=changed, entry=second[0].id)
    report = await verify(kreis)

    assert [(fault.code, fault.entry) for fault in report.faults] == [("side", second[0].id)]
    assert report.erased == 1


async def test_a_forged_checkpoint_is_found_out(kreis: Kreis) -> None:
    """A checkpoint with another root does not open, since nobody has its key."""
    await travelled(kreis)
    await own(kreis, "UPDATE audit_checkpoints SET note = replace(note, 'audit', 'audyt')")
    report = await verify(kreis)

    assert [fault.code for fault in report.faults] == ["checkpoint"] * 3 + ["not-sealed"]
