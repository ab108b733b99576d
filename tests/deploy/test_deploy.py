"""compose.yaml, the Dockerfile, the units, alerts and dashboard name what exists, and nothing else.

Nothing here is built or started: no Docker engine and no systemd is asked. What can be wrong in a file is looked for.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from sqlalchemy import make_url

from broker import metrics
from broker.cli.main import app
from broker.config import Settings
from broker.health import REASONS
from broker.logins import login_of
from broker.migrations import PLACES, SCRIPTS
from broker.privileges import PROCESSES
from broker.process import LAST_SECONDS
from tests.house.source import ROOT

COMPOSE = ROOT / "compose.yaml"
DOCKERFILE = ROOT / "Dockerfile"
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "amtsbruecke@.service"
ROLES = set(metrics.ROLES)
ONCE = {"migrate", "logins", "directory", "topics"}
#: What is done as the owner of the database.
OWNERS = {"migrate", "logins"}
#: Of whom one is enough: it may be away for an hour, and two would do the same work twice.
ALONE = {"cleanup"}
SETTING = re.compile(r"\bAMTSBRUECKE_([A-Z_]+)")
FIGURE = re.compile(r"\bamtsbruecke_[a-z_]+")
#: Top-level members and those of a service that the Compose specification knows and this file uses.
TOP = {"name", "services", "networks", "volumes", "configs", "secrets"}
SERVICE = {
    *("image", "build", "restart", "read_only", "tmpfs", "cap_drop", "security_opt", "stop_grace_period", "networks"),
    *("secrets", "volumes", "environment", "healthcheck", "depends_on", "command", "configs", "deploy", "ports"),
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Return compose.yaml with its anchors resolved."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded


def ours(compose: dict[str, Any]) -> dict[str, Any]:
    """Return the services that run our image."""
    return {name: s for name, s in compose["services"].items() if s["image"].startswith("amtsbruecke:")}


def is_command(words: list[str]) -> bool:
    """Whether the command line has a command by these words; what follows a command is its arguments."""
    found: Any = typer.main.get_command(app)
    for word in words:
        if not hasattr(found, "commands"):
            return True
        if word not in found.commands:
            return False
        found = found.commands[word]
    return not hasattr(found, "commands")


def unknown_settings(text: str) -> set[str]:
    """Return the names of settings in a text that the program does not know."""
    return {name for name in SETTING.findall(text) if name.lower() not in Settings.model_fields}


def known_figures() -> set[str]:
    """Return the names of all samples that the service shows."""
    names: set[str] = set()
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name, kind in re.findall(r"^\| `(amtsbruecke_\w+)` \| (\w+) \|", page, re.MULTILINE):
        names |= {name + end for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def test_compose_has_only_members_of_the_specification(compose: dict[str, Any]) -> None:
    """No member is misspelt: an engine would refuse it, or worse, pass over it."""
    assert {name for name in compose if not name.startswith("x-")} == TOP
    assert {member for service in compose["services"].values() for member in service} == SERVICE


def test_compose_runs_every_role_twice_and_what_comes_before(compose: dict[str, Any]) -> None:
    """Each role is there twice, the clean-up once; each command exists, and the one-off commands are not repeated."""
    services = ours(compose)
    commands = {name: service["command"] for name, service in services.items()}
    running = {name for name in services if name not in ONCE}

    assert {commands[name][0] for name in running} == ROLES
    assert [name for name, words in commands.items() if not is_command(words)] == []
    replicas = {name: services[name]["deploy"]["replicas"] for name in running}
    assert replicas == {name: 1 if name in ALONE else 2 for name in running}
    assert {services[name]["restart"] for name in ONCE} == {"no"}


def test_compose_names_settings_files_and_parts_that_exist(compose: dict[str, Any]) -> None:
    """Settings are the program's; volumes, networks, secrets and configs are declared, and each is used."""
    services = compose["services"].values()
    used = {
        "networks": {name for s in services for name in s["networks"]},
        "secrets": {name for s in services for name in s.get("secrets", ())},
        "volumes": {name.partition(":")[0] for s in services for name in s.get("volumes", ())},
        "configs": {given["source"] for s in services for given in s.get("configs", ())},
    }

    assert unknown_settings(COMPOSE.read_text(encoding="utf-8")) == set()
    assert {kind: set(compose[kind]) for kind in used} == used
    assert all((ROOT / config["file"]).is_file() for config in compose["configs"].values())


def test_compose_starts_in_order_and_waits_for_health(compose: dict[str, Any]) -> None:
    """Tables, logins, directory, topics, roles; servers healthy before them; what is waited for can say that it is."""
    services = compose["services"]
    conditions = {
        name: {on: wait["condition"] for on, wait in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }

    assert conditions["migrate"] == {"postgres": "service_healthy"}
    assert conditions["logins"] == {"migrate": "service_completed_successfully"}
    assert conditions["directory"] == {"logins": "service_completed_successfully"}
    assert conditions["topics"] == {"directory": "service_completed_successfully", "kafka": "service_healthy"}
    for name in set(ours(compose)) - ONCE:
        assert conditions[name] == {"topics": "service_completed_successfully", "kafka": "service_healthy"}, name
        assert ":9090/readyz" in services[name]["healthcheck"]["test"][-1]
    assert all(
        "test" in services[on]["healthcheck"]
        for waits in conditions.values()
        for on, condition in waits.items()
        if condition == "service_healthy"
    )


def test_compose_opens_no_more_than_it_must(compose: dict[str, Any]) -> None:
    """Only the API is published, on this machine alone; our containers may change nothing and gain nothing."""
    services = compose["services"]

    assert {name: s["ports"] for name, s in services.items() if "ports" in s} == {
        "gateway": ["127.0.0.1:8080-8081:8080"]
    }
    assert compose["networks"]["inner"] == {"internal": True}
    assert all(s["networks"] == ["inner"] for name, s in services.items() if name != "gateway")
    for service in ours(compose).values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert int(service["stop_grace_period"].removesuffix("s")) > LAST_SECONDS


def test_compose_has_no_password_and_no_floating_image(compose: dict[str, Any]) -> None:
    """Passwords are files that `make secrets` writes and git does not keep; each image has its version."""
    text = COMPOSE.read_text(encoding="utf-8")
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    given = [item for s in compose["services"].values() for item in s.get("environment", {}).items()]

    assert {name: value for name, value in given if "PASSWORD" in name and not value.startswith("/run/secrets/")} == {}
    assert all(name.endswith("_FILE") for name, _ in given if "PASSWORD" in name)
    assert re.findall(r"://[^/@\s]+:[^/@\s]+@", text) == []
    assert all(Path(secret["file"]).parent.name == "secrets" for secret in compose["secrets"].values())
    assert "/secrets/" in ignored
    assert all(re.search(r":\d+\.\d+", service["image"]) for service in compose["services"].values())


def test_compose_gives_each_process_its_own_login(compose: dict[str, Any]) -> None:
    """A role has its login's name and password and no other's; the owner's are for tables and logins alone."""
    for name, service in ours(compose).items():
        url = make_url(service["environment"]["AMTSBRUECKE_DATABASE_URL"])
        process = service["command"][0] if service["command"][0] in PROCESSES else "admin"
        login = "amtsbruecke" if name in OWNERS else login_of(process)
        password = "postgres-password" if name in OWNERS else login
        given = [password, *map(login_of, PROCESSES)] if name == "logins" else [password]

        assert url.username == login, name
        assert service["environment"]["AMTSBRUECKE_DATABASE_PASSWORD_FILE"] == f"/run/secrets/{password}", name
        assert service["secrets"] == given, name
    assert compose["services"]["postgres"]["environment"]["POSTGRES_USER"] == "amtsbruecke"


def test_make_writes_the_passwords_that_compose_reads(compose: dict[str, Any], tmp_path: Path) -> None:
    """`make secrets` makes each file once, different from the others, in a folder for its owner alone."""
    command = ["make", "-f", str(ROOT / "Makefile"), "-C", str(tmp_path), "secrets"]
    runs = []
    for _ in range(2):
        subprocess.run(command, check=True, capture_output=True)
        runs.append({path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()})

    assert runs[0] == runs[1]
    assert set(runs[0]) == {Path(secret["file"]).name for secret in compose["secrets"].values()}
    assert len(set(runs[0].values())) == len(runs[0])
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_image_is_made_for_few_rights() -> None:
    """The image ends as a user without a name to log in, keeps no build tool, and asks for health on the ops port."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    final = text[text.rindex("\nFROM ") :]

    assert re.search(r"^USER 10001$", final, re.MULTILINE)
    assert "pip install" not in final
    assert "--require-hashes" in text
    assert re.search(r"^HEALTHCHECK (?s:.)*:9090/livez", final, re.MULTILINE)
    assert "AMTSBRUECKE_OPS_PORT=9090" in final
    assert unknown_settings(text) == set()
    assert {label for label in ("title", "licenses", "version", "revision") if f"image.{label}=" not in final} == set()
    assert is_command(json.loads(re.findall(r"^CMD (\[.*\])$", final, re.MULTILINE)[-1]))


def test_wheel_brings_the_migrations_to_where_they_are_looked_for() -> None:
    """What is installed finds its migrations: the wheel has all of them, under the name that the code looks for."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["data-files"]
    brought = {
        (folder.removeprefix("share/amtsbruecke/"), file.name)
        for folder, patterns in table.items()
        for pattern in patterns
        for file in ROOT.glob(pattern)
    }
    there = {
        (path.parent.relative_to(ROOT).as_posix(), path.name)
        for path in SCRIPTS.rglob("*")
        if path.is_file() and path.suffix in {".py", ".mako"}
    }

    assert brought == there
    assert PLACES[1].parts[-3:] == ("share", "amtsbruecke", "alembic")


def unit() -> dict[str, list[str]]:
    """Return the settings of the unit; what stands twice has two values."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, given = line.partition("=")
            found.setdefault(name, []).append(given)
    return found


def test_unit_starts_a_role_and_hardens_it() -> None:
    """The unit calls the command, starts again what died, not what is configured wrong, and takes every right away."""
    given = unit()

    assert given["ExecStart"] == ["/opt/amtsbruecke/bin/amtsbruecke %i"]
    assert (given["Restart"], given["RestartPreventExitStatus"]) == (["always"], ["78"])
    assert (given["KillMode"], float(given["TimeoutStopSec"][0]) > LAST_SECONDS) == (["mixed"], True)
    assert given["CapabilityBoundingSet"] == [""]
    for name, wanted in {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "PrivateTmp": "yes"}.items():
        assert given[name] == [wanted]


def test_units_settings_exist_and_ports_differ() -> None:
    """Each role has its file, each name in it is a setting, and no two roles have one port of operations."""
    files = {path.stem: path.read_text(encoding="utf-8") for path in (DEPLOY / "systemd").glob("*.env")}
    ports = re.findall(r"^AMTSBRUECKE_OPS_PORT=(\d+)$", "\n".join(files.values()), re.MULTILINE)

    assert set(files) == ROLES | {"common", "admin", "owner", "replay"}
    assert [name for name, text in files.items() if unknown_settings(text)] == []
    assert unknown_settings(UNIT.read_text(encoding="utf-8")) == set()
    assert len(set(ports)) == len(ROLES)


def test_units_log_in_under_their_own_names() -> None:
    """Each role's file names its login, the unit hands it that login's password, and none knows the owner's."""
    urls = {
        path.stem: make_url(found[1]).username
        for path in (DEPLOY / "systemd").glob("*.env")
        if (found := re.search(r"^AMTSBRUECKE_DATABASE_URL=(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    }
    given = unit()

    assert urls == {name: login_of(name) for name in PROCESSES} | {"owner": "amtsbruecke"}
    assert given["LoadCredential"] == [f"database-password:/etc/amtsbruecke/{login_of('%i')}"]
    assert "AMTSBRUECKE_DATABASE_PASSWORD_FILE=%d/database-password" in given["Environment"]
    assert "postgres-password" not in UNIT.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ["prometheus/alerts.yml", "grafana/amtsbruecke.json"])
def test_alerts_and_dashboard_name_figures_that_exist(file: str) -> None:
    """A rule on a figure that is not there never fires."""
    text = (DEPLOY / file).read_text(encoding="utf-8")
    loaded = yaml.safe_load(text)
    expressions = re.findall(r'"?expr"?: (.+)', text)

    assert loaded
    assert expressions
    assert {name for expr in expressions for name in FIGURE.findall(expr)} - known_figures() == set()


def test_manual_names_every_role_and_every_one_off_command(compose: dict[str, Any]) -> None:
    """docs/operations.md has a line for each role that the program runs, and each command that comes before them."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    before = {" ".join(["amtsbruecke", *ours(compose)[name]["command"][:2]]) for name in ONCE}

    assert set(re.findall(r"^\| `([a-z]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)) == ROLES
    assert {command for command in before if f"`{command}" not in page} == set()


def test_manual_explains_every_reason() -> None:
    """docs/operations.md explains each reason code of /readyz."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \| ", page, re.MULTILINE)) & set(REASONS) == set(REASONS)


def test_password_comes_from_its_file(tmp_path: Path) -> None:
    """The password in the file, special characters and all, stands in the address, and in no setting."""
    file = tmp_path / "password"
    file.write_text("p@ss:w/ord\n", encoding="utf-8")
    url = "postgresql+asyncpg://amtsbruecke@db/amtsbruecke"
    settings = Settings(database_url=url, database_password_file=file)

    assert settings.database == "postgresql+asyncpg://amtsbruecke:p%40ss%3Aw%2Ford@db/amtsbruecke"
    assert "p@ss" not in repr(settings)
    assert Settings(database_url=url).database == url
