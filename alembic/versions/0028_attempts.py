"""First-collection attempts and what came of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

FIXED = ("attempts", "attempt_outcomes")
#: Role → privileges, of both tables.
GRANTS = {
    "amtsbruecke_reader": "SELECT",
    "amtsbruecke_gateway": "SELECT, INSERT",
    "amtsbruecke_delivery": "SELECT",
    "amtsbruecke_eraser": "SELECT, DELETE",
}
READER = "amtsbruecke_reader"
INSTANCES = "ANY (string_to_array(current_setting('amtsbruecke.instances', true), ','))"
SEEN = {
    "attempts": f"recorded_by = {INSTANCES}",
    "attempt_outcomes": "EXISTS (SELECT 1 FROM attempts a WHERE a.id = attempt_id)",
}


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "attempts",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_by", sa.String(length=128), nullable=False),
        sa.Column("pseudonym", sa.String(length=96), nullable=True),
        sa.Column("case_key", sa.String(length=96), nullable=True),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("categories", sa.JSON(), nullable=False),
        sa.Column("asked", sa.Date(), nullable=False),
        sa.Column("deadline", sa.Date(), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kennung", sa.String(length=36), nullable=True),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_attempts")),
        sa.UniqueConstraint("id", name=op.f("uq_attempts_id")),
        sa.UniqueConstraint("recorded_by", "kennung", name=op.f("uq_attempts_recorded_by_kennung")),
    )
    op.create_index(op.f("ix_attempts_pseudonym"), "attempts", ["pseudonym"])
    op.create_index(op.f("ix_attempts_case_key"), "attempts", ["case_key"])
    op.create_index(op.f("ix_attempts_recorded_at"), "attempts", ["recorded_at"])
    op.create_index("ix_attempts_recorded_by_seq", "attempts", ["recorded_by", "seq"])
    op.create_table(
        "attempt_outcomes",
        sa.Column("attempt_id", sa.String(length=36), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("dated", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name=op.f("fk_attempt_outcomes_attempt_id_attempts")),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_attempt_outcomes")),
    )
    (_guard_sqlite if op.get_bind().dialect.name == "sqlite" else _guard_postgresql)()


def _guard_sqlite() -> None:
    for table in FIXED:
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        horizon = f"SELECT before FROM erasure_horizons WHERE name = '{table}'"  # noqa: S608 - fixed names
        older = f"WHEN NOT coalesce(OLD.recorded_at < ({horizon}), 0)"
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {older} {refuse}")


def _guard_postgresql() -> None:
    for table, seen in SEEN.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        for role, privileges in GRANTS.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
            if role == READER:
                op.execute(f"CREATE POLICY {role}_sees ON {table} FOR SELECT TO {role} USING ({seen})")
            else:
                op.execute(f"CREATE POLICY {role}_works ON {table} TO {role} USING (true) WITH CHECK (true)")
    op.execute("GRANT USAGE ON SEQUENCE attempts_seq_seq TO amtsbruecke_gateway")


def downgrade() -> None:
    for table in ("attempt_outcomes", "attempts"):
        op.drop_table(table)
