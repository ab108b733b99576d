"""Who logs in to PostgreSQL: what does not fit is said before any work, with what to do; what fits too well, loudly."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from broker.cli.main import app
from broker.config import FileUnreadable, Settings
from broker.health import OWNER, REASONS
from broker.listening import NOT_STARTED, CannotStart
from broker.logins import login_of
from broker.migrations import newest
from broker.privileges import PROCESSES
from broker.start import open_gateway, require_login
from tests.deployment import surroundings
from tests.flow.test_roles import PATIENCE, ROOT, free_port, ready
from tests.flow.test_shutdown import process
from tests.servers import guarded
from tests.servers.guarded import Guarded, guarded_postgres
from tests.world import on_postgresql, on_sqlite


def settings(server: Guarded, folder: Path, login: str, database: str = guarded.DATABASE, **more: Any) -> Settings:
    """Return the settings of a process that logs in with the password of its file."""
    url, password = server.url(login, database), folder / "passwords" / login
    return Settings(
        data_dir=folder / "data", database_url=url, database_password_file=password, embedded_roles=False, **more
    )


def told(given: Settings, name: str) -> str:
    """Return why a process does not start, or nothing where it does."""

    async def start() -> str:
        try:
            async with open_gateway(given, role=PROCESSES[name][0]) as gateway:
                await require_login(gateway, name)
        except (CannotStart, FileUnreadable) as exc:
            return str(exc)
        return ""

    return asyncio.run(start())


def command(monkeypatch: pytest.MonkeyPatch, given: Settings, *words: str) -> Result:
    """Run a command with settings from its environment."""
    monkeypatch.setenv("AMTSBRUECKE_DATABASE_URL", given.database_url)
    monkeypatch.setenv("AMTSBRUECKE_DATABASE_PASSWORD_FILE", str(given.database_password_file))
    return CliRunner().invoke(app, words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a password for each login, and the owner's."""
    made = tmp_path_factory.mktemp("logins")
    (made / "passwords").mkdir()
    for name in PROCESSES:
        (made / "passwords" / login_of(name)).write_text(f"password-of-{name}\n")
    (made / "passwords" / guarded.OWNER).write_text(guarded.OWNERS_PASSWORD + "\n")
    return made


@pytest.fixture(scope="module")
def bare() -> Iterator[Guarded]:
    """Give a server that asks for passwords, with nothing on it."""
    with guarded_postgres() as server:
        yield server


@pytest.fixture
def server(bare: Guarded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Guarded:
    """Give the same with tables and logins, made by the commands that an operator runs."""
    owner = settings(bare, folder, guarded.OWNER)
    for words in (("db", "upgrade"), ("db", "logins", "--from", str(folder / "passwords"))):
        done = command(monkeypatch, owner, *words)
        assert done.exit_code == 0, done.output
    return bare


def test_a_server_without_the_roles_is_told_before_all(
    bare: Guarded, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no migration has run, the server does not know the role: process and command say what comes first."""
    if bare.run("SELECT 1 FROM pg_roles WHERE rolname = 'amtsbruecke_relay'"):
        pytest.fail("the server is not fresh: this test runs first")
    owner = settings(bare, folder, guarded.OWNER)
    logins = command(monkeypatch, owner, "db", "logins", "--from", str(folder / "passwords"))

    text = told(owner, "relay")
    assert all(word in text for word in ("amtsbruecke_relay", "amtsbruecke db upgrade", "pg_dumpall --roles-only"))
    assert isinstance(logins.exception, CannotStart)
    assert "amtsbruecke db upgrade" in str(logins.exception)


def test_what_is_decided_again_needs_no_more_than_its_own_login(
    server: Guarded, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that only reads works under the login that may only read, without any key on its machine."""
    given = settings(server, folder, login_of("replay"))
    done = command(monkeypatch, given, "law", "replay", "--since", "2026-01-01")

    assert (done.exit_code, "anders: 0" in done.stdout) == (0, True), done.output
    assert not given.keys_dir.exists()


@pytest.mark.parametrize("name", sorted(PROCESSES.keys() - {"replay"}))
def test_each_process_starts_under_its_own_login(server: Guarded, folder: Path, name: str) -> None:
    """The logins that the command makes, with the passwords that it was given, are enough."""
    assert told(settings(server, folder, login_of(name)), name) == ""


def test_logins_leave_nothing_of_their_own(server: Guarded) -> None:
    """No login makes tables for a while or large objects, as PostgreSQL would let everybody."""
    for name in PROCESSES:
        rights = (
            f"SELECT has_database_privilege('{login_of(name)}', '{guarded.DATABASE}', 'TEMPORARY') "
            f"OR has_function_privilege('{login_of(name)}', 'lo_create(oid)', 'EXECUTE')"
        )
        assert server.run(rights)[0][0] is False


def test_a_wrong_password_is_told(server: Guarded, tmp_path: Path) -> None:
    """The text names the login and both settings, and no password; so with an unknown login and a missing file."""
    (tmp_path / "passwords").mkdir()
    for login in (login_of("relay"), "nobody"):
        (tmp_path / "passwords" / login).write_text("Zzwrong")
        text = told(settings(server, tmp_path, login), "relay")

        wanted = (login, "AMTSBRUECKE_DATABASE_URL", "AMTSBRUECKE_DATABASE_PASSWORD_FILE", "--rotate")
        assert all(word in text for word in wanted), text
        assert "Zzwrong" not in text
    assert "AMTSBRUECKE_DATABASE_PASSWORD_FILE" in told(settings(server, tmp_path, login_of("seal")), "seal")


def test_a_missing_database_is_told(server: Guarded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Process and command name the database that is not there."""
    text = told(settings(server, folder, login_of("relay"), "verschollen"), "relay")
    upgrade = command(monkeypatch, settings(server, folder, guarded.OWNER, "verschollen"), "db", "upgrade")

    assert "verschollen" in text
    assert isinstance(upgrade.exception, CannotStart)
    assert "verschollen" in str(upgrade.exception)


def test_a_login_of_another_process_is_told(server: Guarded, folder: Path) -> None:
    """A login without membership in the role is named with the role and the command that mends it."""
    text = told(settings(server, folder, login_of("seal")), "relay")

    assert all(word in text for word in (login_of("seal"), "amtsbruecke_relay", "amtsbruecke db logins"))


def test_a_lacking_membership_is_told_at_the_start(
    server: Guarded, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `serve` takes on later, for one request, is looked at when it starts; the command gives it back."""
    server.run(f"REVOKE amtsbruecke_console FROM {login_of('serve')}")
    serve = settings(server, folder, login_of("serve"))
    text = told(serve, "serve")
    done = command(
        monkeypatch, settings(server, folder, guarded.OWNER), "db", "logins", "--from", str(folder / "passwords")
    )

    assert all(word in text for word in (login_of("serve"), "amtsbruecke_console", "amtsbruecke db logins"))
    assert (done.exit_code, told(serve, "serve")) == (0, "")


def test_roles_inside_need_all_memberships(server: Guarded, folder: Path) -> None:
    """`serve` with all roles inside is told that its own login is not enough for them."""
    inside = settings(server, folder, login_of("serve")).model_copy(update={"embedded_roles": True})
    text = told(inside, "serve")

    assert all(word in text for word in ("amtsbruecke_relay", "amtsbruecke_sealer", "--no-roles"))


@pytest.mark.parametrize("words", [("db", "upgrade"), ("db", "logins", "--from", "{folder}/passwords")])
def test_what_the_owner_must_do_is_refused_to_others(
    server: Guarded, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Under the login of a process the commands of the owner change nothing, and say whose they are."""
    server.run("UPDATE alembic_version SET version_num = '0018'")
    given = settings(server, folder, login_of("relay"))
    done = command(monkeypatch, given, *(word.format(folder=folder) for word in words))
    server.run(f"UPDATE alembic_version SET version_num = '{newest()}'")  # noqa: S608 - our own

    assert isinstance(done.exception, CannotStart), done.output
    assert "Eigentümer" in str(done.exception)


def test_passwords_that_are_not_there_change_nothing(
    server: Guarded, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All files are read before the first login is touched; an empty one is no password."""
    for name in PROCESSES:
        (tmp_path / login_of(name)).write_text("another")
    (tmp_path / login_of("admin")).write_text("\n")
    owner = settings(server, folder, guarded.OWNER)
    done = command(monkeypatch, owner, "db", "logins", "--from", str(tmp_path))
    both = command(monkeypatch, owner, "db", "logins", "--from", str(tmp_path), "--out", str(tmp_path))

    assert isinstance(done.exception, CannotStart)
    assert login_of("admin") in str(done.exception)
    assert both.exit_code == 2
    assert told(settings(server, folder, login_of("serve")), "serve") == ""


def test_status_says_that_starting_again_does_not_help(server: Guarded, folder: Path, tmp_path: Path) -> None:
    """The process ends with 78 and one line on standard error, no traceback."""
    (tmp_path / "wrong").write_text("wrong")
    given = {
        "AMTSBRUECKE_DATA_DIR": str(folder / "data"),
        "AMTSBRUECKE_DATABASE_URL": server.url(login_of("seal")),
        "AMTSBRUECKE_DATABASE_PASSWORD_FILE": str(tmp_path / "wrong"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "broker", "seal"], cwd=ROOT, env=surroundings() | given, capture_output=True, check=False
    )

    assert done.returncode == NOT_STARTED
    assert done.stderr.decode().startswith(f"amtsbruecke: Der Datenbankserver weist den Zugang „{login_of('seal')}“")
    assert b"Traceback" not in done.stderr


async def said(folder: Path, log: Path, *words: str, **environment: str) -> tuple[dict[str, Any], list[str]]:
    """Run a role until it is ready; return its /readyz and the lines of its log."""
    port = free_port()
    with process(*words, "--ops-port", str(port), folder=folder, log=log, **environment) as running:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
            await ready(http)
            body: dict[str, Any] = (await http.get("/readyz")).json()
        running.send_signal(signal.SIGTERM)
        await asyncio.to_thread(running.wait, PATIENCE)
    return body, log.read_text().splitlines()  # noqa: ASYNC240 - a small file of our own


@on_postgresql
async def test_the_owner_is_told_loudly(data_dir: Path, tmp_path: Path) -> None:
    """As the owner a role works, and warns: a line for whoever starts it, one in the log, one in /readyz."""
    url = json.loads((data_dir / "settings.json").read_text())["database_url"]
    owner, lines = await said(data_dir, tmp_path / "log", "seal", AMTSBRUECKE_DATABASE_URL=url)
    narrow, quiet = await said(data_dir, tmp_path / "other", "seal")

    assert lines[0] == f"amtsbruecke: Warnung: {REASONS[OWNER][0]}"
    assert [json.loads(line)["level"] for line in lines[1:] if OWNER in line] == ["warning"]
    assert (owner["status"], owner["checks"]["login"]) == ("ready", OWNER)
    assert [warning["code"] for warning in owner["warnings"]] == [OWNER]
    assert (narrow["checks"]["login"], "warnings" in narrow) == ("ok", False)
    assert not [line for line in quiet if OWNER in line or "Warnung" in line]


@on_postgresql
async def test_of_several_workers_the_keeper_alone_warns(data_dir: Path, tmp_path: Path) -> None:
    """As the owner `serve --workers 2` says so once, not once for each worker."""
    url = json.loads((data_dir / "settings.json").read_text())["database_url"]
    words = ("serve", "--no-roles", "--workers", "2", "--port", str(free_port()))
    _, lines = await said(data_dir, tmp_path / "log", *words, AMTSBRUECKE_DATABASE_URL=url)

    assert len([line for line in lines if "Warnung" in line]) == 1
    assert len([line for line in lines if '"database-owner"' in line]) == 1


@on_sqlite
async def test_an_embedded_database_has_no_owner(data_dir: Path, tmp_path: Path) -> None:
    """On SQLite nobody logs in, and nothing is said."""
    body, lines = await said(data_dir, tmp_path / "log", "seal")

    assert body["checks"]["login"] == "ok"
    assert not [line for line in lines if "Warnung" in line]
