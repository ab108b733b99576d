"""Whether the other members of a household had consented too, as it was proven when a consent was taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.add_column("consents", sa.Column("household_agreed", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("consents", "household_agreed")
