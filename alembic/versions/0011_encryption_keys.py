"""Public keys of clients, to which content keys are encrypted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "encryption_keys",
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("jwk", sa.JSON(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.client_id"], name=op.f("fk_encryption_keys_client_id_clients")
        ),
        sa.PrimaryKeyConstraint("client_id", "kid", name=op.f("pk_encryption_keys")),
    )


def downgrade() -> None:
    op.drop_table("encryption_keys")
