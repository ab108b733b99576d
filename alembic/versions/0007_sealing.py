"""The tree over the evidence: what waits for it, leaves, tiles, checkpoints, who seals; one side row an entry."""

from __future__ import annotations

from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

#: Rows are added and never changed or deleted.
FIXED = ("audit_leaves", "audit_checkpoints")
CHUNK = 1000

QUEUE_SQLITE = """
CREATE TRIGGER audit_entries_wait AFTER INSERT ON audit_entries
BEGIN INSERT INTO audit_pending (seq, at) VALUES (NEW.seq, NEW.at); END
"""
QUEUE_POSTGRESQL = (
    """
CREATE FUNCTION audit_entries_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audit_pending (seq, at) SELECT seq, at FROM arrived; RETURN NULL; END $$
""",
    """
CREATE TRIGGER audit_entries_wait AFTER INSERT ON audit_entries
REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_wait()
""",
)


def upgrade() -> None:
    _waiting()
    _tree()
    _one_side_row_an_entry()
    if _is_sqlite():
        for table in FIXED:
            _refuse(table, "UPDATE")
            _refuse(table, "DELETE")
        _refuse("audit_side", "UPDATE")


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT count(*) FROM audit_entries")).scalar_one():
        raise RuntimeError("audit_entries holds evidence; this migration does not go back")
    op.execute("DROP TRIGGER audit_entries_wait" + ("" if _is_sqlite() else " ON audit_entries"))
    if not _is_sqlite():
        op.execute("DROP FUNCTION audit_entries_wait()")
    for table in ("audit_sealer", "audit_checkpoints", "audit_tiles", "audit_leaves", "audit_pending", "audit_side"):
        op.drop_table(table)
    _side_rows_a_field()


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _waiting() -> None:
    op.create_table(
        "audit_pending",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_pending")),
    )
    for statement in (QUEUE_SQLITE,) if _is_sqlite() else QUEUE_POSTGRESQL:
        op.execute(statement)
    op.execute("INSERT INTO audit_pending (seq, at) SELECT seq, at FROM audit_entries")


def _tree() -> None:
    op.create_table(
        "audit_leaves",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_audit_leaves")),
        sa.UniqueConstraint("seq", name=op.f("uq_audit_leaves_seq")),
    )
    op.create_index(op.f("ix_audit_leaves_leaf"), "audit_leaves", ["leaf"], unique=False)
    op.create_table(
        "audit_tiles",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_audit_tiles")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoints")),
    )
    sealer = op.create_table(
        "audit_sealer",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_sealer")),
    )
    op.bulk_insert(sealer, [{"id": 1, "holder": None, "fence": 0, "until": None}])


def _one_side_row_an_entry() -> None:
    """Gather the fields of each entry in one row."""
    query = sa.text("SELECT entry_id, field, salt, value FROM audit_side ORDER BY entry_id, field")
    rows = op.get_bind().execute(query).all()
    op.drop_table("audit_side")
    made = op.create_table(
        "audit_side",
        sa.Column("entry_id", sa.String(length=36), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["audit_entries.id"], name=op.f("fk_audit_side_entry_id_audit_entries")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_side")),
    )
    gathered = [
        {"entry_id": entry_id, "fields": {row.field: [bytes(row.salt).hex(), row.value] for row in fields}}
        for entry_id, fields in groupby(rows, key=lambda row: row.entry_id)
    ]
    for start in range(0, len(gathered), CHUNK):
        op.bulk_insert(made, gathered[start : start + CHUNK])


def _side_rows_a_field() -> None:
    op.create_table(
        "audit_side",
        sa.Column("entry_id", sa.String(length=36), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["audit_entries.id"], name=op.f("fk_audit_side_entry_id_audit_entries")),
        sa.PrimaryKeyConstraint("entry_id", "field", name=op.f("pk_audit_side")),
    )
    if _is_sqlite():
        _refuse("audit_side", "UPDATE")


def _refuse(table: str, what: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
