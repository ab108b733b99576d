"""Records about persons are only ever added to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ClauseElement, Connection, Delete, Update, event

from broker.gateway import Gateway
from tests.broker.attempts.test_api import ATTEMPT
from tests.broker.consents.test_api import CONSENT
from tests.broker.procedures.test_api import PROCEDURE
from tests.broker.requests.test_api import ERSUCHEN
from tests.broker.subjects.test_api import OPT_OUT
from tests.broker.subjects.world import JOBCENTER, SOZIALAMT, As


async def test_only_numbers_change_and_only_sealed_content_is_deleted(gateway: Gateway, acting: As) -> None:
    """Recording and ending consents, stops and Ersuchen adds rows; what was recorded is never touched again."""
    seen: set[tuple[str, str]] = set()

    def listen(_: Connection, statement: ClauseElement, *__: object) -> None:
        if isinstance(statement, Update | Delete):
            seen.add((type(statement).__name__, str(statement.entity_description["name"])))

    event.listen(gateway.db.engine.sync_engine, "before_execute", listen)
    flows: list[tuple[str, str, dict[str, Any], str, dict[str, Any]]] = [
        (JOBCENTER, "consents", CONSENT, "withdrawal", {}),
        (JOBCENTER, "objections", OPT_OUT, "end", {"grund": "IRRTUM"}),
        (SOZIALAMT, "first-collections", ATTEMPT, "outcome", {"ergebnis": "BEANTWORTET"}),
        (JOBCENTER, "procedures", PROCEDURE, "end", {"grund": "IRRTUM"}),
        (SOZIALAMT, "ersuchen", ERSUCHEN, "close", {"grund": "ERLEDIGT"}),
    ]
    for instance, kind, body, end, reason in flows:
        async with acting(instance) as client:
            made = await client.post(f"/v1/{kind}", json=body)
            assert made.status_code == 201
            ended = await client.post(f"/v1/{kind}/{made.json()['id']}/{end}", json=reason)
            assert ended.status_code == 200
    assert seen == {("Update", "SubjectState"), ("Delete", "ErsuchenContent")}
