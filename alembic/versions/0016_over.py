"""Indexes for what the clean-up looks for: what ended, was decided or was recorded before some moment."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"

INDEXES = {
    "ix_transfers_state_at": ("transfers", ["state", "state_at"]),
    "ix_audit_entries_at": ("audit_entries", ["at"]),
    "ix_decisions_at": ("decisions", ["at"]),
    "ix_consents_recorded_at": ("consents", ["recorded_at"]),
    "ix_stop_ends_recorded_at": ("stop_ends", ["recorded_at"]),
}


def upgrade() -> None:
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns, unique=False)


def downgrade() -> None:
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
