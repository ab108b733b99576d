"""The ways in which the service is deployed, each as a parameter of the tests that must hold on both.

``embedded``: SQLite and embedded topics. ``postgresql``: PostgreSQL and embedded topics. ``production``: PostgreSQL and
Apache Kafka. A data directory says itself to which deployment it belongs, so that whoever opens it (another process,
the command line) comes to the same database and the same topics.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from broker.config import PREFIX
from broker.keys import load_keys
from broker.logins import login_of
from broker.privileges import PROCESSES
from tests.servers.databases import fresh_database
from tests.servers.topics import kafka_of_this_process

EMBEDDED, POSTGRESQL, PRODUCTION = "embedded", "postgresql", "production"
#: What a test runs on that does not say otherwise.
DEPLOYMENTS = (EMBEDDED, POSTGRESQL)
#: The embedded database's file in a data directory.
DATABASE = "amtsbruecke.db"
#: What a data directory holds of the settings of its deployment.
SETTINGS = "settings.json"


def settings_of(folder: Path) -> dict[str, Any]:
    """Return the settings that the deployment of a data directory needs."""
    path = folder / SETTINGS
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def surroundings() -> dict[str, str]:
    """Return the environment of this process without anything that a process of the service would take for its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def process_of(*words: str) -> str | None:
    """Return whose login a command needs, as docs/operations.md says; None: the owner's."""
    inside = words[:1] == ("serve",) and "--no-roles" not in words
    if not words or words[0] in {"db", "run"} or inside:
        return None
    if words[0] in PROCESSES:
        return words[0]
    return {("audit", "erase"): "cleanup", ("law", "replay"): "replay"}.get(
        words[:2], "cleanup" if words[0] == "keys" else "admin"
    )


def environment_of(folder: Path, *words: str) -> dict[str, str]:
    """Return settings and the data directory itself, as the environment of a command.

    On PostgreSQL it logs in as in production, with no more rights than it needs; without `words` as the owner.
    """
    settings = {"data_dir": folder} | settings_of(folder)
    process = process_of(*words)
    if "database_url" in settings and process is not None:
        url = make_url(settings["database_url"]).set(username=login_of(process))
        settings["database_url"] = url.render_as_string(hide_password=False)
    return {f"AMTSBRUECKE_{name.upper()}": str(value) for name, value in settings.items()}


@contextmanager
def deployed(deployment: str, folder: Path, migrated: Path) -> Iterator[Path]:
    """Make a data directory with an empty database of the newest shape; `migrated` is such a file of SQLite."""
    folder.mkdir()
    if deployment == EMBEDDED:
        shutil.copyfile(migrated, folder / DATABASE)
        yield folder
        return
    carried = kafka_of_this_process() if deployment == PRODUCTION else {}
    with fresh_database() as url:
        (folder / SETTINGS).write_text(json.dumps({"database_url": url} | carried))
        load_keys(folder / "keys")  # beside PostgreSQL no role makes its own
        yield folder
