"""Bring the database to the newest shape. Run before a role starts, never by two at once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "alembic"


class MigrationsMissing(Exception):
    """The folder ``alembic/`` does not lie beside the packages."""


def upgrade(url: str, revision: str = "head") -> None:
    """Run all migrations up to `revision` on an SQLAlchemy address. Blocking, runs a loop of its own."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Run migrations back; refuses where entries of the evidence exist. Blocking, runs a loop of its own."""
    command.downgrade(_config(url), revision)


@cache
def newest() -> str:
    """Return the version of the database that this code wants. Raises `MigrationsMissing`. Blocking."""
    return str(ScriptDirectory.from_config(_config("")).get_current_head())


def _config(url: str) -> Config:
    if not (SCRIPTS / "env.py").is_file():
        raise MigrationsMissing(f"no migrations at {SCRIPTS.name}/ beside the packages")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
