"""What is handed over may have to be counted first; what the clean-up takes out it locks, passing over what is held."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"

#: Role → privilege on the counter.
GRANTS = {"amtsbruecke_delivery": "SELECT", "amtsbruecke_eraser": "UPDATE (day)"}


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for role, privilege in GRANTS.items():
            op.execute(f"GRANT {privilege} ON route_persons TO {role}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for role, privilege in GRANTS.items():
            op.execute(f"REVOKE {privilege} ON route_persons FROM {role}")
