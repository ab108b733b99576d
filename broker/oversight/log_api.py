"""The log of evidence over HTTP: checkpoint and tiles (C2SP tlog-tiles), and proofs (RFC 6962).

For officers and auditors: the size of the log is a count of what happens, and nothing for clients. Tiles hold hashes
alone; bundles of entries span all agencies, so they are for auditors, while an officer gets proofs of what concerns the
own agency. Proofs and bundles leave an entry each; checkpoint and tiles do not, or each look of a witness would make
the log grow for its next look.
"""

from __future__ import annotations

import math
import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.access import Guarded, Over, access
from broker.audit import merkle, tree
from broker.audit.checkpoint import verifier_key
from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.auth.caller import Caller, Role
from broker.auth.dependencies import caller
from broker.db import Database
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway, gateway
from broker.oversight import proofs
from broker.privileges import CONTROLLERS, DbRole

router = APIRouter(prefix="/v1/audit", tags=["Protokoll"], route_class=Guarded)

Shared = Annotated[Gateway, Depends(gateway)]
Reader = Annotated[Caller, Depends(caller)]

FOR_GOOD = {"Cache-Control": "private, max-age=31536000, immutable"}
FOR_A_MOMENT = {"Cache-Control": "private, max-age=2"}
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
PATH = re.compile(r"(?P<number>(?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?")
HASH = r"^[0-9a-f]{64}$"
LARGEST = 2**53


class Inclusion(BaseModel):
    """That an entry stands in the log: hashes from the leaf up (RFC 6962, section 2.1.1), Base64."""

    entry: str
    leaf: str = Field(description="leaf hash, hexadecimal")
    index: int
    size: int
    proof: list[str]
    root: str
    checkpoint: str | None = Field(description="signed note over this size, where one was made")


class Consistency(BaseModel):
    """That the log only grew: hashes as of RFC 6962, section 2.1.2, Base64."""

    first: int
    second: int
    proof: list[str]
    first_root: str
    root: str
    checkpoint: str | None = Field(description="signed note over the second size, where one was made")


@router.get(
    "/log/checkpoint",
    summary="Der letzte signierte Prüfpunkt",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
@access(officer=Over.HASHES, auditor=Over.HASHES)
async def get_checkpoint(shared: Shared, _: Reader) -> Response:
    """Return the last checkpoint, a signed note."""
    async with shared.db.acting(DbRole.AUDITOR).reading() as connection:
        head = await tree.head(connection)
    if not head.size:
        raise _not_yet(shared, "Noch ist nichts gesiegelt.")
    return Response(head.note, media_type=TEXT, headers=FOR_A_MOMENT)


@router.get(
    "/log/keys",
    summary="Prüfschlüssel des Protokolls",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
@access(officer=Over.HASHES, auditor=Over.HASHES)
async def get_log_keys(shared: Shared, _: Reader) -> Response:
    """Return the keys of the log, one a line, as verifiers of signed notes take them; compare them out of band."""
    keys = [verifier_key(shared.settings.log_origin, key) for key in shared.keys.checkpoint]
    return Response("\n".join([*keys, ""]), media_type=TEXT, headers=FOR_A_MOMENT)


@router.get(
    "/log/tile/entries/{path:path}",
    summary="Bis zu 256 Einträge (tlog-tiles)",
    response_class=Response,
    responses={200: {"content": {BYTES: {}}}},
)
@access(auditor=Over.LOG)
async def get_entries(path: str, shared: Shared, who: Reader) -> Response:
    """Return a bundle of up to 256 entries, each its canonical bytes behind their length (two bytes)."""
    async with shared.db.acting(DbRole.AUDITOR).writing() as connection:
        number, width = await _asked(connection, 0, path)
        await _record(
            connection, shared, who, AuditEvent("audit.read", who.actor, data={"bundle": number, "width": width})
        )
        content = await proofs.bundle(connection, number, width)
    return Response(content, media_type=BYTES, headers=FOR_GOOD)


@router.get(
    "/log/tile/{level}/{path:path}",
    summary="Eine Kachel des Hashbaums (tlog-tiles)",
    response_class=Response,
    responses={200: {"content": {BYTES: {}}}},
)
@access(officer=Over.HASHES, auditor=Over.HASHES)
async def get_tile(level: str, path: str, shared: Shared, _: Reader) -> Response:
    """Return a tile of up to 256 hashes; a partial one is named with its width (``067.p/12``)."""
    if not re.fullmatch(r"[0-9]|[1-5][0-9]|6[0-3]", level):
        raise _no_tile()
    async with shared.db.acting(DbRole.AUDITOR).reading() as connection:
        number, width = await _asked(connection, int(level), path)
        found = await tree.read_tiles(connection, [(int(level), number)])
    content = found.get((int(level), number), b"")[: width * merkle.HASH_BYTES]
    if len(content) != width * merkle.HASH_BYTES:
        raise merkle.BrokenTree(f"tile {level}/{number} is missing or short")
    return Response(content, media_type=BYTES, headers=FOR_GOOD)


@router.get("/proofs/inclusion", summary="Nachweis, dass ein Eintrag im Protokoll steht")
@access(officer=Over.AGENCY_ON_RECORD, auditor=Over.LOG)
async def get_inclusion(
    shared: Shared,
    who: Reader,
    entry: Annotated[UUID | None, Query(description="id of the entry")] = None,
    leaf: Annotated[str | None, Query(pattern=HASH, description="or its leaf hash, hexadecimal")] = None,
    size: Annotated[int | None, Query(ge=1, le=LARGEST, description="size of a checkpoint; the last one")] = None,
) -> Inclusion:
    """Prove that an entry stands in the log of a size."""
    if (entry is None) == (leaf is None):
        raise invalid("entry", "Entweder die Kennung (entry) oder den Hash (leaf) des Eintrags angeben.")
    async with _as(shared, who).writing() as connection:
        found = await proofs.placed(connection, str(entry) if entry else None, bytes.fromhex(leaf) if leaf else None)
        if found is None or (who.role is Role.OFFICER and not found.concerns(who.agency or "")):
            raise ProblemError("not-found", "Diesen Eintrag gibt es nicht, oder er betrifft diese Behörde nicht.")
        size = await _size(connection, shared, size)
        if found.index is None:
            raise _not_yet(shared, "Dieser Eintrag ist noch nicht gesiegelt.")
        if found.index >= size:
            raise invalid("size", f"Der Eintrag kam nach diesem Stand in das Protokoll; mindestens {found.index + 1}.")
        seen = {"entry": found.entry, "size": size}
        await _record(connection, shared, who, AuditEvent("audit.proved", who.actor, reference=found.entry, data=seen))
        proof, root = await proofs.inclusion(connection, found.leaf, found.index, size)
        known = await tree.checkpoint_of(connection, size)
    return Inclusion(
        entry=found.entry,
        leaf=found.leaf.hex(),
        index=found.index,
        size=size,
        proof=proofs.written(proof),
        **proofs.shown(root, known),
    )


def _as(shared: Gateway, who: Caller) -> Database:
    """Return the database as an officer may see it (what concerns the own agency), or an auditor (the whole log)."""
    if who.role is Role.OFFICER:
        return shared.db.acting(DbRole.CONSOLE, {CONTROLLERS: who.agency or ""})
    return shared.db.acting(DbRole.AUDITOR)


@router.get("/proofs/consistency", summary="Nachweis, dass das Protokoll nur gewachsen ist")
@access(officer=Over.HASHES, auditor=Over.HASHES)
async def get_consistency(
    shared: Shared,
    who: Reader,
    first: Annotated[int, Query(ge=1, le=LARGEST, description="size of the earlier checkpoint")],
    second: Annotated[int | None, Query(ge=1, le=LARGEST, description="size of the later one; the last")] = None,
) -> Consistency:
    """Prove that the log of the second size is that of the first, with entries added."""
    async with shared.db.acting(DbRole.AUDITOR).writing() as connection:
        second = await _size(connection, shared, second)
        if first > second:
            raise invalid("first", f"Der frühere Stand ist größer als der spätere ({second}).")
        seen = {"first": first, "second": second}
        await _record(connection, shared, who, AuditEvent("audit.proved", who.actor, data=seen))
        proof, earlier, root = await proofs.consistency(connection, first, second)
        known = await tree.checkpoint_of(connection, second)
    return Consistency(
        first=first,
        second=second,
        proof=proofs.written(proof),
        first_root=proofs.written([earlier])[0],
        **proofs.shown(root, known),
    )


async def _size(connection: AsyncConnection, shared: Gateway, asked: int | None) -> int:
    """Return the size that is asked for, or the last. Raises ``not-sealed-yet`` where the log is smaller."""
    last = (await tree.head(connection)).size
    if not last or (asked or 0) > last:
        raise _not_yet(shared, f"Gesiegelt sind bisher {last} Einträge.")
    return asked or last


async def _asked(connection: AsyncConnection, level: int, path: str) -> tuple[int, int]:
    """Return number and width of the tile that a path names, if it is in the last checkpoint's tree."""
    match = PATH.fullmatch(path)
    if match is None:
        raise _no_tile()
    number = int(re.sub(r"[x/]", "", match["number"]))
    width = int(match["width"] or merkle.TILE_WIDTH)
    there = merkle.tile_width(level, number, (await tree.head(connection)).size)
    if match["number"] != tile_path(number) or width > there or (match["width"] and width == merkle.TILE_WIDTH):
        raise _no_tile()
    return number, width


def tile_path(number: int) -> str:
    """Write the number of a tile as a path: ``x001/x234/067``."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03}")
    return "/".join(reversed(groups))


async def _record(connection: AsyncConnection, shared: Gateway, who: Caller, event: AuditEvent) -> None:
    """Put the look on record, in the transaction that shows it."""
    owner = f"{who.agency}:" if who.agency else None
    made = AuditEvent(event.event, event.actor, owner, None, event.reference, event.data, {"client": who.client_id})
    await append(connection, [made], shared.clock())


def _no_tile() -> ProblemError:
    return ProblemError("not-found", "Diese Kachel gibt es nicht; der Prüfpunkt sagt, wie groß das Protokoll ist.")


def _not_yet(shared: Gateway, detail: str) -> ProblemError:
    wait = math.ceil(shared.settings.seal_seconds)
    return ProblemError("not-sealed-yet", detail, headers={"Retry-After": str(wait)})
