"""An office that reads files, as the tests use it: where its messages lie, and what its software leaves there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from schemas.compose import compose_quittung
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, Kreis
from tests.world import START

OFFICE = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"
MESSAGE_ID = "11111111-2222-4333-8444-555555555555"


def share(kreis: Kreis) -> Path:
    """Return the agency's share."""
    return kreis.gateway.settings.data_dir / "folders" / FOLDER_AGENCY


def place(kreis: Kreis) -> Path:
    """Return where the office's messages lie."""
    return share(kreis) / "sgb-xii"


async def waiting(kreis: Kreis, **parts: Any) -> str:
    """Submit a transfer to the office and take it in; it waits to be brought."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(OFFICE, **parts)
    await kreis.publish()
    await kreis.take_in()
    return transfer


async def state(kreis: Kreis, transfer: str) -> str:
    """Return a transfer's state."""
    return await (await kreis.office(JOBCENTER)).state(transfer)


def quittung(transfer: str, sender: str = OFFICE, **parts: Any) -> bytes:
    """Compose what the office's software would write."""
    given = {"message_id": str(uuid4()), "reply_to": MESSAGE_ID, "status": "ANGENOMMEN", "created_at": START}
    return compose_quittung(transfer_id=transfer, sender=sender, **(given | parts))


def leave(kreis: Kreis, files: Mapping[str, bytes]) -> None:
    """Leave files where the office's software leaves its quittungen."""
    for name, content in files.items():
        (place(kreis) / "quittungen" / name).write_bytes(content)
