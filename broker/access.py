"""Who may call what, and over whose data: one declaration at each route, which also is what lets a caller in.

A route of class `Guarded` asks who calls before it reads a body, a query or an id: who is nobody hears 401, who has
another role 403, whatever else is wrong with the request. docs/access.md is written from the same declarations.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPBearer
from starlette.routing import BaseRoute

from broker.errors import ProblemError

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

CALLER = "amtsbruecke.caller"
"""Where a request's scope holds who was let in."""


class Role(StrEnum):
    """What a client may do at all."""

    INSTANCE = "instance"
    OFFICER = "officer"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class Over(Enum):
    """Over whose data a way goes: half a sentence in German and in English."""

    NOBODY = "niemandes Daten", "nobody's data"
    SENDER = "was die eigene Instanz sendet", "what the own instance sends"
    RECIPIENT = "was an die eigene Instanz geht", "what goes to the own instance"
    SIDES = "was die eigene Instanz sendet oder empfängt", "what the own instance sends or receives"
    RECORDED = "was die eigene Instanz aufgezeichnet hat", "what the own instance recorded"
    NAMED = (
        "was die eigene Instanz aufgezeichnet hat oder was sie als Gegenüber nennt",
        "what the own instance recorded, or what names it as the other side",
    )
    BOUND = "Pflichten der eigenen Instanz", "duties of the own instance"
    DECIDED = (
        "Entscheidungen über eigene Sendungen und über Inhalte, die sie erhielt",
        "decisions about what the own instance sends, and about contents that it was given",
    )
    AGENCY = "was die eigene Behörde als Verantwortliche betrifft", "what concerns the own agency as controller"
    AGENCY_ON_RECORD = (
        "was die eigene Behörde als Verantwortliche betrifft, und jede Einsicht wird vermerkt",
        "what concerns the own agency as controller, and each look is recorded",
    )
    HASHES = (
        "Hashes und die Größe des Protokolls aller Behörden, keine Einträge",
        "hashes and the size of the log of all agencies, no entries",
    )
    LOG = (
        "das Protokoll aller Behörden, ohne Nebendaten; jede Einsicht wird vermerkt",
        "the log of all agencies, nothing that lies beside it; each look is recorded",
    )
    CALLERS = (
        "was der Zugang des Aufrufers über HTTP öffnet; Inhalte nur im Augenblick der Übergabe",
        "what the caller's access opens over HTTP; contents at the moment of hand-over alone",
    )
    CIPHERTEXT = (
        "Übermittlungen aller Behörden, nur als Chiffrat",
        "transfers of all agencies, as ciphertext alone",
    )
    HAND_OVER = (
        "Übermittlungen aller Behörden; Inhalte nur im Augenblick der Übergabe",
        "transfers of all agencies; contents at the moment of hand-over alone",
    )
    OVERDUE = (
        "was seine Frist überschritten hat, bei allen Behörden, und Nebendaten des Protokolls: um es zu löschen",
        "what is past its time, of all agencies, and what lies beside the log: to delete it",
    )
    HEADS = (
        "Kopfdaten von Übermittlungen und Pflichten aller Behörden, kein Inhalt, keine Person",
        "heads of transfers and duties of all agencies, no content, no person",
    )
    EXPORT = (
        "das Protokoll aller Behörden, mit Nebendaten (ohne: `--no-side`); die Ausgabe wird vermerkt",
        "the log of all agencies with what lies beside it (without: `--no-side`); the export is recorded",
    )
    VERIFIED = (
        "das Protokoll aller Behörden, ohne Nebendaten; gezeigt wird nur, was abweicht",
        "the log of all agencies, nothing that lies beside it; only what differs is shown",
    )
    CATALOGUE = (
        "der Regelkatalog; gezeigt wird, wie viele wartende Übermittlungen aller Behörden er ändert",
        "the catalogue of rules; it shows how many waiting transfers of all agencies it changes",
    )
    DECISIONS = (
        "Entscheidungen aller Behörden mit Fakten ohne Namen; schreibt nichts",
        "decisions of all agencies with facts that name nobody; writes nothing",
    )
    SETTINGS = (
        "Einstellungen des Betriebs: Verzeichnis, Zugänge, Schlüssel, Topics, Regelkatalog",
        "the operator's settings: directory, access, keys, topics, catalogue of rules",
    )
    SCHEMA = (
        "Tabellen und Zugänge der Datenbank; wer Eigentümer ist, kann alles darin lesen, Inhalte nur als Chiffrat",
        "tables and logins of the database; its owner can read all of it, contents as ciphertext alone",
    )
    LOG_ENTRIES = (
        "Einträge des Protokolls aller Behörden, ohne Nebendaten",
        "entries of the log of all agencies, nothing that lies beside them",
    )
    OWN_FILE = "nur die Datei, die der Aufruf nennt", "only the file that the call names"
    MADE_UP = (
        "erfundene Personen der Vorführung, in einer eigenen Datenbank auf diesem Rechner",
        "made-up persons of the demonstration, in a database of its own on this machine",
    )

    @property
    def german(self) -> str:
        """Half a sentence in German."""
        return self.value[0]

    @property
    def english(self) -> str:
        """Half a sentence in English."""
        return self.value[1]


#: German and English names of the roles.
ROLES: Mapping[Role, tuple[str, str]] = {
    Role.INSTANCE: ("Instanz", "instance"),
    Role.OFFICER: ("Datenschutzbeauftragte", "officer"),
    Role.OPERATOR: ("Betrieb", "operator"),
    Role.AUDITOR: ("Prüfung", "auditor"),
}


class Bearer(Protocol):
    """Whoever has a role."""

    @property
    def role(self) -> Role:
        """The role."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a way: role → over whose data; none at all: it is `open_because`, in German and English."""

    over: Mapping[Role, Over]
    open_because: tuple[str, str] | None = None

    def admit(self, who: Bearer) -> None:
        """Let a caller pass. Raises the problem ``wrong-role``."""
        if who.role not in self.over:
            allowed = [role.value for role in self.over]
            raise ProblemError("wrong-role", "Dieser Weg ist anderen Rollen vorbehalten.", allowed=allowed)

    def told(self, language: int = 0) -> str:
        """Write who may call, over whose data, as half a sentence: in German (0) or in English (1)."""
        if self.open_because:
            return f"{('alle', 'everybody')[language]}: {self.open_because[language]}"
        if len(self.over) == len(Role) and len(set(self.over.values())) == 1:
            return f"{('jeder Zugang', 'every client')[language]}: {next(iter(self.over.values())).value[language]}"
        by_over: dict[Over, list[str]] = {}
        for role, over in self.over.items():
            by_over.setdefault(over, []).append(ROLES[role][language])
        return "; ".join(f"{', '.join(roles)}: {over.value[language]}" for over, roles in by_over.items())


def access(
    *, instance: Over | None = None, officer: Over | None = None, operator: Over | None = None,
    auditor: Over | None = None, everyone: Over | None = None,
) -> Callable[[Endpoint], Endpoint]:  # fmt: skip
    """Declare which roles may call a route, and over whose data; `everyone`: each role that is not named otherwise."""
    named = {Role.INSTANCE: instance, Role.OFFICER: officer, Role.OPERATOR: operator, Role.AUDITOR: auditor}
    over = {role: found for role, own in named.items() if (found := own or everyone) is not None}
    return _declaring(Access(MappingProxyType(over)))


def public(german: str, english: str) -> Callable[[Endpoint], Endpoint]:
    """Declare that a route asks nobody who calls, and why."""
    return _declaring(Access(MappingProxyType({}), (german, english)))


def _declaring(declared: Access) -> Callable[[Endpoint], Endpoint]:
    def declare(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)["access"] = declared
        return endpoint

    return declare


class Undeclared(TypeError):
    """A route says not who may call it."""


def access_of(endpoint: Callable[..., Any]) -> Access:
    """Return what is declared of an endpoint. Raises `Undeclared`."""
    declared = getattr(endpoint, "access", None)
    if not isinstance(declared, Access):
        raise Undeclared(f"{getattr(endpoint, '__qualname__', endpoint)}: no `access` or `public` beside the route")
    return declared


Answering = Callable[[Request], Coroutine[Any, Any, Response]]
Authenticate = Callable[[Request], Awaitable[Bearer]]
"""Says who calls; the app's state has it as `authenticate`. Raises the problem ``not-authenticated``."""

bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="Zugriffstoken aus POST /v1/token")


class Guarded(APIRoute):
    """A route that lets in whom its endpoint declares; it says so in the OpenAPI."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:  # noqa: ANN401 - the framework's
        """Take an endpoint with its declaration. Raises `Undeclared`."""
        self.access = access_of(endpoint)
        about = inspect.cleandoc(more.get("description") or endpoint.__doc__ or "")
        more["description"] = f"{about}\n\nZugang: {self.access.told()}.".strip()
        roles: dict[str, str] = {role.value: over.german for role, over in self.access.over.items()}
        more["openapi_extra"] = {**(more.get("openapi_extra") or {}), "x-access": roles or "public"}
        if self.access.over:
            more["dependencies"] = [*(more.get("dependencies") or ()), Depends(bearer)]
        super().__init__(path, endpoint, **more)

    def get_route_handler(self) -> Answering:
        """Return what answers a request, once its caller is let in."""
        return self.guarding(super().get_route_handler())

    def guarding(self, handle: Answering) -> Answering:
        """Put the check of the caller before what answers."""
        if not self.access.over:
            return handle

        async def answer(request: Request) -> Response:
            who = await authenticated(request)
            self.access.admit(who)
            request.scope[CALLER] = who
            return await handle(request)

        return answer


async def authenticated(request: Request) -> Bearer:
    """Return who calls, by the app's own way to tell. Raises the problem ``not-authenticated``."""
    authenticate: Authenticate = request.app.state.authenticate
    return await authenticate(request)


def declared_routes(routes: Iterable[BaseRoute], framework: Iterable[str] = ()) -> dict[tuple[str, str], Access]:
    """Return (method, path) → access of all routes but the `framework`'s own. Raises `Undeclared`."""
    found: dict[tuple[str, str], Access] = {}
    for route in iter_route_contexts(list(routes)):
        original = route.original_route
        path = str(route.path)
        if path in framework:
            continue
        if not isinstance(original, Guarded):
            raise Undeclared(f"{path}: not a guarded route")
        found |= {(method, path): original.access for method in sorted(route.methods or ())}
    return found
