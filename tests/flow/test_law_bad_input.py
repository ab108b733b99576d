"""Whatever a client sends to the routes of the law, the answer is a problem of its own making and never a fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.flow.world import (
    JOBCENTER,
    SOZIALAMT,
    Kreis,
    attempt_body,
    consent_body,
    person,
    procedure_body,
)

NOBODY = "01900000-0000-7000-8000-000000000000"
STEPS: dict[str, dict[str, Any]] = {
    f"/v1/procedures/{NOBODY}/approval": {"genehmigt_am": "2026-03-02", "aufsicht": "FACHAUFSICHT"},
    f"/v1/procedures/{NOBODY}/notice": {"unterrichtet_am": "2026-03-03", "stelle": "LDI_NRW"},
    f"/v1/procedures/{NOBODY}/end": {"beendet_am": "2026-03-03", "grund": "IRRTUM"},
    f"/v1/first-collections/{NOBODY}/outcome": {"ergebnis": "BEANTWORTET", "am": "2026-03-03"},
    f"/v1/releases/{NOBODY}/withdrawal": {"widerrufen_am": "2026-03-03"},
    f"/v1/duties/{NOBODY}/done": {"done_on": "2026-03-03", "how": "ERFUELLT"},
}
BODIES: dict[str, dict[str, Any]] = STEPS | {
    "/v1/procedures": procedure_body(JOBCENTER, SOZIALAMT, gueltig_bis="2026-12-31", kennung=NOBODY),
    "/v1/first-collections": attempt_body(person(), aktenzeichen="BG-1"),
    "/v1/releases": {
        name: value
        for name, value in consent_body(SOZIALAMT, "RECHTSKREISWECHSEL", ["GESUNDHEIT"], person()).items()
        if name != "verweigert_am"
    }
    | {"entbunden": {"name": "Dr. A", "natuerliche_person": True}, "gueltig_bis": "2026-12-31", "aktenzeichen": "1"},
}
DEEP = "[" * 5000 + "]" * 5000
VALUES = (
    '"\\u0000"', '"\\ud800"', '"' + "ä" * 5000 + '"', "NaN", "-Infinity", "1e999", "-1", "0", "1" * 30, "1" * 5000,
    '"0001-01-01"', '"9999-12-31"', '"2026-02-30"', '"2028-02-29"', '"2026-03-16T23:59:59+14:00"', "null", "true", "[]",
    "{}", '["\\u0000"]', '["*"]', DEEP,
)  # fmt: skip
"""JSON texts that no field expects, or only some: each takes the place of every field's value."""
WHOLE = (b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"a":1,"a":2}', DEEP.encode(), b'"\\ud800"', b"NaN")
LISTS = ("/v1/law", "/v1/duties", "/v1/procedures", "/v1/first-collections", "/v1/releases")
QUERIES = (
    *("limit=0", "limit=-1", "limit=9999999999999999999999", "limit=1e3", "limit=NaN", "limit=1&limit=2", "x=1"),
    *("cursor=%00", "cursor=%ED%A0%80", "cursor=%FF", "cursor=" + "9" * 5000, f"cursor={NOBODY}"),
    *(f"cursor=0001-01-01.{NOBODY}", "cursor=20260316.%7B00000000-0000-0000-0000-000000000000%7D"),
    *("on=0001-01-01", "on=9999-12-31", "on=2026-02-30", "on=x", "norm=%00", "norm=%C2%A7%20%C2%A7", "norm="),
    *("purpose=%00", "purpose=", "due_before=0001-01-01", "due_before=9999-12-31", "due_before=99999-01-01", "state=x"),
)
PLACES = ("%00", "%FF", "%ED%A0%80", "-", "f" * 36, "a" * 3000, NOBODY.upper(), "..%2F..%2Fv1")
HEADERS = (
    {"accept-language": "de;q=nan, en;q=1e999"},
    {"accept-language": ";;;q"},
    {"if-none-match": "\x7f,*"},
    {"content-type": "text/plain"},
)


def replaced(body: Any) -> Iterator[str]:
    """Give the body as JSON once for each place of a value and each text; the place is found by a mark."""
    mark = "@@place@@"

    def marked(value: Any) -> Iterator[Any]:
        yield mark
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from (value | {name: found} for found in marked(inner))
        elif isinstance(value, list) and value:
            yield from ([found, *value[1:]] for found in marked(value[0]))

    for one in marked(body):
        text = json.dumps(one)
        yield from (text.replace(json.dumps(mark), value) for value in VALUES)


def is_no_fault(answer: httpx.Response) -> bool:
    """Whether an answer is one that the client could expect: done, or a problem that is not ours."""
    fine = answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR
    problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    return fine and (answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED or problem)


@pytest.mark.parametrize("path", BODIES)
async def test_no_body_is_a_fault_of_ours(kreis: Kreis, path: str) -> None:
    """Every value of every field, and the body as a whole, may be anything."""
    jobcenter = await kreis.office(JOBCENTER)
    headers = await jobcenter.headers() | {"content-type": "application/json"}
    contents = [*WHOLE, *(text.encode() for text in replaced(BODIES[path]))]
    answers = [(one, await jobcenter.http.post(path, content=one, headers=headers)) for one in contents]

    assert [(content[:200], answer.status_code) for content, answer in answers if not is_no_fault(answer)] == []


@pytest.mark.parametrize("path", LISTS)
async def test_no_query_is_a_fault_of_ours(kreis: Kreis, path: str) -> None:
    """Every parameter of a list, and every id behind it, may be anything; and so may headers."""
    jobcenter = await kreis.office(JOBCENTER)
    headers = await jobcenter.headers()
    asked = [*(f"{path}?{query}" for query in QUERIES), *(f"{path}/{place}" for place in PLACES)]
    asked += [f"/v1/decisions/{place}" for place in PLACES]
    answers = [(one, await jobcenter.http.get(one, headers=headers)) for one in asked]
    answers += [(str(more), await jobcenter.http.get(path, headers=headers | more)) for more in HEADERS]

    assert [(one[:80], answer.status_code) for one, answer in answers if not is_no_fault(answer)] == []
