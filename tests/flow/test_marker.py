"""No personal data where it must not be: a marker name travels every way, and is searched for everywhere."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import httpx
import pytest

from broker.health import Readiness, checks_of
from broker.ops import operations
from broker.telemetry import JsonLines, quiet_libraries
from schemas.compose import PersonSpec
from schemas.identifiers import DataCategory
from tests.flow.world import (
    CORE,
    FOLDER_AGENCY,
    JOBCENTER,
    SOZIALAMT,
    STAMMDATEN,
    Kreis,
    Office,
    attempt_body,
    consent_body,
    ersuchen_body,
    person,
    procedure_body,
)
from tests.world import rows, through_kafka

pytestmark = through_kafka

NAME, GIVEN, CASE = "Zzyzxmarker", "Qqwertzmarker", "AZ-MARKER-4711"
MARKERS = (NAME, GIVEN, CASE, "1961-03-09")


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Collect everything that any logger writes, down to debug, as the service would write it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    quiet_libraries()
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


async def travel(kreis: Kreis) -> list[httpx.Response]:
    """Send the marker every way there is; return the answers to which it must not be in."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    who = person(NAME, GIVEN)
    given = {"persons": [who], "case_sender": CASE}
    contact = (STAMMDATEN, DataCategory.KONTAKT)
    consent = await jobcenter.post(
        "/v1/consents", consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["STAMMDATEN", "KONTAKT"], who, aktenzeichen=CASE)
    )
    relied = {"purpose": "CASE_MANAGEMENT", "consents": [consent.json()["id"]]}
    answers = [
        consent,
        await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, who, aktenzeichen=CASE)),
        await sozialamt.post("/v1/first-collections", attempt_body(who, aktenzeichen=CASE)),
        await jobcenter.post("/v1/releases", released(who)),
        await jobcenter.submit(SOZIALAMT, CORE, **given),
        await jobcenter.submit(SOZIALAMT, CORE, **given, mode="REGELMAESSIG"),
        await jobcenter.submit(SOZIALAMT, contact, **given, **relied),
        await jobcenter.submit(SOZIALAMT, (*CORE, DataCategory.SCHULDEN), **given, ueberhang="entfernen"),
        await jobcenter.submit(SOZIALAMT, (*CORE, DataCategory.SCHULDEN), **given),
        await jobcenter.submit(SOZIALAMT, CORE, **given, purpose="WELTFRIEDEN"),
        await jobcenter.submit(f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII", CORE, **given),
        await jobcenter.post_xml("/v1/transfers/check", jobcenter.message(SOZIALAMT, CORE, **given)),
        await jobcenter.post_xml("/v1/transfers", broken(jobcenter.message(SOZIALAMT, CORE, **given))),
        await jobcenter.post("/v1/consents", {"person": {"familienname": NAME, "oops": GIVEN}, "aktenzeichen": CASE}),
        await jobcenter.get(f"/v1/transfers/{NAME}"),
        await jobcenter.get("/v1/transfers", cursor=NAME),
    ]
    await kreis.pump()
    items = await sozialamt.inbox(limit=1)
    answers += [
        await sozialamt.answer(items[0]),
        await jobcenter.post(f"/v1/consents/{relied['consents'][0]}/withdrawal"),
    ]
    answers += await looked_up(kreis, jobcenter, sozialamt)
    answers += await by_the_law(kreis, jobcenter, sozialamt)
    return answers


async def by_the_law(kreis: Kreis, jobcenter: Office, sozialamt: Office) -> list[httpx.Response]:
    """Read and record decisions, duties, procedures and attempts, with the marker in wrong places."""
    who = person(NAME, GIVEN)
    officer = await kreis.officer(JOBCENTER.partition(":")[0])
    procedure = await jobcenter.post("/v1/procedures", procedure_body(JOBCENTER, SOZIALAMT, "ABRUF"))
    attempt = await sozialamt.post("/v1/first-collections", attempt_body(who, aktenzeichen=CASE))
    decisions = [row.id for row in await rows(kreis.gateway, "SELECT id FROM decisions WHERE sender = :s", s=JOBCENTER)]
    found = [procedure, attempt]
    found += [await jobcenter.get(f"/v1/decisions/{one}") for one in decisions]
    found += [await officer.get(f"/v1/decisions/{one}", reason="Prüfung der Protokolle") for one in decisions]
    for step, body in WRONG_STEPS:
        found.append(await jobcenter.post(f"/v1/procedures/{procedure.json()['id']}/{step}", body))
    outcome = f"/v1/first-collections/{attempt.json()['id']}/outcome"
    for wrong in (
        {"ergebnis": NAME},
        {"ergebnis": "BEANTWORTET", "am": GIVEN},
        {"ergebnis": "BEANTWORTET", CASE: NAME},
    ):
        found.append(await sozialamt.post(outcome, wrong))
    found.append(await sozialamt.post(outcome, {"ergebnis": "BEANTWORTET"}))
    for duty in (await sozialamt.get("/v1/duties")).json()["items"]:
        found.append(await sozialamt.post(duty["links"]["done"], {"done_on": GIVEN, NAME: CASE}))
        found.append(await sozialamt.post(duty["links"]["done"]))
    found += [await jobcenter.post(path, dict.fromkeys(WRONG_FIELDS, NAME)) for path in RECORDS]
    found += [await jobcenter.get(path, **dict.fromkeys(QUERY, NAME)) for path in LISTS]
    found += [await jobcenter.get(f"{path}/{NAME}") for path in LISTS]
    return [*found, *[await office.get(path) for office in (jobcenter, sozialamt) for path in LISTS]]


RECORDS = ("/v1/procedures", "/v1/first-collections", "/v1/releases")
LISTS = (*RECORDS, "/v1/duties", "/v1/law")
QUERY = ("cursor", "limit", "state", "purpose", "norm", "on", "due_before", "lang")
WRONG_FIELDS = ("von", "an", "zweck", "person", "gefragt_am", "frist", "art", "entbunden", "festlegung", NAME)
WRONG_STEPS = (
    ("approval", {"genehmigt_am": GIVEN, "aufsicht": NAME}),
    ("notice", {"unterrichtet_am": NAME, "stelle": GIVEN}),
    ("end", {"grund": NAME}),
    ("approval", {"genehmigt_am": "2026-03-02", "aufsicht": "FACHAUFSICHT"}),
    ("notice", {"unterrichtet_am": "2026-03-03", "stelle": "LDI_NRW"}),
    ("end", {"grund": "IRRTUM"}),
)


def released(who: PersonSpec) -> dict[str, object]:
    """Return the body of a release whose professional has the marker's name, too."""
    body = consent_body(SOZIALAMT, "RECHTSKREISWECHSEL", ["GESUNDHEIT"], who, aktenzeichen=CASE)
    return body | {"entbunden": {"name": f"Dr. {NAME}", "natuerliche_person": True}}


def broken(message: bytes) -> bytes:
    """Break a message near its names, so that a careless error would quote them."""
    return message.replace(b"<geburtsdatum>", b"<geburtsdatum>x").replace(NAME.encode(), NAME.encode() + b"\xc2\xa7")


async def looked_up(kreis: Kreis, *offices: Office) -> list[httpx.Response]:
    """Read what sender, recipient, officer and operations can read about it."""
    officer = await kreis.officer(JOBCENTER.partition(":")[0])
    found = [await office.get("/v1/transfers") for office in offices]
    over = httpx.ASGITransport(operations(kreis.gateway, Readiness(checks_of(kreis.gateway))))
    async with httpx.AsyncClient(transport=over, base_url="http://ops.example") as http:
        found += [await http.get(path) for path in ("/livez", "/readyz", "/metrics")]
    return [*found, await officer.get("/v1/audit/events", reason="Prüfung der Protokolle", limit=500)]


async def test_marker_is_nowhere(kreis: Kreis, logs: io.StringIO, capfd: pytest.CaptureFixture[str]) -> None:
    """Answers, logs, output, database, topics, keys and file names hold no name, no birth date, no Aktenzeichen."""
    answers = await travel(kreis)
    printed = capfd.readouterr()
    folder = kreis.gateway.settings.data_dir
    names = " ".join(str(path) for path in folder.rglob("*"))
    texts = [answer.text + str(answer.headers) for answer in answers]
    texts += [logs.getvalue(), printed.out, printed.err, names, kreis.database_bytes().decode("latin-1")]
    texts += [path.read_text() for path in (folder / "keys").iterdir()]
    await kreis.publish()
    records = await kreis.carried()
    texts += [repr(record) for record in records]

    assert records
    assert {answer.status_code for answer in answers} >= {200, 201, 202, 403, 404, 422}
    for marker in MARKERS:
        assert not [text[:200] for text in texts if marker in text], marker


async def test_marker_is_found_where_it_belongs(kreis: Kreis) -> None:
    """The search is no blind one: the recipient's message and the office's own folder do hold the marker."""
    await travel(kreis)
    files = list((kreis.gateway.settings.data_dir / "folders").rglob("*-1.xml"))

    assert NAME in "".join(path.read_text() for path in files)


async def test_fault_of_ours_tells_nothing(kreis: Kreis, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error with a name in its text reaches neither the client nor the log, but its id does."""

    def fail(*_: object) -> None:
        raise RuntimeError(NAME)

    monkeypatch.setattr(sys.modules["broker.transfers.service"], "decide", fail)
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.submit(SOZIALAMT, persons=[person(NAME, GIVEN)])
    lines = [json.loads(line) for line in logs.getvalue().splitlines()]

    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    assert NAME not in answer.text
    assert NAME not in logs.getvalue()
    assert answer.json()["request_id"] in {line.get("request_id") for line in lines}
    assert await kreis.scalar("SELECT count(*) FROM submissions") == 0
