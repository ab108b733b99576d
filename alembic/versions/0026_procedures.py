"""Registered procedures with their steps, and the persons counted on each route for 30 days."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"

FIXED = ("procedures", "procedure_steps")
#: Role → table → privileges.
GRANTS = {
    "amtsbruecke_reader": {"procedures": "SELECT", "procedure_steps": "SELECT"},
    "amtsbruecke_gateway": {
        "procedures": "SELECT, INSERT",
        "procedure_steps": "SELECT, INSERT",
        "route_persons": "SELECT, INSERT, UPDATE",
    },
    "amtsbruecke_delivery": {"procedures": "SELECT", "procedure_steps": "SELECT"},
    "amtsbruecke_eraser": {"route_persons": "SELECT, DELETE"},
}
READER = "amtsbruecke_reader"
INSTANCES = "ANY (string_to_array(current_setting('amtsbruecke.instances', true), ','))"
SEEN = {
    "procedures": f"sender = {INSTANCES} OR recipient = {INSTANCES}",
    "procedure_steps": "EXISTS (SELECT 1 FROM procedures p WHERE p.id = procedure_id)",
}


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "procedures",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_by", sa.String(length=128), nullable=False),
        sa.Column("sender", sa.String(length=128), nullable=False),
        sa.Column("recipient", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("categories", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("fixed_version", sa.String(length=64), nullable=False),
        sa.Column("fixed_on", sa.Date(), nullable=False),
        sa.Column("most_persons", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kennung", sa.String(length=36), nullable=True),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_procedures")),
        sa.UniqueConstraint("id", name=op.f("uq_procedures_id")),
        sa.UniqueConstraint("recorded_by", "kennung", name=op.f("uq_procedures_recorded_by_kennung")),
    )
    op.create_index("ix_procedures_route", "procedures", ["sender", "recipient", "purpose"])
    op.create_index("ix_procedures_recipient", "procedures", ["recipient"])
    op.create_table(
        "procedure_steps",
        sa.Column("procedure_id", sa.String(length=36), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("instance", sa.String(length=128), nullable=False),
        sa.Column("dated", sa.Date(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedures.id"], name=op.f("fk_procedure_steps_procedure_id_procedures")
        ),
        sa.PrimaryKeyConstraint("procedure_id", "step", "instance", name=op.f("pk_procedure_steps")),
    )
    op.create_table(
        "route_persons",
        sa.Column("route", sa.String(length=330), nullable=False),
        sa.Column("pseudonym", sa.String(length=96), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("route", "pseudonym", name=op.f("pk_route_persons")),
    )
    op.create_index("ix_route_persons_route_day", "route_persons", ["route", "day"])
    op.create_index("ix_route_persons_day", "route_persons", ["day"])
    (_guard_sqlite if op.get_bind().dialect.name == "sqlite" else _guard_postgresql)()


def _guard_sqlite() -> None:
    for table in FIXED:
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _guard_postgresql() -> None:
    for table in SEEN:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for role, tables in GRANTS.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
            if table in SEEN and role == READER:
                op.execute(f"CREATE POLICY {role}_sees ON {table} FOR SELECT TO {role} USING ({SEEN[table]})")
            elif table in SEEN:
                op.execute(f"CREATE POLICY {role}_works ON {table} TO {role} USING (true) WITH CHECK (true)")
    op.execute("GRANT USAGE ON SEQUENCE procedures_seq_seq TO amtsbruecke_gateway")


def downgrade() -> None:
    for table in ("route_persons", "procedure_steps", "procedures"):
        op.drop_table(table)
