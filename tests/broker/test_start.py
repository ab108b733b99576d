"""Start: what does not fit is said before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.audit.sequencer import Sealer
from broker.config import Settings
from broker.db import Database
from broker.keys import KeyFileError, key_file, load_keys, make_key
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


@pytest.mark.parametrize("purpose", ["pseudonym", "sealing"])
async def test_another_secret_under_an_id_on_record_is_refused(data_dir: Path, purpose: str) -> None:
    """From the first start on, before anything is sealed: the text names the file; with the right one it starts."""
    settings = Settings(data_dir=data_dir, **settings_of(data_dir))
    async with fresh_gateway(data_dir):
        pass
    path = key_file(settings.keys_dir, purpose, "1")
    right = path.read_bytes()
    path.unlink()
    make_key(settings.keys_dir, purpose, "1")
    for start in (started(settings), commanded(settings)):
        with pytest.raises(CannotStart, match=rf"gehören nicht zu dieser Datenbank.*{purpose}-1") as refused:
            await start
    path.write_bytes(right)
    await started(settings)

    assert refused.value.status == 78


async def test_lost_secrets_are_not_replaced_in_silence(data_dir: Path, tmp_path: Path) -> None:
    """A machine with an empty folder gets no secrets of its own, from a command neither, once there are some."""
    async with fresh_gateway(data_dir):
        pass
    elsewhere = Settings(data_dir=data_dir, **settings_of(data_dir)).model_copy(
        update={"data_dir": tmp_path / "elsewhere", "database_url": database_of(data_dir)}
    )
    with pytest.raises(KeyFileError, match=r"fehlen Schlüssel \(pseudonym, sealing\)"):
        await commanded(elsewhere)

    assert list(elsewhere.keys_dir.iterdir()) == []


async def test_a_pseudonym_key_that_is_on_record_and_not_here_is_missed(data_dir: Path) -> None:
    """Without it objections recorded under it would not be found: nothing starts."""
    settings = Settings(data_dir=data_dir, **settings_of(data_dir))
    async with fresh_gateway(data_dir):
        make_key(settings.keys_dir, "pseudonym", "2")
    async with fresh_gateway(data_dir):
        pass
    key_file(settings.keys_dir, "pseudonym", "2").unlink()
    with pytest.raises(CannotStart, match="Es fehlt: pseudonym-2"):
        await started(settings)


def database_of(data_dir: Path) -> str:
    """Return the address of the database of a data directory."""
    return Settings(data_dir=data_dir, **settings_of(data_dir)).database


async def commanded(settings: Settings) -> None:
    """Start as an operator's command does."""
    async with open_gateway(settings):
        pass


async def started(settings: Settings) -> None:
    """Start as a role does."""
    async with open_gateway(settings, role=DbRole.GATEWAY, makes_keys=False):
        pass
