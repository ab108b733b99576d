"""What an operator decided about dead letters: begun anew, or let the later ones of the case pass."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("attempts_before", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.alter_column("attempts_before", existing_type=sa.Integer(), server_default=None)
    op.create_table(
        "case_releases",
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_case_releases_transfer_id_transfers")),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_case_releases")),
    )


def downgrade() -> None:
    op.drop_table("case_releases")
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_column("attempts_before")
