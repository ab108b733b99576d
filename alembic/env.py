"""Run migrations on the database of the settings, or on the one that the caller names."""

from __future__ import annotations

import asyncio

from alembic import command, context
from sqlalchemy import Connection, ForeignKeyConstraint, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from broker.config import Settings
from broker.tables import METADATA


def goes_back() -> bool:
    """Whether migrations are to be undone: asked for by `broker.migrations.downgrade` or by alembic's own command."""
    options = context.config.cmd_opts
    own = options is not None and options.cmd[0] is command.downgrade
    return own or bool(context.config.attributes.get("goes_back"))


def refuse_over_evidence(connection: Connection) -> None:
    """Refuse to go back over entries of the evidence, before anything is dropped. Raises `RuntimeError`."""
    there = connection.dialect.has_table(connection, "audit_entries")
    if there and connection.scalar(text("SELECT 1 FROM audit_entries LIMIT 1")) is not None:
        raise RuntimeError("audit_entries holds evidence; migrations do not go back. Restore a backup instead.")
    connection.rollback()  # what was begun to look; each migration begins its own


def compared(found: object, name: str | None, kind: str, reflected: bool, model: object) -> bool:
    """Leave out of the comparison what PostgreSQL makes by itself for each month of a table that is pointed at."""
    del name, model
    if not (reflected and kind == "foreign_key_constraint" and isinstance(found, ForeignKeyConstraint)):
        return True
    return not any(key.target_fullname.startswith("amtsbruecke_parts.") for key in found.elements)


def run(connection: Connection) -> None:
    """Run on one connection, each migration in a transaction."""
    if goes_back():
        refuse_over_evidence(connection)
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_object=compared,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def online() -> None:
    """Open the database and run."""
    url = context.config.get_main_option("sqlalchemy.url") or Settings().database
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


if context.is_offline_mode():
    context.configure(url="sqlite://", target_metadata=METADATA, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(online())
