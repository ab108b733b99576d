"""What the clean-up may delete: rows older than a moment that it names first, in its own transaction."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

#: Table → how old a row is.
AGED = {
    "decisions": "OLD.at",
    "submissions": "OLD.at",
    "transfer_events": "OLD.at",
    "quittungen": "OLD.at",
    "consents": "OLD.recorded_at",
    "consent_near": "(SELECT recorded_at FROM consents WHERE id = OLD.consent_id)",
    "consent_withdrawals": "OLD.recorded_at",
    "stops": "OLD.recorded_at",
    "stop_near": "(SELECT recorded_at FROM stops WHERE id = OLD.stop_id)",
    "stop_ends": "OLD.recorded_at",
}


def upgrade() -> None:
    op.create_table(
        "erasure_horizons",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("before", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_erasure_horizons")),
    )
    _replace(_unless_older)


def downgrade() -> None:
    _replace(_always)
    op.drop_table("erasure_horizons")


def _unless_older(table: str, age: str) -> str:
    horizon = f"SELECT before FROM erasure_horizons WHERE name = '{table}'"  # noqa: S608 - fixed names
    return f" WHEN NOT coalesce({age} < ({horizon}), 0)"


def _always(_: str, __: str) -> str:
    return ""


def _replace(condition: Callable[[str, str], str]) -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, age in AGED.items():
        op.execute(f"DROP TRIGGER {table}_no_delete")
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}{condition(table, age)} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
