"""What makers of software need: message types with their schemas, and the limits of the gate."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from broker.access import Guarded, public
from broker.errors import ProblemError
from schemas.describe import schema_catalogue
from schemas.limits import DEFAULT_LIMITS

router = APIRouter(prefix="/v1", tags=["Sprache"], route_class=Guarded)
_of_the_language = public("die Sprache ist öffentlich", "the language is public")


@router.get("/schemas", summary="Nachrichtentypen und ihre Schemadateien")
@_of_the_language
async def get_schemas() -> dict[str, Any]:
    """List message types, versions, namespaces and since when they are in force."""
    return {
        "items": [
            {
                "type": entry.name,
                "version": entry.version,
                "namespace": entry.namespace,
                "from": entry.valid_from.isoformat(),
                "to": entry.valid_to.isoformat() if entry.valid_to else None,
                "files": {name: f"/v1/schemas/{name}" for name in entry.files},
            }
            for entry in schema_catalogue()
        ]
    }


@router.get(
    "/schemas/{path:path}",
    summary="Eine Schemadatei",
    response_class=Response,
    responses={200: {"content": {"application/xml": {}}}},
)
@_of_the_language
async def get_schema(path: str) -> Response:
    """Return one schema file."""
    for entry in schema_catalogue():
        if path in entry.files:
            return Response(entry.files[path], media_type="application/xml")
    raise ProblemError("not-found", "Diese Schemadatei gibt es nicht; GET /v1/schemas nennt alle.")


@router.get("/limits", summary="Grenzen für Nachrichten")
@_of_the_language
async def get_limits() -> dict[str, int]:
    """Return the limits that a message must keep."""
    return DEFAULT_LIMITS.as_dict()
