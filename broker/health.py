"""Whether a process lives, and whether it can do its work: checks by name, each with a stable reason code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text

from broker.access import Guarded, public
from broker.audit.freshness import sealing
from broker.clock import MOST_OFFSET_SECONDS, day_of, offset, timestamp
from broker.gateway import Gateway, gateway
from broker.key_watch import MISSING, OLD
from broker.logins import look
from broker.migrations import newest
from broker.transport.base import Pinged, Transport

router = APIRouter(tags=["Betrieb"], route_class=Guarded)
_watching = public(
    "Überwachung und Lastverteiler fragen ohne Zugang; nur Codes und Zustände",
    "monitoring and balancers ask without access; codes and states alone",
)

MOST_SILENCE_SECONDS = 60.0
"""A loop that has not come round for so long hangs; the longest of them waits 30 s."""
CHECK_SECONDS = 2.0
KEPT_SECONDS = 1.0
"""So long a good answer is given again: whoever asks often does not reach the database."""

OWNER = "database-owner"
#: Reason code → German and English text. The codes are stable.
REASONS: Mapping[str, tuple[str, str]] = {
    "database-unreachable": (
        "Die Datenbank antwortet nicht. AMTSBRUECKE_DATABASE_URL und den Datenbankserver prüfen.",
        "The database does not answer. Check AMTSBRUECKE_DATABASE_URL and the database server.",
    ),
    "database-version": (
        "Die Datenbank hat einen anderen Stand als dieses Programm. `amtsbruecke db upgrade` ausführen.",
        "The database is of another version than this program. Run `amtsbruecke db upgrade`.",
    ),
    OWNER: (
        (
            "Dieser Prozess ist als Eigentümer der Datenbank angemeldet: kein Recht, keine Zeilenregel begrenzt ihn. "
            "Ihm den eigenen Zugang geben (`amtsbruecke db logins`, docs/operations.md)."
        ),
        (
            "This process is logged in as the owner of the database: no privilege and no row-level security binds it. "
            "Give it the login of its own (`amtsbruecke db logins`, docs/operations.md)."
        ),
    ),
    "clock-offset": (
        "Die Uhr dieses Rechners geht mehr als 2 s anders als die der Datenbank. Zeitabgleich (NTP) prüfen.",
        "This machine's clock differs from the database's by more than 2 s. Check its NTP service.",
    ),
    "keys-missing": (
        "Schlüssel fehlen. Die Schlüsseldateien und ihre Rechte prüfen.",
        "Keys are missing. Check the key files and their permissions.",
    ),
    MISSING: (
        (
            "Der Versiegelungsschlüssel dieses Zeitraums liegt hier nicht, oder es ist ein anderer. "
            "Die Schlüsseldateien von dem Rechner holen, der sie macht (docs/keys.md)."
        ),
        (
            "The sealing key of this period is not here, or is another one. "
            "Get the key files from the machine that makes them (docs/keys.md)."
        ),
    ),
    OLD: (
        (
            "Seit mehr als zwei Zeiträumen gibt es keinen neuen Versiegelungsschlüssel. AMTSBRUECKE_KEEPS_KEYS bei "
            "einem `cleanup` setzen oder `amtsbruecke keys rotate sealing` ausführen (docs/keys.md)."
        ),
        (
            "There has been no new sealing key for more than two periods. Set AMTSBRUECKE_KEEPS_KEYS for one `cleanup` "
            "or run `amtsbruecke keys rotate sealing` (docs/keys.md)."
        ),
    ),
    "transport-unreachable": (
        "Der Transport (Kafka) antwortet nicht. Seine Anschrift und die Broker prüfen.",
        "The transport (Kafka) does not answer. Check its address and the brokers.",
    ),
    "sealing-behind": (
        "Die Versiegelung der Belege ist im Rückstand. Die Rolle `seal` prüfen.",
        "Sealing of the evidence is behind. Check the role `seal`.",
    ),
    "role-silent": (
        "Die Schleife dieser Rolle hat sich zu lange nicht gemeldet. Den Prozess neu starten.",
        "The loop of this role has been silent for too long. Restart the process.",
    ),
    "workers-missing": (
        "Nicht alle Arbeitsprozesse laufen. Das Protokoll dieses Prozesses sagt, warum sie enden.",
        "Not all worker processes are running. The log of this process says why they end.",
    ),
    "law-unknown": (
        (
            "Welcher Regelkatalog heute gilt, ist nicht bekannt, oder dieses Programm kann ihn nicht lesen: es "
            "entscheidet nichts. `amtsbruecke law show` nennt ihn; das Programm auf dessen Stand bringen."
        ),
        (
            "Which catalogue counts today is not known, or this program cannot read it: it decides nothing. "
            "`amtsbruecke law show` names it; bring the program to the version that activated it."
        ),
    ),
    "law-unreadable": (
        (
            "Ein Regelkatalog, der von einem späteren Tag an gilt, ist mit diesem Programm nicht lesbar. Es vor diesem "
            "Tag auf den Stand bringen, der ihn aktiviert hat."
        ),
        (
            "A catalogue that counts from a later day on cannot be read by this program. Before that day, bring it to "
            "the version that activated it."
        ),
    ),
    "stopping": ("Der Prozess wird beendet.", "The process is stopping."),
}


class NotReady(Exception):
    """A check failed; holds its reason code, a key of `REASONS`."""

    def __init__(self, code: str) -> None:
        """Keep the code."""
        super().__init__(code)
        self.code = code


Probe = Callable[[], Awaitable[None]]
"""A check: returns, or raises `NotReady`; any other fault counts as the code it is named with."""


@dataclass(frozen=True, slots=True)
class Check:
    """A named check. `otherwise` is the reason code of a fault or a time-out that it does not name itself.

    A check that only `warns` is shown and leaves the process ready: taking a gateway from its load balancer because
    sealing is behind would refuse withdrawals and quittungen too, which must never be refused for that.
    """

    name: str
    probe: Probe
    otherwise: str
    warns: bool = False


async def failure(check: Check) -> str | None:
    """Run a check within its time; return its reason code, None where all is well."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check.probe()
    except NotReady as exc:
        return exc.code
    except Exception:  # noqa: BLE001 - whatever it is, we are not ready
        return check.otherwise
    return None


class Readiness:
    """The checks of one process: one run at a time, and none within a second after a good one, however many ask."""

    def __init__(self, checks: Sequence[Check]) -> None:
        """Take the checks in the order in which they are shown."""
        self._checks = tuple(checks)
        self.warning = frozenset(check.name for check in checks if check.warns)
        self._lock = asyncio.Lock()
        self._good: tuple[float, dict[str, str | None]] | None = None

    async def look(self) -> dict[str, str | None]:
        """Return the reason code of each check by name, None where all is well."""
        async with self._lock:
            if self._good is not None and monotonic() - self._good[0] < KEPT_SECONDS:
                return self._good[1]
            codes = await asyncio.gather(*(failure(check) for check in self._checks))
            seen = dict(zip((check.name for check in self._checks), codes, strict=True))
            failed = any(code and name not in self.warning for name, code in seen.items())
            self._good = None if failed else (monotonic(), seen)
            return seen


def checks_of(shared: Gateway) -> list[Check]:
    """Return the checks that every role has: database, its version, login, clock, keys, loops, law, no end in sight."""
    return [
        Check("database", lambda: database_reached(shared), "database-unreachable"),
        Check("version", lambda: database_current(shared), "database-unreachable"),
        Check("login", lambda: login_narrow(shared), "database-unreachable", warns=True),
        Check("clock", lambda: clock_right(shared), "database-unreachable"),
        Check("process", lambda: not_stopping(shared), "stopping"),
        Check("keys", lambda: keys_loaded(shared), "keys-missing"),
        Check("sealing-key", lambda: sealing_key_in_force(shared), MISSING, warns=True),
        Check("loops", lambda: loops_alive(shared), "role-silent"),
        Check("law", lambda: law_known(shared), "law-unknown"),
        Check("law-to-come", lambda: law_readable(shared), "law-unreadable", warns=True),
    ]


async def database_reached(shared: Gateway) -> None:
    """Ask the database anything."""
    async with shared.db.reading() as connection:
        await connection.execute(text("SELECT 1"))


async def database_current(shared: Gateway) -> None:
    """Compare the version of the database with the one this code wants."""
    wanted = await asyncio.to_thread(newest)
    if await shared.db.version() != wanted:
        raise NotReady("database-version")


async def login_narrow(shared: Gateway) -> None:
    """Look whether privileges bind the login; there is none on SQLite."""
    if shared.db.is_sqlite:
        return
    async with shared.db.reading() as connection:
        if (await look(connection)).owns:
            raise NotReady(OWNER)


async def clock_offset(shared: Gateway) -> float:
    """Return by how many seconds our clock is ahead of the database's; 0 where both are of one machine."""
    return await offset(shared.clock, shared.db.now)


async def clock_right(shared: Gateway) -> None:
    """Compare the clocks (architecture, section 8)."""
    if abs(await clock_offset(shared)) > MOST_OFFSET_SECONDS:
        raise NotReady("clock-offset")


def transport_check(transport: Transport) -> list[Check]:
    """Return the check of a transport that is apart from the database; for those roles that cannot work without it."""
    return [Check("transport", transport.ping, "transport-unreachable")] if isinstance(transport, Pinged) else []


def sealing_check(shared: Gateway, *, warns: bool) -> Check:
    """Return the check that sealing is not behind; it `warns` where the process has other work too."""
    return Check("sealing", lambda: sealing_near(shared), "database-unreachable", warns)


async def sealing_near(shared: Gateway) -> None:
    """Look whether the oldest entry without a checkpoint is younger than what stops new transfers."""
    found = await sealing(shared)
    if found.age(shared.clock()).total_seconds() > shared.settings.unsealed_seconds:
        raise NotReady("sealing-behind")


async def keys_loaded(shared: Gateway) -> None:
    """Look whether there is a key for each purpose, and one that may seal."""
    keys = shared.keys
    if not (keys.pseudonym and keys.sealing and keys.signing and keys.tokens and keys.seals):
        raise NotReady("keys-missing")


async def sealing_key_in_force(shared: Gateway) -> None:
    """Look whether the sealing key of this period is here, and is not an old one."""
    if shared.keys.sealing_fault is not None:
        raise NotReady(shared.keys.sealing_fault)


async def not_stopping(shared: Gateway) -> None:
    """Look whether the process is to end."""
    if shared.halt.requested:
        raise NotReady("stopping")


async def loops_alive(shared: Gateway) -> None:
    """Look whether every loop that has ever come round did so lately."""
    if any(age > MOST_SILENCE_SECONDS for age in shared.pulse.ages().values()):
        raise NotReady("role-silent")


async def law_known(shared: Gateway) -> None:
    """Ask for the catalogue of today, as whoever decides does. Raises `LawUnknown`."""
    shared.law.on(day_of(shared.clock()))


async def law_readable(shared: Gateway) -> None:
    """Look whether every catalogue that is to count can be read here."""
    if shared.law.unreadable:
        raise NotReady("law-unreadable")


async def report(readiness: Readiness, at: str) -> JSONResponse:
    """Answer 200 where the process is ready, 503 where not, with the reasons and the warnings."""
    seen = await readiness.look()
    failed = {name: code for name, code in seen.items() if code is not None}
    reasons = [_told(name, code) for name, code in failed.items() if name not in readiness.warning]
    warnings = [_told(name, code) for name, code in failed.items() if name in readiness.warning]
    body: dict[str, Any] = {"status": "not-ready" if reasons else "ready", "at": at}
    body |= {"checks": {name: code or "ok" for name, code in seen.items()}}
    body |= {name: found for name, found in (("reasons", reasons), ("warnings", warnings)) if found}
    return JSONResponse(body, status_code=503 if reasons else 200)


def _told(name: str, code: str) -> dict[str, str]:
    german, english = REASONS[code]
    return {"check": name, "code": code, "text": german, "text_en": english}


@router.get("/livez", include_in_schema=False)
@_watching
async def livez() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "alive"}


@router.get("/readyz", include_in_schema=False)
@_watching
async def readyz(request: Request, shared: Annotated[Gateway, Depends(gateway)]) -> JSONResponse:
    """Say whether requests can be served, and if not, why."""
    readiness: Readiness = request.app.state.readiness
    return await report(readiness, timestamp(shared.clock()))
