"""Numbers of rows are of 64 bits on PostgreSQL: at a thousand transfers a second 32 last for days. SQLite's are."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"

#: Table → the column that its sequence fills.
NUMBERED = {
    "audit_entries": "seq",
    "consents": "seq",
    "embedded_records": "position",
    "ersuchen": "seq",
    "notices": "seq",
    "stops": "seq",
    "transfer_events": "seq",
    "transfers": "seq",
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    _retype("bigint")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    _retype("integer")


def _retype(kind: str) -> None:
    """Give columns and their sequences a type; the tables are written anew."""
    for table, column in NUMBERED.items():
        op.execute(f'ALTER TABLE {table} ALTER COLUMN "{column}" TYPE {kind}')
        op.execute(f"ALTER SEQUENCE {table}_{column}_seq AS {kind}")
    op.execute(f"ALTER TABLE embedded_positions ALTER COLUMN position TYPE {kind}")
