"""A role that decides again what was decided: it reads decisions, catalogues and the decisions that the log names."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"

ROLE = "amtsbruecke_replay"
GRANTS = {
    "alembic_version": "SELECT",
    "audit_entries": "SELECT (at, data, event, recipient, reference, sender, seq)",
    "catalogues": "SELECT",
    "decisions": "SELECT",
}
#: Of the log those entries alone that name a decision.
SEEN = {
    "audit_entries": "event IN ('transfer.permitted', 'transfer.refused', 'transfer.checked')",
    "decisions": "true",
}
#: Roles are the cluster's, not the database's: another database may have made it, or be making it now.
MAKE = """
DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
"""
#: An owner who is no superuser may act as the role too, as commands do that run under its name.
FOR_THE_OWNER = """
DO $$ BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN GRANT {role} TO CURRENT_USER; END IF;
EXCEPTION WHEN insufficient_privilege THEN NULL; END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(MAKE.format(role=ROLE))
    op.execute(FOR_THE_OWNER.format(role=ROLE))
    for table, privileges in GRANTS.items():
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
    for table, rule in SEEN.items():
        op.execute(f"CREATE POLICY {ROLE}_sees ON {table} FOR SELECT TO {ROLE} USING ({rule})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for table in SEEN:
        op.execute(f"DROP POLICY {ROLE}_sees ON {table}")
    for table, privileges in GRANTS.items():
        op.execute(f"REVOKE {privileges} ON {table} FROM {ROLE}")
