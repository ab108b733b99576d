"""From which day which catalogue counts; who decides may read the catalogues that are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

#: Rows are added and never changed or deleted.
FIXED = ("catalogue_days",)
GRANTS = {
    "amtsbruecke_gateway": {"catalogues": "SELECT", "catalogue_days": "SELECT"},
    "amtsbruecke_delivery": {"catalogues": "SELECT", "catalogue_days": "SELECT"},
    "amtsbruecke_admin": {
        "catalogues": "SELECT, INSERT",
        "catalogue_days": "SELECT, INSERT",
        "decisions": "SELECT (id, recipient, sender, facts, detail)",
    },
}
#: An operator who lets a catalogue count sees first what it does to what is on its way.
POLICY = "amtsbruecke_admin_works"


def upgrade() -> None:
    op.create_table(
        "catalogue_days",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["fingerprint"], ["catalogues.fingerprint"], name=op.f("fk_catalogue_days_fingerprint_catalogues")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_catalogue_days")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            _refuse("catalogue_days", what)
        return
    for role, tables in GRANTS.items():
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
    op.execute("GRANT USAGE ON SEQUENCE catalogue_days_seq_seq TO amtsbruecke_admin")
    op.execute(f"CREATE POLICY {POLICY} ON decisions FOR SELECT TO amtsbruecke_admin USING (true)")


def _refuse(table: str, what: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute(f"DROP POLICY {POLICY} ON decisions")
        for role, tables in GRANTS.items():
            for table in tables.keys() - {"catalogue_days"}:
                given = "SELECT" if role == "amtsbruecke_gateway" else tables[table]
                op.execute(f"REVOKE {given} ON {table} FROM {role}")
    op.drop_table("catalogue_days")
