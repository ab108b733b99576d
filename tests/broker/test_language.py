"""What makers of software download is what the gate uses."""

from __future__ import annotations

import posixpath
import re
from inspect import signature

import httpx
import pytest

from schemas.limits import DEFAULT_LIMITS
from schemas.message_types import MESSAGE_TYPES, PACKAGE_DIR
from schemas.xml import validate, validate_quittung
from schemas.xsd_model import xsd_files
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis


async def test_every_message_type_is_listed_with_its_files(kreis: Kreis) -> None:
    """Type, version, namespace and days are those of the registry."""
    async with kreis.http() as http:
        items = (await http.get("/v1/schemas")).json()["items"]

    assert [(item["type"], item["version"], item["namespace"], item["from"]) for item in items] == [
        (known.name, known.version, known.namespace, known.valid_from.isoformat()) for known in MESSAGE_TYPES
    ]
    assert [len(item["files"]) for item in items] == [len(xsd_files(known)) for known in MESSAGE_TYPES]


async def test_files_are_served_byte_for_byte(kreis: Kreis) -> None:
    """Each file that a link names is the file of the package, and names no file that is not served beside it."""
    async with kreis.http() as http:
        for item in (await http.get("/v1/schemas")).json()["items"]:
            for name, link in item["files"].items():
                answer = await http.get(link)

                assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml"), name
                assert answer.content == (PACKAGE_DIR / name).read_bytes()
                for near in re.findall(r'schemaLocation="([^"]+)"', answer.text):
                    assert posixpath.normpath(posixpath.join(posixpath.dirname(name), near)) in item["files"], near


@pytest.mark.parametrize(
    "path", ["x.xsd", "../pyproject.toml", "%2e%2e/pyproject.toml", "/etc/passwd", "limits.py", ""]
)
async def test_nothing_else_is_served(kreis: Kreis, path: str) -> None:
    """Only schema files have an address here."""
    async with kreis.http() as http:
        answer = await http.get(f"/v1/schemas/{path}")

    assert answer.status_code == httpx.codes.NOT_FOUND
    assert "[project]" not in answer.text


async def test_limits_are_those_of_the_gate(kreis: Kreis) -> None:
    """What /v1/limits says is what the gate checks by default."""
    async with kreis.http() as http:
        said = (await http.get("/v1/limits")).json()

    assert said == DEFAULT_LIMITS.as_dict()
    for gate in (validate, validate_quittung):
        assert signature(gate).parameters["limits"].default == DEFAULT_LIMITS


async def test_limit_in_bytes_is_exact(kreis: Kreis) -> None:
    """A message of exactly the published size is read, one byte more is not."""
    jobcenter = await kreis.office(JOBCENTER)
    limit = (await jobcenter.get("/v1/limits")).json()["bytes"]
    message = jobcenter.message(SOZIALAMT)
    fitting = message + b" " * (limit - len(message))
    answers = [await jobcenter.post_xml("/v1/transfers", content) for content in (fitting, fitting + b" ")]

    assert [answer.status_code for answer in answers] == [httpx.codes.ACCEPTED, httpx.codes.REQUEST_ENTITY_TOO_LARGE]
    assert answers[1].json()["limit"] == limit
