"""Which secrets belong to the database, by check values; the eraser forgets sealing keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

#: Role → table → privileges, beside those that it has.
PRIVILEGES = {
    "eraser": {
        "key_checks": "SELECT, INSERT, UPDATE (deleted_at)",
        "transfer_keys": "SELECT (sealing_kid)",
        "ersuchen_contents": "SELECT (ersuchen_id, sealing_kid, wrapped), UPDATE (sealing_kid, wrapped)",
    },
    "admin": {"key_checks": "SELECT, INSERT"},
    **{role: {"key_checks": "SELECT"} for role in ("relay", "sealer", "gateway", "delivery")},
}
#: The eraser wraps the keys of long-lived contents anew; of the contents themselves it sees nothing.
POLICY = "amtsbruecke_eraser_works"


def upgrade() -> None:
    op.create_table(
        "key_checks",
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("kid", sa.String(16), nullable=False),
        sa.Column("value", sa.String(64), nullable=False),
        sa.Column("used_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("purpose", "kid", name="pk_key_checks"),
    )
    if op.get_bind().dialect.name == "sqlite":
        return
    for role, tables in PRIVILEGES.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO amtsbruecke_{role}")
    op.execute(f"CREATE POLICY {POLICY} ON ersuchen_contents TO amtsbruecke_eraser USING (true) WITH CHECK (true)")


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute(f"DROP POLICY {POLICY} ON ersuchen_contents")
        for role, tables in PRIVILEGES.items():
            for table, privileges in tables.items():
                op.execute(f"REVOKE {privileges} ON {table} FROM amtsbruecke_{role}")
    op.drop_table("key_checks")
