"""The evidence: what stays, and what erasure may take; the law as it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _audit_entries()
    _catalogues()
    _audit_side()


def downgrade() -> None:
    _refuse_where_evidence_exists()
    op.drop_table("audit_side")
    op.drop_table("catalogues")
    op.drop_table("audit_entries")


def _refuse_where_evidence_exists() -> None:
    """Refuse to go back: it would destroy evidence; only an empty log may go."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM audit_entries")).scalar_one():
        raise RuntimeError("audit_entries holds evidence; this migration does not go back")


def _audit_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=True),
        sa.Column("recipient", sa.String(length=128), nullable=True),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("commitments", sa.JSON(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entries")),
        sa.UniqueConstraint("id", name=op.f("uq_audit_entries_id")),
    )
    op.create_index(op.f("ix_audit_entries_event"), "audit_entries", ["event"], unique=False)
    op.create_index("ix_audit_entries_recipient_seq", "audit_entries", ["recipient", "seq"], unique=False)
    op.create_index(op.f("ix_audit_entries_reference"), "audit_entries", ["reference"], unique=False)
    op.create_index("ix_audit_entries_sender_seq", "audit_entries", ["sender", "seq"], unique=False)


def _catalogues() -> None:
    op.create_table(
        "catalogues",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("first_used", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_catalogues")),
    )


def _audit_side() -> None:
    op.create_table(
        "audit_side",
        sa.Column("entry_id", sa.String(length=36), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["audit_entries.id"], name=op.f("fk_audit_side_entry_id_audit_entries")),
        sa.PrimaryKeyConstraint("entry_id", "field", name=op.f("pk_audit_side")),
    )
