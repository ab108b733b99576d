"""Ersuchen go some time after their end, and numbers of persons whom nothing is about any more."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"

#: Table → how old a row is.
AGED = {"ersuchen": "OLD.recorded_at", "ersuchen_closings": "OLD.recorded_at"}
INDEX = "ix_ersuchen_closings_recorded_at"
#: Table → what the eraser may, beside what it may already.
GRANTS = {
    "ersuchen": "DELETE",
    "ersuchen_closings": "INSERT, DELETE",
    "ersuchen_contents": "DELETE",
    "subject_state": "SELECT, UPDATE (number), DELETE",
}


def upgrade() -> None:
    op.create_index(INDEX, "ersuchen_closings", ["recorded_at"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for table, age in AGED.items():
            horizon = f"SELECT before FROM erasure_horizons WHERE name = '{table}'"  # noqa: S608 - fixed names
            _refuse(table, f" WHEN NOT coalesce({age} < ({horizon}), 0)")
        return
    for table, privileges in GRANTS.items():
        op.execute(f"GRANT {privileges} ON {table} TO amtsbruecke_eraser")


def downgrade() -> None:
    op.drop_index(INDEX, "ersuchen_closings")
    if op.get_bind().dialect.name == "sqlite":
        for table in AGED:
            _refuse(table, "")
        return
    for table, privileges in GRANTS.items():
        op.execute(f"REVOKE {privileges} ON {table} FROM amtsbruecke_eraser")


def _refuse(table: str, unless: str) -> None:
    op.execute(f"DROP TRIGGER {table}_no_delete")
    op.execute(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}{unless} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
