"""Key release: an office's own adapter opens its records, when the law says so and nobody else can."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from sqlalchemy import select

from broker.auth.encryption import add_encryption_key
from broker.transport.models import EmbeddedRecord
from tests.flow.test_stops import BLOCKS, NAMED, consented
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, Office, consent_body, person
from tests.house.source import ROOT
from tests.world import evidence

NEIGHBOUR = "sozialamt-herten:WOHNGELDSTELLE"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def hosted(kreis: Kreis, instance: str = SOZIALAMT) -> tuple[Office, dict[str, Any]]:
    """Return an office with its own adapter, and the adapter's private key."""
    office = await kreis.office(instance)
    _, private = await add_encryption_key(kreis.gateway, office.client.client_id)
    assert private is not None
    return office, private


async def arrived(kreis: Kreis, **parts: Any) -> tuple[str, bytes]:
    """Let a transfer arrive; return its id and its record's value."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT, **parts)
    await kreis.publish()
    async with kreis.gateway.db.reading() as connection:
        value = await connection.scalar(select(EmbeddedRecord.value).where(EmbeddedRecord.record_id == transfer))
    await kreis.take_in()
    return transfer, bytes(value or b"")


async def key(office: Office, transfer: str) -> httpx.Response:
    """Ask for a key."""
    return await office.post(f"/v1/transfers/{transfer}/key")


def example() -> Any:
    """Return ``open_record`` as docs/adapters.md shows it."""
    page = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    return names["open_record"]


async def test_hosted_adapter_opens_its_record_as_the_page_shows(kreis: Kreis) -> None:
    """The example of the documentation opens the record of the topic; the quittung ends it."""
    office, private = await hosted(kreis)
    jobcenter = await kreis.office(JOBCENTER)
    sent = jobcenter.message(SOZIALAMT)
    transfer = (await jobcenter.post_xml("/v1/transfers", sent)).json()["transfer_id"]
    await kreis.publish()
    async with kreis.gateway.db.reading() as connection:
        value = (await connection.execute(select(EmbeddedRecord.value))).scalar_one()
    await kreis.take_in()
    answer = (await key(office, transfer)).json()
    content = example()(value, answer, private)
    done = await office.answer(answer)

    assert content == sent
    assert (done.status_code, await jobcenter.state(transfer)) == (200, "acknowledged")
    assert (await key(office, transfer)).json()["state"] == "acknowledged"


async def test_nobody_else_opens_the_key(kreis: Kreis) -> None:
    """The answer opens with the client's key alone, and says which record it opens."""
    office, private = await hosted(kreis)
    transfer, _ = await arrived(kreis)
    answer = (await key(office, transfer)).json()
    stranger: Any = OKPKey.generate_key("X25519", private=True)
    algorithms = ["ECDH-ES+A256KW", "A256GCM"]
    opened = jwe.decrypt_compact(answer["encrypted_key"], OKPKey.import_key(private), algorithms=algorithms)

    with pytest.raises(JoseError):
        jwe.decrypt_compact(answer["encrypted_key"], stranger, algorithms=algorithms)
    jwk = json.loads(opened.plaintext or b"")
    assert (jwk["kid"], jwk["alg"], len(jwk["k"])) == (transfer, "A256GCM", 43)


async def test_law_is_asked_again(kreis: Kreis) -> None:
    """What may no longer pass ends with the question, and no key leaves; the recipient is not told why."""
    office, _ = await hosted(kreis)
    jobcenter, who = await kreis.office(JOBCENTER), person()
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", NAMED, who, gueltig_bis="2026-03-18")
    consent = (await jobcenter.post("/v1/consents", body)).json()["id"]
    parts: dict[str, Any] = {"purpose": "CASE_MANAGEMENT", "persons": [who], "consents": [consent], "blocks": BLOCKS}
    transfer, _ = await arrived(kreis, **parts)
    kreis.clock.move(days=4)
    refused = await key(office, transfer)

    assert (refused.status_code, refused.json()["state"]) == (409, "returned")
    assert not {"encrypted_key", "code", "reason"} & refused.json().keys()
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0


async def test_same_client_gets_the_same_key_within_its_lease(kreis: Kreis) -> None:
    """A repetition is the same hand-over: same lease, same attempt; after the lease it is the next attempt."""
    office, private = await hosted(kreis)
    transfer, value = await arrived(kreis)
    first, again = (await key(office, transfer)).json(), (await key(office, transfer)).json()
    kreis.clock.now = datetime.fromisoformat(first["leased_until"])
    later = (await key(office, transfer)).json()
    contents = {example()(value, answer, private) for answer in (first, again, later)}
    entries = [entry.data["attempt"] for entry, _ in await evidence(kreis.gateway, "transfer.handing_over")]

    assert [(a["attempt"], a["leased_until"]) for a in (first, again)] == [(1, first["leased_until"])] * 2
    assert (later["attempt"], len(contents), entries) == (2, 1, [1, 1, 2])


async def test_withdrawal_within_the_lease_stops_the_repetition(kreis: Kreis) -> None:
    """Whoever asks again after a withdrawal gets no key, lease or not."""
    office, _ = await hosted(kreis)
    jobcenter = await kreis.office(JOBCENTER)
    consent, transfer = await consented(jobcenter, person())
    await kreis.publish()
    await kreis.take_in()
    first = await key(office, transfer)
    await jobcenter.post(f"/v1/consents/{consent}/withdrawal")
    again = await key(office, transfer)

    assert (first.status_code, again.status_code, again.json()["state"]) == (200, 409, "returned")


async def test_what_may_not_go_now_is_told_with_its_reason(kreis: Kreis) -> None:
    """Not arrived, leased by the inbox, waiting behind another of its case: 409 with a reason and when to ask again."""
    office, _ = await hosted(kreis)
    jobcenter = await kreis.office(JOBCENTER)
    first = await jobcenter.accepted(SOZIALAMT, case_sender="BG-1")
    unpublished = await key(office, first)
    await kreis.publish()
    await kreis.take_in()
    second, _ = await arrived(kreis, case_sender="BG-1")
    behind = await key(office, second)
    await office.inbox(limit=1)
    leased = await key(office, first)
    open_now = await key(office, second)

    for answer, reason in ((unpublished, "not-arrived"), (behind, "waits-behind"), (leased, "leased")):
        assert (answer.status_code, answer.json()["reason"]) == (409, reason)
        assert int(answer.headers["retry-after"]) > 0
    assert open_now.status_code == httpx.codes.OK


async def test_nobody_but_the_recipient_learns_that_it_is_there(kreis: Kreis) -> None:
    """The sender, a neighbour and whoever asks for an unknown one get the same answer."""
    transfer, _ = await arrived(kreis)
    answers = [await key((await hosted(kreis, one))[0], transfer) for one in (JOBCENTER, NEIGHBOUR)]
    answers.append(await key((await hosted(kreis))[0], UNKNOWN))

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1


async def test_without_a_registered_key_nothing_is_released(kreis: Kreis) -> None:
    """A client without a key for encrypting is told what is missing, and the transfer is as it was."""
    office = await kreis.office(SOZIALAMT)
    transfer, _ = await arrived(kreis)
    answer = await key(office, transfer)

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/no-encryption-key")
    assert await office.state(transfer) == "published"


async def test_expired_one_has_no_key(kreis: Kreis) -> None:
    """Past its time nothing is released, though the clean-up has not come by yet."""
    office, _ = await hosted(kreis)
    transfer, _ = await arrived(kreis)
    kreis.clock.move(days=15)

    assert (await key(office, transfer)).json()["state"] == "expired"
