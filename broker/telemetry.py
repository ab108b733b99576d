"""Health of the process, and logs without personal data: ids and codes, never contents or query strings."""

from __future__ import annotations

import json
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from sqlalchemy import text

from broker.clock import timestamp
from broker.gateway import Gateway, gateway

router = APIRouter(tags=["Betrieb"])

#: The only members of a record that are written, beside time, level, logger and message.
LOGGED_FIELDS = ("transfer", "agency", "reason", "error", "request_id", "count", "role")


class JsonLines(logging.Formatter):
    """One JSON object a line. Exception texts are left out: they may quote what they failed on."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line: dict[str, Any] = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in LOGGED_FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: int = logging.INFO) -> None:
    """Send all logs as JSON lines to standard error; the server's access log, which quotes addresses, is off."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True


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
