"""Bad input is refused early, names what is wrong and what is allowed, and leaves no half state."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from schemas.identifiers import DataCategory
from tests.flow.world import JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis, person

TABLES = (
    "submissions",
    "decisions",
    "transfers",
    "outbox",
    "transfer_keys",
    "transfer_subjects",
    "transfer_lookup",
    "transfer_events",
)

ENTITY = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "Zzmarker">]><x>&a;</x>'

ROOT = b'<a:uebermittlung xmlns:a="urn:amtsbruecke:schema:uebermittlung:1.0">'

MALFORMED: dict[str, tuple[bytes, int, str]] = {
    "not well-formed": (ROOT + b"<kopf>Zzmarker</x>", 422, "schema-violation"),
    "doctype and entity": (ENTITY, 422, "schema-violation"),
    "wrong schema": (ROOT + b"<kopf>Zzmarker</kopf></a:uebermittlung>", 422, "schema-violation"),
    "empty": (b"", 422, "schema-violation"),
    "foreign root": (b"<x xmlns='urn:fremd'>Zzmarker</x>", 422, "unknown-message-type"),
    "too large": (b"<x>" + b"a" * 1_100_000 + b"</x>", 413, "payload-too-large"),
}


async def rows(kreis: Kreis) -> dict[str, Any]:
    """Count the rows that a submission may leave."""
    return {table: await kreis.scalar(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608 - fixed names


@pytest.mark.parametrize("case", MALFORMED)
async def test_malformed_is_refused_before_any_rule(kreis: Kreis, case: str) -> None:
    """What the gate refuses gets its own problem, quotes nothing, and leaves nothing."""
    content, status, slug = MALFORMED[case]
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.post_xml("/v1/transfers", content)

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert "Zzmarker" not in answer.text
    assert set((await rows(kreis)).values()) == {0}


CASES: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "unknown agency": ({"recipient": "sozialamt-nirgendwo:SOZIALAMT_SGBXII"}, 422, "unknown-agency", "kopf/empfaenger"),
    "no route": ({"recipient": "polizei-marl:POLIZEI"}, 422, "no-route", "kopf/empfaenger"),
    "unknown purpose": ({"purpose": "WELTFRIEDEN"}, 422, "unknown-purpose", "grundlage/zweck"),
    "too old": ({"created_at": "2025-11-02T09:30:00+01:00"}, 422, "message-too-old", "kopf/erstelltAm"),
    "from the future": ({"created_at": "2026-04-02T09:30:00+01:00"}, 422, "message-too-old", "kopf/erstelltAm"),
    "unknown consent": (
        {"consents": ["00000000-0000-4000-8000-000000000000"]}, 422, "unknown-consent", "einwilligungen/einwilligungId",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_each_has_its_own_problem(kreis: Kreis, case: str) -> None:
    """Each kind of bad input names its field, and what is allowed where that is a list."""
    parts, status, slug, field = CASES[case]
    parts = dict(parts)
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.submit(parts.pop("recipient", SOZIALAMT), **parts)

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}"), answer.text
    assert answer.json()["field"] == field
    assert set((await rows(kreis)).values()) == {0}


async def test_allowed_values_are_named(kreis: Kreis) -> None:
    """A wrong purpose and a wrong address come back with the right ones."""
    jobcenter = await kreis.office(JOBCENTER)
    purpose = await jobcenter.submit(SOZIALAMT, purpose="WELTFRIEDEN")
    address = await jobcenter.submit("sozialamt-nirgendwo:SOZIALAMT_SGBXII")

    assert "RECHTSKREISWECHSEL" in purpose.json()["allowed"]
    assert SOZIALAMT in address.json()["allowed"]


async def test_sender_is_who_is_logged_in(kreis: Kreis) -> None:
    """An instance sends only its own."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    answer = await sozialamt.post_xml("/v1/transfers", jobcenter.message(SOZIALAMT))

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/wrong-instance")


async def test_dates_in_the_wrong_order_are_refused(kreis: Kreis) -> None:
    """A benefit that ends before it begins is refused with path and rule."""
    jobcenter = await kreis.office(JOBCENTER)
    message = jobcenter.message(SOZIALAMT, persons=[person(born=person().birth.replace(year=2031))])
    answer = await jobcenter.post_xml("/v1/transfers", message)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/schema-violation")
    assert all(error["path"] and error["rule"] for error in answer.json()["errors"])
    assert "2031" not in answer.text


async def test_person_without_identity_is_refused_at_submission(kreis: Kreis) -> None:
    """Without an identity nobody could find the person's objection; so nothing goes on."""
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.submit(SOZIALAMT, (DataCategory.LEISTUNGSBEZUG,))

    assert answer.json()["errors"][0]["rule"] == "AB-STAMMDATEN-FEHLT"


async def test_bad_input_does_not_use_the_message_id_up(kreis: Kreis) -> None:
    """After a 422 the same id may carry the corrected message; after a refusal of the law it may not."""
    jobcenter = await kreis.office(JOBCENTER)
    message_id = "11111111-2222-4333-8444-555555555555"
    bad = await jobcenter.submit(SOZIALAMT, purpose="WELTFRIEDEN", message_id=message_id)
    good = await jobcenter.submit(SOZIALAMT, message_id=message_id)
    other_id = "11111111-2222-4333-8444-666666666666"
    refused = await jobcenter.submit(SOZIALAMT, purpose="CASE_MANAGEMENT", message_id=other_id)
    corrected = await jobcenter.submit(SOZIALAMT, message_id=other_id)

    assert (bad.status_code, good.status_code) == (422, 202)
    assert (refused.status_code, corrected.status_code) == (403, 409)


async def test_without_token_nothing_is_shown(kreis: Kreis) -> None:
    """Every route but the token, the keys and health asks who calls."""
    open_paths = {"/v1/token", "/v1/keys"} | {"/v1/schemas", "/v1/schemas/{path}", "/v1/limits"}
    async with kreis.http() as http:
        for path, operations in kreis.app.openapi()["paths"].items():
            if path in open_paths:
                continue
            for method in operations:
                answer = await http.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == httpx.codes.UNAUTHORIZED, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"


async def test_one_bad_submission_does_not_fail_its_batch(kreis: Kreis) -> None:
    """Submissions that share a commit have each its own answer."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.headers()
    good = [jobcenter.submit(SOZIALAMT, (STAMMDATEN, DataCategory.LEISTUNGSBEZUG)) for _ in range(6)]
    bad = [jobcenter.submit(SOZIALAMT, consents=["00000000-0000-4000-8000-000000000000"]) for _ in range(3)]
    refused = [jobcenter.submit(SOZIALAMT, purpose="CASE_MANAGEMENT") for _ in range(3)]
    answers = await asyncio.gather(*good, *bad, *refused)

    assert [answer.status_code for answer in answers] == [202] * 6 + [422] * 3 + [403] * 3
    assert await kreis.scalar("SELECT count(*) FROM transfers") == 6
    assert await kreis.scalar("SELECT count(*) FROM submissions") == 9
