"""The catalogue over HTTP: who may read it, how it is paged and filtered, and what it says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker.law import repository
from broker.law.keeper import look
from consent.book.entries import entries_of
from consent.catalogue import load_catalogue, read_catalogue
from tests.broker.law.variants import files_with
from tests.flow.world import JOBCENTER, Kreis
from tests.world import START

ROW = "row.KITA_BEITRAG.alle.JUGENDAMT_KITA.2018-05-25"
TODAY = START.date()


async def test_pages_show_every_row_once(kreis: Kreis) -> None:
    """Walked to its end the list has all rows of the catalogue, in their order, and says whose they are."""
    jobcenter, cursor, ids = await kreis.office(JOBCENTER), "", []
    while True:
        answer = await jobcenter.get("/v1/law", limit=150, cursor=cursor)
        body = answer.json()
        ids += [item["id"] for item in body["items"]]
        cursor = body.get("next_cursor")
        if not cursor:
            break

    assert ids == [entry.id for entry in entries_of(load_catalogue())]
    assert body["fingerprint"] == load_catalogue().fingerprint
    assert body["notice"].startswith("Keine Rechtsberatung.")


async def test_rows_are_in_german_with_their_evidence(kreis: Kreis) -> None:
    """A row says what it decides, on which norm, how it was checked, and every field by code and in German."""
    row = (await (await kreis.officer("jobcenter-kreis-re")).get(f"/v1/law/{ROW}")).json()

    fields = {field["name"]: field for field in row["fields"]}
    assert row["text"].startswith("Von jeder Sozialbehörde an „Jugendamt (Kita-Stelle)“ darf übermittelt werden")
    assert (row["norms"][0], row["norms_text"][0]) == ("SGB VIII § 90 Abs. 4", "§ 90 Abs. 4 SGB VIII")
    assert (row["evidence"]["grade"], row["evidence"]["checked_on"]) == ("S", "2026-11-22")
    assert (row["valid_from"], row["valid_to"], row["counts"]) == ("2018-05-25", None, True)
    assert fields["necessary"]["value"] == ["STAMMDATEN", "LEISTUNGSBEZUG"]
    assert fields["necessary"]["text"] == "Stammdaten, Leistungsbezug"


async def test_filters_hold_together(kreis: Kreis) -> None:
    """Purpose, norm and day narrow the list; what fits none is an empty page, and a bad filter a problem."""
    jobcenter = await kreis.office(JOBCENTER)
    purpose = (await jobcenter.get("/v1/law", purpose="UVG_RUECKGRIFF")).json()["items"]
    both = (await jobcenter.get("/v1/law", purpose="UVG_RUECKGRIFF", norm="§ 7a UVG")).json()["items"]
    early = (await jobcenter.get("/v1/law", on="2018-05-24")).json()["items"]
    wrong = [
        await jobcenter.get("/v1/law", **bad) for bad in ({"on": "gestern"}, {"cursor": "x"}, {"limit": 0}, {"a": 1})
    ]

    assert 0 < len(both) < len(purpose)
    assert {item["table"] for item in purpose} >= {"purpose", "row", "ground"}
    assert early == []
    assert {answer.status_code for answer in wrong} == {422}


async def test_nothing_is_sent_again_to_who_has_it(kreis: Kreis) -> None:
    """The ETag is the fingerprint; who names it gets 304 and nothing else, on the list and on a row."""
    jobcenter = await kreis.office(JOBCENTER)
    first = await jobcenter.get("/v1/law")
    tag = first.headers["etag"]
    headers = await jobcenter.headers() | {"If-None-Match": f'"other", W/{tag}'}
    again = [await jobcenter.http.get(path, headers=headers) for path in ("/v1/law", f"/v1/law/{ROW}")]
    other = await jobcenter.http.get("/v1/law", headers=headers | {"If-None-Match": '"other"'})

    assert tag == f'"{load_catalogue().fingerprint}"'
    assert [(answer.status_code, answer.content) for answer in again] == [(304, b"")] * 2
    assert other.status_code == 200


async def test_what_is_not_there_is_told(kreis: Kreis) -> None:
    """An unknown row is not found; without a token nothing is shown."""
    jobcenter = await kreis.office(JOBCENTER)
    answers = [await jobcenter.get("/v1/law/row.NICHTS"), await jobcenter.http.get("/v1/law")]

    assert [answer.status_code for answer in answers] == [404, 401]


@pytest.mark.parametrize(("days", "value"), [(0, "Name: Kinderschutz"), (1, "Name: Schutz von Kindern")])
async def test_each_day_has_its_catalogue(kreis: Kreis, days: int, value: str) -> None:
    """A catalogue that counts from tomorrow is shown to who asks for tomorrow, with its own fingerprint."""
    other = read_catalogue(files_with({("purposes.toml", 'name = "Kinderschutz"'): 'name = "Schutz von Kindern"'}))
    gateway, day = kreis.gateway, TODAY + timedelta(days=days)
    async with gateway.db.writing() as connection:
        await repository.keep(connection, other.fingerprint, other.source_bytes, START)
        await repository.set_day(connection, TODAY + timedelta(days=1), other.fingerprint, START)
    await look(gateway)
    jobcenter = await kreis.office(JOBCENTER)
    row = await jobcenter.get("/v1/law/purpose.KINDERSCHUTZ.2018-05-25", on=day.isoformat())
    page = await jobcenter.get("/v1/law", on=day.isoformat())

    assert value in [f"{field['label']}: {field['text']}" for field in row.json()["fields"]]
    assert page.json()["fingerprint"] == (other if days else load_catalogue()).fingerprint
