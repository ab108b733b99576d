"""Each decision comes with a signed promise about its entry, and a repeat with the same one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import httpx
from joserfc import jws
from joserfc.jwk import KeySet

from broker.audit.promise import ALGORITHM, TYPE
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, ersuchen_body, person
from tests.world import evidence


async def claims(kreis: Kreis, promise: str) -> dict[str, Any]:
    """Verify a promise with the keys that the service publishes; return what it says."""
    async with kreis.http() as http:
        keys = KeySet.import_key_set((await http.get("/v1/keys")).json())
    signed = jws.deserialize_compact(promise, keys, algorithms=[ALGORITHM])
    assert signed.headers()["typ"] == TYPE
    said: dict[str, Any] = json.loads(signed.payload)
    return said


async def test_the_promise_names_the_entry_and_its_time(kreis: Kreis) -> None:
    """A 202 holds a promise about just the entry that was written, signed with a published key."""
    answer = await (await kreis.office(JOBCENTER)).submit(SOZIALAMT)
    [(entry, _)] = await evidence(kreis.gateway, "transfer.permitted")
    said = await claims(kreis, answer.json()["promise"])

    assert answer.status_code == httpx.codes.ACCEPTED
    assert (said["entry"], said["leaf"], said["log"]) == (entry.id, entry.leaf.hex(), "amtsbruecke/audit")
    seconds = (datetime.fromisoformat(said["by"]) - kreis.clock()).total_seconds()
    assert seconds == kreis.gateway.settings.promise_seconds


async def test_a_repeat_gets_the_same_promise(kreis: Kreis) -> None:
    """The promise is part of the stored first answer."""
    jobcenter = await kreis.office(JOBCENTER)
    message = jobcenter.message(SOZIALAMT)
    first = await jobcenter.post_xml("/v1/transfers", message)
    kreis.clock.move(minutes=5)
    again = await jobcenter.post_xml("/v1/transfers", message)

    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()


async def test_refusals_and_checks_are_promised_too(kreis: Kreis) -> None:
    """What was refused or only checked is evidence as well."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    body = ersuchen_body(JOBCENTER, who, ersterhebung={"status": "NICHT_VERSUCHT"})
    ersuchen = (await sozialamt.post("/v1/ersuchen", body)).json()["id"]
    refused = await jobcenter.submit(SOZIALAMT, mode="ERSUCHEN", ersuchen=ersuchen, persons=[who])
    checked = await jobcenter.post_xml("/v1/transfers/check", jobcenter.message(SOZIALAMT))
    for answer, event in ((refused, "transfer.refused"), (checked, "transfer.checked")):
        [(entry, _)] = await evidence(kreis.gateway, event)
        assert (await claims(kreis, answer.json()["promise"]))["leaf"] == entry.leaf.hex()
    assert (refused.status_code, checked.status_code) == (403, 200)
