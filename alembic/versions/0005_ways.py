"""The ways: outbox, embedded transport, deliveries, quittungen, notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _embedded_positions()
    _embedded_records()
    _deliveries()
    _notices()
    _outbox()
    _quittungen()


def downgrade() -> None:
    op.drop_table("quittungen")
    op.drop_table("outbox")
    op.drop_table("notices")
    op.drop_table("deliveries")
    op.drop_table("embedded_records")
    op.drop_table("embedded_positions")


def _embedded_positions() -> None:
    op.create_table(
        "embedded_positions",
        sa.Column("group", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=160), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("group", "topic", name=op.f("pk_embedded_positions")),
    )


def _embedded_records() -> None:
    op.create_table(
        "embedded_records",
        sa.Column("position", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("topic", sa.String(length=160), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_embedded_records")),
        sa.UniqueConstraint("record_id", name=op.f("uq_embedded_records_record_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_embedded_records_topic", "embedded_records", ["topic", "position"], unique=False)


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("agency", sa.String(length=128), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_deliveries_transfer_id_transfers")),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_agency_leased", "deliveries", ["agency", "leased_until"], unique=False)


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("recipient", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("measure", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_notices_transfer_id_transfers")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_notices")),
        sa.UniqueConstraint("id", name=op.f("uq_notices_id")),
    )
    op.create_index(op.f("ix_notices_recipient"), "notices", ["recipient"], unique=False)
    op.create_index(op.f("ix_notices_transfer_id"), "notices", ["transfer_id"], unique=False)


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("topic", sa.String(length=160), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_outbox_transfer_id_transfers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_outbox_transfer_id")),
    )
    op.create_index("ix_outbox_published_at_id", "outbox", ["published_at", "id"], unique=False)


def _quittungen() -> None:
    op.create_table(
        "quittungen",
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_quittungen_transfer_id_transfers")),
        sa.PrimaryKeyConstraint("sender", "message_id", name=op.f("pk_quittungen")),
    )
    op.create_index(op.f("ix_quittungen_transfer_id"), "quittungen", ["transfer_id"], unique=False)
