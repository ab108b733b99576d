"""Custody and the task of a Betreuer, as they were proven when a consent was taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.add_column("consents", sa.Column("custody", sa.String(length=16), nullable=True))
    op.add_column("consents", sa.Column("carer_covers", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("consents", "carer_covers")
    op.drop_column("consents", "custody")
