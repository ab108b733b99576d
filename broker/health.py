"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from sqlalchemy import text

from broker.clock import timestamp
from broker.gateway import Gateway, gateway

router = APIRouter(tags=["Betrieb"])


@router.get("/livez", include_in_schema=False)
async def livez() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "alive"}


@router.get("/readyz", include_in_schema=False)
async def readyz(shared: Annotated[Gateway, Depends(gateway)]) -> JSONResponse:
    """Say whether requests can be served, and if not, why."""
    try:
        async with shared.db.reading() as connection:
            await connection.execute(text("SELECT 1 FROM agencies LIMIT 1"))
    except Exception as exc:  # noqa: BLE001 - whatever it is, we are not ready
        reason = {"status": "not-ready", "reasons": [f"database: {type(exc).__name__}"]}
        return JSONResponse(reason, status_code=503)
    return JSONResponse({"status": "ready", "at": timestamp(shared.clock())})
