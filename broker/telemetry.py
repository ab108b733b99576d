"""Logs without personal data: ids and codes, never contents, parameters or query strings; and the trace they share.

A request belongs to a trace (W3C Trace Context): that of its ``traceparent`` where it is valid, else a new one.
"""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from os import urandom
from typing import Any

#: The only members of a record that are written, beside time, level, logger, message, role and request_id.
LOGGED_FIELDS = (
    *("transfer", "agency", "reason", "error", "request_id", "count", "role"),
    *("method", "route", "status", "ms", "catalogue"),
)

#: Libraries that write parameters of statements or addresses of requests below this level; never let through.
QUIETED = ("aiosqlite", "sqlalchemy", "aiokafka", "httpx", "httpcore", "asyncio")

#: Version 00 as it must be written, later versions with what may follow (W3C Trace Context, 3.2).
TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace that a piece of work belongs to; `span` is our own part of it."""

    id: str
    span: str
    flags: str = "00"

    @property
    def traceparent(self) -> str:
        """Return the header for what is called, or carried, on behalf of this work."""
        return f"00-{self.id}-{self.span}-{self.flags}"


#: The trace of the request that is being answered. What a batch does belongs to no single one: take it before.
CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


def trace_of(header: str | None) -> Trace:
    """Return the trace that a ``traceparent`` names, with a span of our own; a new one where it is not valid."""
    span = urandom(8).hex()
    found = TRACEPARENT.fullmatch(header) if header else None
    if found is not None:
        version, trace_id, parent, flags, more = found.groups()
        if int(trace_id, 16) and int(parent, 16) and not (version == "00" and more):
            return Trace(trace_id, span, "01" if int(flags, 16) & 1 else "00")
    return Trace(urandom(16).hex(), span)


class JsonLines(logging.Formatter):
    """One JSON object a line. Exception texts are left out: they may quote what they failed on."""

    def __init__(self, role: str | None = None) -> None:
        """Name the role of this process, where it has one."""
        super().__init__()
        self._always = {"role": role} if role else {}

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= self._always
        if (trace := CURRENT.get()) is not None:
            line["request_id"] = trace.id
        given = record.__dict__
        line |= {name: given[name] for name in LOGGED_FIELDS if name in given}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: int = logging.INFO, role: str | None = None) -> None:
    """Send all logs as JSON lines to standard error; the server's access log, which quotes addresses, is off."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(role))
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
