"""Start: what does not fit is said before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.audit.sequencer import Sealer
from broker.config import Settings
from broker.db import Database
from broker.keys import KeyFileError, load_keys
from broker.listening import CannotStart
from broker.migrations import newest
from broker.privileges import DbRole
from broker.start import open_gateway, require_version
from tests.deployment import settings_of
from tests.world import fresh_gateway, on_postgresql


async def told(database: Database) -> str:
    """Return why a role does not start on a database, or nothing where it does."""
    try:
        await require_version(database)
    except CannotStart as exc:
        return str(exc)
    return ""


async def test_another_version_of_the_database_is_refused(data_dir: Path) -> None:
    """A role names both versions and the command; it never changes the tables by itself."""
    database = Database(Settings(data_dir=data_dir, **settings_of(data_dir)).database)
    fits = await told(database)
    async with database.writing() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    other = await told(database)
    kept = await database.version()
    async with database.writing() as connection:
        await connection.exec_driver_sql("DROP TABLE alembic_version")
    empty = await told(database)
    await database.close()

    assert fits == ""
    assert all(word in other for word in ("0001", newest(), "amtsbruecke db upgrade"))
    assert kept == "0001"
    assert "noch keine Tabellen" in empty


@pytest.mark.parametrize("url", ["postgresql+asyncpg://nobody@127.0.0.1:1/none"])
async def test_a_database_that_does_not_answer_is_named(url: str) -> None:
    """Where nobody listens the role says which setting to look at, without a traceback."""
    database = Database(url)
    text = await told(database)
    await database.close()

    assert "AMTSBRUECKE_DATABASE_URL" in text


@on_postgresql
async def test_a_role_with_the_keys_of_another_is_refused(data_dir: Path, tmp_path: Path) -> None:
    """Keys that a second machine made have the same ids and find nothing; a role says so before it decides."""
    settings = Settings(data_dir=data_dir, **settings_of(data_dir))
    async with fresh_gateway(data_dir) as gateway:
        async with gateway.db.writing() as connection:
            await append(connection, [AuditEvent("client.added", "operator:*")], gateway.clock())
        await Sealer(gateway, "one").seal()
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    with pytest.raises(KeyFileError, match="fehlen Schlüssel"):
        await started(elsewhere)
    load_keys(elsewhere.keys_dir)
    with pytest.raises(CannotStart, match="gehören nicht zu dieser Datenbank"):
        await started(elsewhere)

    await started(settings)


async def started(settings: Settings) -> None:
    """Start as a role does."""
    async with open_gateway(settings, role=DbRole.GATEWAY, makes_keys=False):
        pass
