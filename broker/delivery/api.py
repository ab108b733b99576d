"""The inbox of an instance: fetch, answer, read notices."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from broker.access import Guarded, Over, access
from broker.auth.caller import Caller
from broker.auth.dependencies import caller, reading_as
from broker.batcher import Batcher
from broker.clock import timestamp
from broker.delivery import inbox, notices
from broker.delivery.handover import Released
from broker.delivery.in_flight import recall
from broker.delivery.key_release import release_key
from broker.delivery.quittung import Accepted, Brought, quittungen_of
from broker.errors import invalid
from broker.gateway import Gateway, gateway
from broker.pages import opened_cursor, sealed_cursor
from broker.privileges import DbRole
from broker.transfers.feed import seen_by
from broker.xml_body import read_xml
from schemas.identifiers import Instance
from schemas.xml import validate_quittung

router = APIRouter(prefix="/v1", tags=["Eingang"], route_class=Guarded)

Shared = Annotated[Gateway, Depends(gateway)]
Who = Annotated[Caller, Depends(caller)]


class InboxItem(BaseModel):
    """One message handed over; it comes again after `leased_until` unless a quittung has come."""

    transfer_id: str
    message_id: str
    message_type: str
    version: str
    sender: str
    recipient: str
    branch: str | None = Field(description="branch of the recipient's agency at the sender's place")
    purpose: str
    test: bool
    accepted_at: datetime
    expires_at: datetime
    leased_until: datetime
    attempt: int
    statement: str | None = Field(description="signed statement about what was taken out (JWS), where something was")
    message: str = Field(description="the XML message")
    links: dict[str, str]


class KeyAnswer(BaseModel):
    """The key of a record's content, and what belongs to it."""

    transfer_id: str
    message_id: str
    message_type: str
    version: str
    sender: str
    recipient: str
    branch: str | None = Field(description="branch of the recipient's agency at the sender's place")
    purpose: str
    test: bool
    digest: str = Field(description="SHA-256 of the opened content, hexadecimal")
    leased_until: datetime
    attempt: int
    statement: str | None = Field(description="signed statement about what was taken out (JWS), where something was")
    encrypted_key: str = Field(description="JWE (RFC 7516) to the client's key; holds the content key as JWK")
    links: dict[str, str]


class Inbox(BaseModel):
    """What was handed over now."""

    items: list[InboxItem]


class QuittungAnswer(BaseModel):
    """The state that the quittung led to."""

    transfer_id: str
    state: str
    repeated: bool


class QuittungView(BaseModel):
    """A quittung of the recipient, and its XML as it came."""

    status: str
    reason: str | None
    at: datetime
    message: str


class Quittungen(BaseModel):
    """The quittungen of one transfer, oldest first."""

    items: list[QuittungView]


class Notice(BaseModel):
    """A notice that waits for an acknowledgement."""

    id: str
    transfer_id: str
    kind: notices.NoticeKind
    created_at: datetime
    links: dict[str, str]


class NoticePage(BaseModel):
    """Open notices; `next_cursor` is missing on the last page."""

    items: list[Notice]
    next_cursor: str | None = None


class Acknowledgement(BaseModel):
    """What was done with the data."""

    massnahme: notices.Measure


@router.get("/inbox", summary="Wartende Nachrichten entgegennehmen")
@access(instance=Over.RECIPIENT)
async def get_inbox(
    shared: Shared,
    who: Who,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
    wait: Annotated[int, Query(ge=0, le=60, description="seconds to wait for the first message")] = 0,
) -> Inbox:
    """Hand over waiting messages to the calling instance: decided again now, then leased and opened."""
    instance = who.as_instance()
    seconds = min(wait, shared.settings.long_poll_seconds)
    found = await inbox.fetch_or_wait(shared.acting(DbRole.DELIVERY), instance, who.client_id, limit, seconds)
    return Inbox(items=[_item(released) for released in found])


def _item(released: Released) -> InboxItem:
    transfer = released.transfer
    return InboxItem(
        transfer_id=transfer.id,
        message_id=transfer.message_id,
        message_type=transfer.message_type,
        version=transfer.version,
        sender=transfer.sender,
        recipient=transfer.recipient,
        branch=released.branch,
        purpose=transfer.purpose,
        test=transfer.test,
        accepted_at=transfer.accepted_at,
        expires_at=transfer.expires_at,
        leased_until=released.leased_until,
        attempt=released.attempt,
        statement=transfer.statement,
        message=released.content.decode("utf-8"),
        links={"quittung": f"/v1/inbox/{transfer.id}/quittung", "transfer": f"/v1/transfers/{transfer.id}"},
    )


@router.post(
    "/inbox/{transfer_id}/quittung",
    summary="Eine Übermittlung quittieren; danach ist ihr Inhalt hier nicht mehr lesbar",
    openapi_extra={"requestBody": {"required": True, "content": {"application/xml": {"schema": {"type": "string"}}}}},
)
@access(instance=Over.RECIPIENT)
async def post_quittung(transfer_id: str, request: Request, who: Who) -> QuittungAnswer:
    """Answer a transfer with a ``quittung``; from then on its content can be read by nobody here."""
    instance = Instance.parse(who.as_instance())
    quittung = validate_quittung(await read_xml(request))
    if quittung.transfer_id != transfer_id or str(quittung.sender) != str(instance):
        text = "Die Quittung nennt eine andere Übermittlung oder einen anderen Absender als dieser Aufruf."
        raise invalid("uebermittlungId, absender", text)
    batcher: Batcher[Brought, Accepted] = request.app.state.quittungen
    done = await batcher.submit(Brought(quittung, instance.agency, who.client_id))
    return QuittungAnswer(transfer_id=done.transfer_id, state=done.state.value, repeated=done.repeated)


@router.get(
    "/transfers/{transfer_id}/quittungen", summary="Quittungen zu einer Übermittlung ansehen", tags=["Übermittlung"]
)
@access(instance=Over.SIDES)
async def get_quittungen(transfer_id: str, shared: Shared, who: Who) -> Quittungen:
    """Read the recipient's quittungen: the same XML through every channel; for sender and recipient alone."""
    instance = who.as_instance()
    async with reading_as(shared, who).reading() as connection:
        await seen_by(connection, transfer_id, instance)
        rows = await quittungen_of(connection, transfer_id)
    items = [QuittungView(status=r.status, reason=r.reason, at=r.at, message=r.content.decode()) for r in rows]
    return Quittungen(items=items)


@router.get("/notices", summary="Hinweise zu empfangenen Daten, noch nicht bestätigte")
@access(instance=Over.RECIPIENT)
async def get_notices(
    shared: Shared, who: Who, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> NoticePage:
    """List what the calling instance must be told about data it holds, and has not acknowledged."""
    instance = who.as_instance()
    keys = shared.keys.cursor_keys(instance, "notices")
    async with reading_as(shared, who).reading() as connection:
        rows = await notices.open_notices(connection, instance, opened_cursor(cursor, keys), limit)
    items = [
        Notice(
            id=row.id,
            transfer_id=row.transfer_id,
            kind=notices.NoticeKind(row.kind),
            created_at=row.created_at,
            links={"acknowledgement": f"/v1/notices/{row.id}/acknowledgement"},
        )
        for row in rows
    ]
    return NoticePage(items=items, next_cursor=sealed_cursor(rows[-1].seq, keys) if len(rows) == limit else None)


@router.post("/notices/{notice_id}/acknowledgement", summary="Einen Hinweis bestätigen: was mit den Daten geschah")
@access(instance=Over.RECIPIENT)
async def post_acknowledgement(notice_id: str, body: Acknowledgement, shared: Shared, who: Who) -> dict[str, Any]:
    """Acknowledge a notice and say what was done with the data."""
    instance = who.as_instance()
    async with shared.db.acting(DbRole.DELIVERY).writing() as connection:
        transfer_id = await notices.acknowledge(connection, shared, notice_id, instance, body.massnahme, who.client_id)
    return {"transfer_id": transfer_id, "massnahme": body.massnahme.value, "at": timestamp(shared.clock())}


@router.post("/transfers/{transfer_id}/key", summary="Den Schlüssel eines Inhalts holen (eigener Adapter)")
@access(instance=Over.RECIPIENT)
async def post_key(transfer_id: str, shared: Shared, who: Who) -> KeyAnswer:
    """Hand a transfer over to an adapter that has read its record: decided again now, leased, its key released.

    The key opens the record's value: AES-256-GCM, 12 bytes of nonce first, bound to the transfer's id.
    """
    done = await release_key(shared.acting(DbRole.DELIVERY), transfer_id, who)
    transfer = done.released.transfer
    return KeyAnswer(
        transfer_id=transfer.id,
        message_id=transfer.message_id,
        message_type=transfer.message_type,
        version=transfer.version,
        sender=transfer.sender,
        recipient=transfer.recipient,
        branch=done.released.branch,
        purpose=transfer.purpose,
        test=transfer.test,
        digest=transfer.digest,
        leased_until=done.released.leased_until,
        attempt=done.released.attempt,
        statement=transfer.statement,
        encrypted_key=done.encrypted_key,
        links={"quittung": f"/v1/inbox/{transfer.id}/quittung", "transfer": f"/v1/transfers/{transfer.id}"},
    )


@router.post("/transfers/{transfer_id}/recall", summary="Eine eigene Übermittlung zurückrufen", tags=["Übermittlung"])
@access(instance=Over.SENDER)
async def post_recall(transfer_id: str, shared: Shared, who: Who) -> dict[str, Any]:
    """Call a transfer back: it ends where it is not handed over, otherwise its recipient gets a notice."""
    async with shared.db.writing() as connection:
        notice = await recall(connection, shared, transfer_id, who.as_instance())
    state = {"state": "recalled"} if notice is None else {"state": "notice-sent", "notice": notice}
    return {"transfer_id": transfer_id} | state
