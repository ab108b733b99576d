"""Submissions, decisions and permitted transfers with their history and their keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _decisions()
    _submissions()
    _transfers()
    _transfer_events()
    _transfer_keys()
    _transfer_subjects()


def downgrade() -> None:
    op.drop_table("transfer_subjects")
    op.drop_table("transfer_keys")
    op.drop_table("transfer_events")
    op.drop_table("transfers")
    op.drop_table("submissions")
    op.drop_table("decisions")


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("occasion", sa.String(length=16), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("recipient", sa.String(length=128), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("catalogue", sa.String(length=64), nullable=False),
        sa.Column("engine_version", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_transfer_id"), "decisions", ["transfer_id"], unique=False)


def _submissions() -> None:
    op.create_table(
        "submissions",
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "message_id", name=op.f("pk_submissions")),
    )
    op.create_index(op.f("ix_submissions_at"), "submissions", ["at"], unique=False)


def _transfers() -> None:
    op.create_table(
        "transfers",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("recipient", sa.String(length=128), nullable=False),
        sa.Column("agency", sa.String(length=128), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("message_type", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("order_key", sa.String(length=80), nullable=False),
        sa.Column("decision_id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.String(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_transfers")),
        sa.UniqueConstraint("id", name=op.f("uq_transfers_id")),
    )
    op.create_index("ix_transfers_agency_state", "transfers", ["agency", "state", "seq"], unique=False)
    op.create_index(op.f("ix_transfers_message_id"), "transfers", ["message_id"], unique=False)
    op.create_index("ix_transfers_order_key", "transfers", ["order_key", "seq"], unique=False)
    op.create_index("ix_transfers_state_expires", "transfers", ["state", "expires_at"], unique=False)


def _transfer_events() -> None:
    op.create_table(
        "transfer_events",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("recipient", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.id"], name=op.f("fk_transfer_events_transfer_id_transfers")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_transfer_events")),
    )
    op.create_index("ix_transfer_events_recipient", "transfer_events", ["recipient", "seq"], unique=False)
    op.create_index("ix_transfer_events_sender", "transfer_events", ["sender", "seq"], unique=False)
    op.create_index(op.f("ix_transfer_events_transfer_id"), "transfer_events", ["transfer_id"], unique=False)


def _transfer_keys() -> None:
    op.create_table(
        "transfer_keys",
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("sealing_kid", sa.String(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(length=64), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_transfer_keys_transfer_id_transfers")),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_transfer_keys")),
    )


def _transfer_subjects() -> None:
    op.create_table(
        "transfer_subjects",
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=96), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("sort", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.id"], name=op.f("fk_transfer_subjects_transfer_id_transfers")
        ),
        sa.PrimaryKeyConstraint("transfer_id", "person", "key", name=op.f("pk_transfer_subjects")),
    )
    op.create_index(op.f("ix_transfer_subjects_key"), "transfer_subjects", ["key"], unique=False)
