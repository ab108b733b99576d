"""Offices read the decisions about their own transfers: senders all, recipients those that gave them a content."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"

READER = "amtsbruecke_reader"
INSTANCES = "ANY (string_to_array(current_setting('amtsbruecke.instances', true), ','))"
GIVEN = "occasion = 'hand_over' AND outcome <> 'DENY'"
SEEN = f"sender = {INSTANCES} OR (recipient = {INSTANCES} AND {GIVEN})"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(f"GRANT SELECT ON decisions TO {READER}")
    op.execute(f"CREATE POLICY {READER}_sees ON decisions FOR SELECT TO {READER} USING ({SEEN})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(f"DROP POLICY {READER}_sees ON decisions")
    op.execute(f"REVOKE SELECT ON decisions FROM {READER}")  # noqa: S608 - fixed names
