"""The longest measure, WEITER_ERFORDERLICH, did not fit; SQLite does not mind lengths, PostgreSQL does."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    _resize(16, 32)


def downgrade() -> None:
    _resize(32, 16)


def _resize(was: int, becomes: int) -> None:
    with op.batch_alter_table("notices") as notices:
        notices.alter_column("measure", existing_type=sa.String(was), type_=sa.String(becomes), existing_nullable=True)
