"""Who holds the lease of a hand-over, and on which way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("way", sa.String(length=8), nullable=True))
    op.add_column("deliveries", sa.Column("holder", sa.String(length=64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_column("holder")
        deliveries.drop_column("way")
