"""The token endpoint (RFC 6749, section 4.4; RFC 7523, section 2.2) and the public keys (RFC 7517)."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response
from joserfc.jwk import OKPKey
from pydantic import BaseModel, ConfigDict, Field

from broker.access import Guarded, public
from broker.auth import jose
from broker.auth.assertion import ASSERTION_TYPE
from broker.auth.dependencies import REALM
from broker.auth.grant import InvalidClient, InvalidScope, grant
from broker.errors import ProblemError
from broker.gateway import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["Anmeldung"], route_class=Guarded)

LARGEST_FORM = 16_384
MOST_FIELDS = 10
FORM_TYPE = "application/x-www-form-urlencoded"
GRANT_TYPE = "client_credentials"
NOT_STORED = {"Cache-Control": "no-store"}
KEYS_KEPT = {"Cache-Control": "public, max-age=300"}


class TokenAnswer(BaseModel):
    """A token (RFC 6749, section 5.1)."""

    model_config = ConfigDict(extra="forbid")

    access_token: str
    token_type: str = Field(examples=["Bearer"])
    expires_in: int = Field(description="Sekunden", examples=[300])
    scope: str = Field(description="die Rolle des Zugangs", examples=["instance"])


class KeySetAnswer(BaseModel):
    """Public keys (RFC 7517, section 5)."""

    model_config = ConfigDict(extra="forbid")

    keys: list[dict[str, Any]]


_FORM_DESCRIPTION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM_TYPE: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "client_assertion_type", "client_assertion"],
                    "properties": {
                        "grant_type": {"type": "string", "const": GRANT_TYPE},
                        "client_assertion_type": {"type": "string", "const": ASSERTION_TYPE},
                        "client_assertion": {"type": "string", "description": "JWT nach RFC 7523, Ed25519 oder ES256"},
                        "client_id": {"type": "string"},
                        "scope": {"type": "string", "description": "leer oder die Rolle des Zugangs"},
                    },
                }
            }
        },
    }
}


@router.post("/token", summary="Zugriffstoken holen (private_key_jwt)", openapi_extra=_FORM_DESCRIPTION)
@public("hier meldet man sich an, mit einer Assertion", "this is where one authenticates, by an assertion")
async def token(request: Request, response: Response, gateway: Annotated[Gateway, Depends(gateway)]) -> TokenAnswer:
    """Exchange a client's signed assertion for an access token."""
    form = await _form(request)
    if form.get("grant_type") != GRANT_TYPE:
        error = "unsupported_grant_type" if "grant_type" in form else "invalid_request"
        raise _bad_request(error, "grant_type", f"Hier gibt es nur {GRANT_TYPE}.")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise _bad_request("invalid_request", "client_assertion_type", f"Der Wert ist {ASSERTION_TYPE}.")
    try:
        granted = await grant(gateway, form.get("client_assertion", ""), form.get("client_id"), form.get("scope", ""))
    except InvalidClient as exc:
        raise ProblemError(
            "not-authenticated",
            "Der Zugang ist nicht nachgewiesen: Kennung, Schlüssel, aud, Zeiten und jti der Assertion prüfen.",
            headers={"WWW-Authenticate": REALM, **NOT_STORED},
            error="invalid_client",
        ) from exc
    except InvalidScope as exc:
        raise _bad_request("invalid_scope", "scope", "Leer lassen oder die Rolle des Zugangs nennen.") from exc
    response.headers.update(NOT_STORED)
    return TokenAnswer(
        access_token=granted.token, token_type="Bearer", expires_in=granted.seconds, scope=granted.scope  # noqa: S106
    )  # fmt: skip


@router.get("/keys", summary="Öffentliche Schlüssel dieses Gateways (JWKS)")
@public("Schlüssel, die öffentlich sind", "keys that are public")
async def keys(response: Response, gateway: Annotated[Gateway, Depends(gateway)]) -> KeySetAnswer:
    """Return the public keys of access tokens and of signed statements."""
    response.headers.update(KEYS_KEPT)
    return KeySetAnswer(keys=[_public(key) for key in (*gateway.keys.tokens, *gateway.keys.signing)])


def _public(key: OKPKey) -> dict[str, Any]:
    members = jose.public_key(dict(key.as_dict(private=False))).as_dict(private=False)
    return {**members, "kid": key.kid, "use": "sig", "alg": jose.algorithm_of(key)}


async def _form(request: Request) -> dict[str, str]:
    """Read the form within its limits. Raises problems."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise ProblemError("unsupported-media-type", f"Das Token wird mit {FORM_TYPE} geholt.", error="invalid_request")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise ProblemError(
                "payload-too-large", f"Die Anfrage hat mehr als {LARGEST_FORM} Bytes.",
                limit=LARGEST_FORM, error="invalid_request",
            )  # fmt: skip
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as exc:
        raise _bad_request("invalid_request", "", "Der Inhalt ist kein Formular, oder zu viele Felder.") from exc
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _bad_request("invalid_request", "", "Jedes Feld darf nur einmal vorkommen.")
    return form


def _bad_request(error: str, name: str, text: str) -> ProblemError:
    errors = [{"field": name, "text": text}] if name else []
    return ProblemError("invalid-request", text, headers=dict(NOT_STORED), error=error, errors=errors)
