"""What is left for whoever carries away database, topics and key files after the receipts: nothing that can be read."""

from __future__ import annotations

from datetime import timedelta

from broker.cleanup.role import clean_up
from broker.keys import SEALING, key_file
from broker.privileges import DbRole
from broker.sealing_keys import prune, rotate
from schemas.compose import BlockSpec
from schemas.identifiers import DataCategory
from tests.flow.dumped import keys_left, opened, take_dump
from tests.flow.test_marker import CASE, GIVEN, NAME
from tests.flow.world import CORE, FOLDER_AGENCY, JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis, consent_body, person
from tests.world import on_kafka, rows

pytestmark = on_kafka
MARKS = [NAME.encode(), GIVEN.encode(), CASE.encode()]
TRANSFERS = 4
LARGE = 30


async def sent(kreis: Kreis) -> None:
    """Send some of each kind: small, large enough to be stored apart, reduced, and one to a folder, all about one."""
    jobcenter = await kreis.office(JOBCENTER)
    who = {"persons": [person(NAME, GIVEN)], "case_sender": CASE}
    await jobcenter.post(
        "/v1/consents", consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["STAMMDATEN"], person(NAME, GIVEN))
    )
    await jobcenter.accepted(SOZIALAMT, CORE, **who)
    await jobcenter.accepted(SOZIALAMT, (*CORE, DataCategory.SCHULDEN), **who, ueberhang="entfernen")
    others = [person(NAME + "a" * n, GIVEN, ref=f"k{n}") for n in range(1, LARGE)]
    blocks = (*CORE, *(BlockSpec(STAMMDATEN, person=other.ref) for other in others))
    await jobcenter.accepted(SOZIALAMT, blocks, persons=[person(NAME, GIVEN), *others])
    await jobcenter.accepted(f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII", CORE, **who)
    await kreis.publish()
    await kreis.take_in()


async def received(kreis: Kreis) -> None:
    """Let every recipient have its content and answer; the folder's by the hand of its office."""
    await kreis.deliver()
    office = await kreis.office(f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII")
    [pushed] = [row for row in await _rows(kreis) if row["recipient"] == office.instance]
    assert (await office.answer(pushed)).status_code == 200
    sozialamt = await kreis.office(SOZIALAMT)
    for item in await sozialamt.inbox():
        assert (await sozialamt.answer(item)).status_code == 200
    await kreis.publish()
    await clean_up(kreis.gateway.acting(DbRole.ERASER))


async def sealing_key_ends(kreis: Kreis) -> None:
    """Let the period of the sealing key pass, and the time in which a content may live."""
    eraser = kreis.gateway.acting(DbRole.ERASER)
    await rotate(eraser, "operator:*", timedelta(hours=1))
    kreis.clock.move(days=kreis.gateway.settings.payload_days + 1)
    await prune(eraser, "operator:*")


async def _rows(kreis: Kreis) -> list[dict[str, str]]:
    query = "SELECT id AS transfer_id, message_id, recipient FROM transfers"
    return [dict(row._mapping) for row in await rows(kreis.gateway, query)]


async def test_after_the_receipts_no_key_that_is_left_opens_anything(kreis: Kreis) -> None:
    """Every key, wrapped or plain, of files or tables, tried on every value: before, all contents; after, none.

    The ciphertexts still lie on the topics: with one key left over the very same search finds its content again.
    """
    await sent(kreis)
    before = await take_dump(kreis)
    readable = await opened(kreis, before)
    await received(kreis)
    after = await take_dump(kreis)
    forgotten = after.with_rows("transfer_keys", before)

    assert len(readable) == TRANSFERS
    assert all(NAME.encode() in content for content in readable)
    assert await keys_left(kreis, after)  # there are keys: those of files, and what derives from them
    assert await opened(kreis, after) == set()
    assert await opened(kreis, forgotten) == readable


async def test_with_its_sealing_key_ends_what_the_database_keeps_of_deleted_rows(kreis: Kreis) -> None:
    """Wrapped keys dug out of old pages open their contents until the file of their sealing key is gone, then no more.

    The ciphertexts are still there, and so are all other keys; with the file put back the same search finds them again.
    """
    await sent(kreis)
    before = await take_dump(kreis)
    await received(kreis)
    dug_out = (await take_dump(kreis)).with_rows("transfer_keys", before)
    file = key_file(kreis.gateway.settings.keys_dir, SEALING, "1")
    content = file.read_bytes()
    readable = await opened(kreis, dug_out)
    await sealing_key_ends(kreis)
    left = await opened(kreis, dug_out)
    file.write_bytes(content)

    assert len(readable) == TRANSFERS
    assert left == set()
    assert await opened(kreis, dug_out) == readable


async def test_no_mark_of_a_person_stands_in_the_clear(kreis: Kreis) -> None:
    """Name and Aktenzeichen stand in no column of bytes or text, no key, header or value of a record."""
    await sent(kreis)
    await received(kreis)
    dump = await take_dump(kreis)
    seen = [mark for mark in MARKS for part in dump.everything() if mark in part]

    assert len(dump.records) >= TRANSFERS
    assert len(dump.tables) > TRANSFERS
    assert seen == []
