"""Deliveries and offices for the tests. Every payload holds `MARKER`, a name that may turn up nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.base import AgencyAdapter, Delivery
from adapters.registry import DIALECTS, adapter_for
from schemas.identifiers import AgencyId, MessageId, TransferId, UnitCode

MARKER = "Schloemilch-Zoltowska"
"""ASCII, so that it is found in the repr of bytes too."""
NOON = datetime(2026, 3, 11, 11, tzinfo=UTC)
"""A Wednesday."""
CONTENT = f"<uebermittlung><name>{MARKER}</name></uebermittlung>".encode()
STATEMENT = f'{{"entfernt": ["b3"], "von": "{MARKER}"}}'.encode()
TRANSFER = TransferId("3f0c2f1e-8f0a-4d0e-9a43-6f6f2f8f2b11")


def delivery(
    unit: UnitCode,
    *,
    branch: str | None = None,
    content: bytes = CONTENT,
    statement: bytes | None = STATEMENT,
    transfer_id: str = TRANSFER,
    version: str = "1.0",
) -> Delivery:
    """Return an opened message on its way."""
    return Delivery(
        transfer_id=TransferId(transfer_id),
        message_id=MessageId("5a7d5a34-6b5c-4f39-9d86-0a8f5f6f1c77"),
        agency=AgencyId("amt-marl"),
        unit=unit,
        branch=branch,
        message_type="uebermittlung",
        version=version,
        content=content,
        statement=statement,
        created_at=NOON,
    )


def adapter(kind: str, share: Path | None, **more: object) -> AgencyAdapter:
    """Return the adapter of an office with all units of its kind, over a folder where a share is given."""
    channel: Mapping[str, object] = {"channel": "folder", "path": str(share)} if share else {"channel": "inbox"}
    units = DIALECTS[kind].units or {UnitCode.BAFOEG_AMT: "", UnitCode.ELTERNGELDSTELLE: ""}
    branches = {"branches": "per-town"} if DIALECTS[kind].branches else {}
    return adapter_for(kind, list(units), {**channel, **branches, **more}, towns=["marl", "castrop-rauxel"])


def visible(share: Path, target: str) -> dict[str, bytes]:
    """Return what the office's software sees in its place: names and bytes."""
    files = (path for path in (share / target).iterdir() if path.is_file() and not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in files}


def every_name(share: Path) -> list[str]:
    """Return each file and folder below the share, hidden ones included."""
    return sorted(str(path.relative_to(share)) for path in share.rglob("*"))


def leave_quittung(place: Path, name: str, content: bytes, *, ago: timedelta = timedelta(minutes=1)) -> Path:
    """Write a quittung as an office's software would, some time before `NOON`."""
    path = place / "quittungen" / name
    path.write_bytes(content)
    moment = (NOON - ago).timestamp()
    os.utime(path, (moment, moment))
    return path
