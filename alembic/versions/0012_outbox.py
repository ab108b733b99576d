"""The outbox in partitions, each with one relay at a time; what is published leaves it."""

from __future__ import annotations

from zlib import crc32

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

PARTITIONS = 8


def upgrade() -> None:
    waiting = _waiting("WHERE published_at IS NULL")
    op.drop_table("outbox")
    _partitioned()
    rows = [
        {**row, "record_id": row["transfer_id"], "partition": crc32(row["key"].encode()) % PARTITIONS}
        for row in waiting
    ]
    _fill(rows, "record_id", "partition")
    op.create_table(
        "outbox_leases",
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=36), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_outbox_leases")),
    )
    op.create_table(
        "outbox_relays",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_relays")),
    )


def _partitioned() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_outbox_transfer_id_transfers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_partition_id", "outbox", ["partition", "id"], unique=False)
    op.create_index(op.f("ix_outbox_transfer_id"), "outbox", ["transfer_id"], unique=False)


def downgrade() -> None:
    waiting = _waiting("WHERE record_id = transfer_id")
    op.drop_table("outbox_relays")
    op.drop_table("outbox_leases")
    op.drop_table("outbox")
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
    _fill(waiting)


def _waiting(where: str) -> list[dict[str, object]]:
    """Return what is not published yet, oldest first, so that it keeps its order."""
    query = f"SELECT transfer_id, topic, key, headers, value FROM outbox {where} ORDER BY id"  # noqa: S608 - no input
    columns = sa.text(query).columns(headers=sa.JSON(), value=sa.LargeBinary())
    return [dict(row) for row in op.get_bind().execute(columns).mappings()]


def _fill(rows: list[dict[str, object]], *more: str) -> None:
    names = ("transfer_id", "topic", "key", "headers", "value", *more)
    types = {"headers": sa.JSON(), "value": sa.LargeBinary(), "partition": sa.SmallInteger()}
    table = sa.table("outbox", *(sa.column(name, types.get(name, sa.String())) for name in names))
    if rows:
        op.bulk_insert(table, rows)
