"""The table of problems (RFC 9457), and the handlers that write them. Every error of the gateway passes here."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from broker import metrics
from broker.access import Guarded, public
from broker.db import sqlstate
from broker.errors import ProblemError
from broker.telemetry import CURRENT
from schemas.errors import PayloadTooLarge, SchemaViolation, UnknownMessageType

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "/problems/"
#: Type of an error of pydantic → what the field wants; what is in braces comes with the error, never from the sender.
WANTED = {
    "missing": "Dieses Feld fehlt.",
    "extra_forbidden": "Ein solches Feld gibt es hier nicht.",
    "enum": "Erlaubt ist: {expected}.",
    "literal_error": "Erlaubt ist: {expected}.",
    "string_type": "Verlangt ist Text.",
    "string_too_short": "Verlangt sind mindestens {min_length} Zeichen.",
    "string_too_long": "Verlangt sind höchstens {max_length} Zeichen.",
    "list_type": "Verlangt ist eine Liste.",
    "too_short": "Verlangt sind mindestens {min_length} Einträge.",
    "too_long": "Verlangt sind höchstens {max_length} Einträge.",
    "bool_type": "Verlangt ist true oder false.",
    "bool_parsing": "Verlangt ist true oder false.",
    "int_type": "Verlangt ist eine ganze Zahl.",
    "int_parsing": "Verlangt ist eine ganze Zahl.",
    "greater_than_equal": "Verlangt ist mindestens {ge}.",
    "less_than_equal": "Verlangt ist höchstens {le}.",
    "date_type": "Verlangt ist ein Tag des Kalenders, z. B. 2026-12-01.",
    "date_parsing": "Verlangt ist ein Tag des Kalenders, z. B. 2026-12-01.",
    "date_from_datetime_parsing": "Verlangt ist ein Tag des Kalenders, z. B. 2026-12-01.",
    "datetime_parsing": "Verlangt ist ein Zeitpunkt, z. B. 2026-12-01T12:00:00Z.",
    "datetime_from_date_parsing": "Verlangt ist ein Zeitpunkt, z. B. 2026-12-01T12:00:00Z.",
    "timezone_aware": "Verlangt ist ein Zeitpunkt mit Zeitzone, z. B. 2026-12-01T12:00:00Z.",
    "uuid_type": "Verlangt ist eine UUID.",
    "uuid_parsing": "Verlangt ist eine UUID.",
    "json_invalid": "Das ist kein JSON.",
    "model_attributes_type": "Verlangt ist ein JSON-Objekt.",
}
FIELD_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One row: HTTP status, German title, and what to do."""

    status: int
    title: str
    remedy: str


PROBLEMS: Mapping[str, ProblemType] = {
    "invalid-request": ProblemType(
        422, "Die Anfrage ist nicht lesbar", "Die genannten Felder berichtigen und erneut senden."
    ),
    "schema-violation": ProblemType(
        422,
        "Die Nachricht verletzt ihr Schema",
        "Die genannten Stellen berichtigen; `amtsbruecke message validate` prüft ohne zu senden.",
    ),
    "unknown-message-type": ProblemType(
        422, "Unbekannter Nachrichtentyp", "Einen der genannten Typen und Versionen verwenden (GET /v1/schemas)."
    ),
    "unknown-agency": ProblemType(
        422, "Behörde oder Einheit nicht im Verzeichnis", "Die Anschrift aus GET /v1/agencies übernehmen."
    ),
    "unknown-purpose": ProblemType(422, "Unbekannter Zweck", "Einen der genannten Zwecke verwenden."),
    "unknown-consent": ProblemType(
        422,
        "Einwilligung nicht verwendbar",
        "Nur Einwilligungen nennen, die Absender oder Empfänger für eine Person dieser Nachricht aufgezeichnet hat.",
    ),
    "unknown-ersuchen": ProblemType(
        422,
        "Ersuchen nicht verwendbar",
        "Das Ersuchen nennen, das der Empfänger an den Absender zu diesem Zweck gestellt hat.",
    ),
    "message-too-old": ProblemType(
        422, "Erstellungszeit außerhalb des Zeitraums", "Die Nachricht neu erstellen: neue Kennung, jetzige Zeit."
    ),
    "no-route": ProblemType(
        422,
        "Kein Weg zum Empfänger",
        "Die Entscheidung kann geprüft werden (POST /v1/transfers/check); zustellen kann der Broker dorthin nicht.",
    ),
    "not-authenticated": ProblemType(
        401, "Nicht angemeldet", "Ein gültiges Zugriffstoken senden (POST /v1/token, private_key_jwt)."
    ),
    "wrong-instance": ProblemType(
        403, "Nicht diese Instanz", "Als die Instanz anmelden, die in der Nachricht als Absender steht."
    ),
    "wrong-role": ProblemType(403, "Nicht diese Rolle", "Mit einem Zugang der genannten Rolle anmelden."),
    "transfer-refused": ProblemType(
        403, "Die Übermittlung ist nicht zulässig", "Die Befunde nennen Norm, Grund und was zu tun ist."
    ),
    "not-found": ProblemType(
        404, "Nicht gefunden", "Kennung und Anmeldung prüfen; fremde Vorgänge werden nicht gezeigt."
    ),
    "method-not-allowed": ProblemType(405, "Methode nicht erlaubt", "Die API-Beschreibung unter /docs ansehen."),
    "message-conflict": ProblemType(
        409, "Kennung schon mit anderem Inhalt verwendet", "Für anderen Inhalt eine neue nachrichtId vergeben."
    ),
    "state-conflict": ProblemType(
        409, "Im jetzigen Zustand nicht möglich", "Den Zustand unter GET /v1/transfers/{id} ansehen."
    ),
    "no-encryption-key": ProblemType(
        409,
        "Kein Schlüssel zum Verschlüsseln",
        "Beim Betrieb einen öffentlichen Schlüssel hinterlegen lassen (`amtsbruecke client encryption-key`).",
    ),
    "not-sealed-yet": ProblemType(
        409, "Noch nicht gesiegelt", "Nach der Zeit in Retry-After erneut fragen; der nächste Prüfpunkt enthält es."
    ),
    "payload-too-large": ProblemType(413, "Nachricht zu groß", "Die Grenzen stehen unter GET /v1/limits."),
    "unsupported-media-type": ProblemType(
        415, "Falscher Inhaltstyp", "Nachrichten als application/xml senden, alles andere als application/json."
    ),
    "too-many-requests": ProblemType(429, "Zu viele Anfragen", "Nach der Zeit in Retry-After erneut senden."),
    "temporarily-unavailable": ProblemType(
        503, "Vorübergehend nicht verfügbar", "Nach der Zeit in Retry-After dieselbe Anfrage erneut senden."
    ),
    "facts-unreadable": ProblemType(
        500,
        "Die Fakten einer Entscheidung sind nicht lesbar",
        "Was entschieden wurde, gilt und steht hier; erklären lässt es sich erst wieder, wenn der Betrieb ein Programm "
        "startet, das diese Version der Fakten liest (`amtsbruecke law replay` nennt alle, die nicht lesbar sind).",
    ),
    "catalogue-unreadable": ProblemType(
        500,
        "Der Katalog einer Entscheidung ist nicht lesbar",
        "Was entschieden wurde, gilt und steht hier; Erklärung und Pflichten stehen wieder da, wenn der Betrieb ein "
        "Programm startet, das diesen Katalog liest (`amtsbruecke law fingerprint` nennt den mitgelieferten).",
    ),
    "internal-error": ProblemType(
        500, "Interner Fehler", "Dieselbe Anfrage erneut senden; hält es an, dem Betrieb die Anfragekennung nennen."
    ),
}

_BY_STATUS = {
    404: "not-found",
    405: "method-not-allowed",
    401: "not-authenticated",
    415: "unsupported-media-type",
    413: "payload-too-large",
    429: "too-many-requests",
    503: "temporarily-unavailable",
}


def problem_body(slug: str, detail: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write one problem as a JSON object."""
    row = PROBLEMS[slug]
    body = {"type": TYPE_BASE + slug, "title": row.title, "status": row.status, "detail": detail, "remedy": row.remedy}
    return body | dict(extra or {})


def problem_response(
    slug: str, detail: str, extra: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Answer with one problem, and count it."""
    metrics.problem(slug)
    body = problem_body(slug, detail, extra)
    return JSONResponse(body, status_code=PROBLEMS[slug].status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


async def on_problem(_: Request, exc: Exception) -> JSONResponse:
    """Answer a `ProblemError`."""
    assert isinstance(exc, ProblemError)  # noqa: S101 - registered for this class alone
    return problem_response(exc.slug, exc.detail, exc.extra, exc.headers)


async def on_schema_error(_: Request, exc: Exception) -> JSONResponse:
    """Answer an error of the language."""
    if isinstance(exc, SchemaViolation):
        errors = [
            {"path": v.path, "rule": v.rule, "text": v.text} | ({"line": v.line} if v.line is not None else {})
            for v in exc.violations
        ]
        detail = f"{len(errors)} Verstoß/Verstöße gegen Schema oder Regeln der Nachricht."
        return problem_response("schema-violation", detail, {"errors": errors})
    if isinstance(exc, UnknownMessageType):
        allowed = list(exc.allowed)
        return problem_response("unknown-message-type", "Dieses Wurzelelement ist unbekannt.", {"allowed": allowed})
    assert isinstance(exc, PayloadTooLarge)  # noqa: S101 - registered for these classes alone
    return problem_response("payload-too-large", f"Die Nachricht hat mehr als {exc.limit} Bytes.", {"limit": exc.limit})


async def on_validation(_: Request, exc: Exception) -> JSONResponse:
    """Answer a request that does not parse: fields and rules, never the values that were sent."""
    assert isinstance(exc, RequestValidationError)  # noqa: S101 - registered for this class alone
    errors = [{"field": _field(e["loc"]), "rule": e["type"], "text": _text(e)} for e in exc.errors()]
    return problem_response("invalid-request", f"{len(errors)} Feld(er) sind nicht richtig.", {"errors": errors})


def _field(location: Sequence[Any]) -> str:
    """Write where it is. A name that is not made like ours was made by the sender, and is not repeated."""
    return ".".join(str(part) if isinstance(part, int) or FIELD_NAME.fullmatch(part) else "?" for part in location)


def _text(error: Mapping[str, Any]) -> str:
    """Say what is expected, without the input; a validator's own text is ours and stays."""
    if error["type"] == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    context = error.get("ctx") or {}
    if wanted := WANTED.get(error["type"]):
        return wanted.format_map(context).replace(" or ", " oder ")
    expected = {k: v for k, v in context.items() if k != "error"}
    hints = ", ".join(f"{k}={v}" for k, v in expected.items() if isinstance(v, str | int | float))
    return f"{error['type']}" + (f" ({hints})" if hints else "")


async def on_http(request: Request, exc: Exception) -> JSONResponse:
    """Answer what the framework itself raises."""
    assert isinstance(exc, HTTPException)  # noqa: S101 - registered for this class alone
    if isinstance(exc.__cause__, PayloadTooLarge):  # raised while the framework itself read the body
        return await on_schema_error(request, exc.__cause__)
    slug = _BY_STATUS.get(exc.status_code, "invalid-request")
    return problem_response(slug, PROBLEMS[slug].title + ".", headers=exc.headers)


async def on_database(_: Request, exc: Exception) -> JSONResponse:
    """Answer while the database is away, locked or full; nothing was written."""
    log.error("database unavailable", extra={"error": type(exc).__name__})
    detail = "Die Datenbank nimmt gerade nichts an; nichts wurde gespeichert."
    return problem_response("temporarily-unavailable", detail, headers={"Retry-After": "5"})


async def on_anything(_: Request, exc: Exception) -> JSONResponse:
    """Answer a fault of ours: an id only. The log gets the error's type and SQLSTATE, never its text."""
    trace = CURRENT.get()
    request_id = trace.id if trace else str(uuid4())
    error = f"{type(exc).__name__} {sqlstate(exc)}".rstrip()
    log.error("internal error", extra={"request_id": request_id, "error": error})
    return problem_response("internal-error", "Unerwarteter Fehler.", {"request_id": request_id})


@public("was ein Fehler bedeutet, darf jeder lesen", "anybody may read what an error means")
async def show_problem(slug: str) -> JSONResponse:
    """Explain a type of problem under its own address: status, title, and what to do."""
    row = PROBLEMS.get(slug)
    if row is None:
        return problem_response("not-found", "Diese Art von Problem gibt es nicht.", {"allowed": sorted(PROBLEMS)})
    return JSONResponse({"type": TYPE_BASE + slug, "status": row.status, "title": row.title, "remedy": row.remedy})


def install(app: FastAPI) -> None:
    """Register all handlers, and the page of each type of problem."""
    app.router.add_api_route(TYPE_BASE + "{slug}", show_problem, include_in_schema=False, route_class_override=Guarded)
    app.add_exception_handler(ProblemError, on_problem)
    app.add_exception_handler(SchemaViolation, on_schema_error)
    app.add_exception_handler(UnknownMessageType, on_schema_error)
    app.add_exception_handler(PayloadTooLarge, on_schema_error)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(OperationalError, on_database)
    app.add_exception_handler(Exception, on_anything)
