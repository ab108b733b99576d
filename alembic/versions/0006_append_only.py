"""Append-only on SQLite: triggers refuse what PostgreSQL refuses by privilege. They do not bind who owns the file."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

#: Rows are added and never changed or deleted.
FIXED = (
    "audit_entries",
    "catalogues",
    "decisions",
    "submissions",
    "transfer_events",
    "consents",
    "consent_near",
    "consent_withdrawals",
    "stops",
    "stop_near",
    "stop_ends",
    "ersuchen",
    "ersuchen_closings",
    "quittungen",
)
#: Rows are never changed; erasure may delete them.
ERASABLE = ("audit_side",)


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in FIXED + ERASABLE:
        _refuse(table, "UPDATE")
    for table in FIXED:
        _refuse(table, "DELETE")


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in FIXED + ERASABLE:
        op.execute(f"DROP TRIGGER IF EXISTS {table}_no_update")
        op.execute(f"DROP TRIGGER IF EXISTS {table}_no_delete")


def _refuse(table: str, what: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
