"""Bring the database to the newest shape. Run before a role starts, never by two at once."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

#: Where the migrations lie: beside the packages in a source tree, under the environment's prefix where installed.
PLACES = (Path(__file__).resolve().parent.parent / "alembic", Path(sys.prefix) / "share" / "amtsbruecke" / "alembic")
SCRIPTS = next((place for place in PLACES if (place / "env.py").is_file()), PLACES[0])


class MigrationsMissing(Exception):
    """The migrations lie neither beside the packages nor in the environment that they are installed in."""


def upgrade(url: str, revision: str = "head") -> None:
    """Run all migrations up to `revision` on an SQLAlchemy address. Blocking, runs a loop of its own."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Run migrations back; refuses where entries of the evidence exist. Blocking, runs a loop of its own."""
    config = _config(url)
    config.attributes["goes_back"] = True
    command.downgrade(config, revision)


@cache
def newest() -> str:
    """Return the version of the database that this code wants. Raises `MigrationsMissing`. Blocking."""
    return str(ScriptDirectory.from_config(_config("")).get_current_head())


def _config(url: str) -> Config:
    if not (SCRIPTS / "env.py").is_file():
        raise MigrationsMissing("no migrations beside the packages, nor in share/amtsbruecke/ of the environment")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
