"""Logs without personal data: ids and codes, never contents, parameters or query strings."""

from __future__ import annotations

import json
import logging
from typing import Any

#: The only members of a record that are written, beside time, level, logger and message.
LOGGED_FIELDS = ("transfer", "agency", "reason", "error", "request_id", "count", "role")


#: Libraries that write parameters of statements or addresses of requests below this level; never let through.
QUIETED = ("aiosqlite", "sqlalchemy", "aiokafka", "httpx", "httpcore", "asyncio")


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
    quiet_libraries()


def quiet_libraries() -> None:
    """Keep libraries from writing what they handle, whatever level is set for the service."""
    for name in QUIETED:
        logging.getLogger(name).setLevel(logging.WARNING)
