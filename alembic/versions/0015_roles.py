"""Roles of PostgreSQL with least privilege, and which rows the reading ones see. SQLite has neither."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"

PRIVILEGES = {
    "amtsbruecke_relay": {
        "outbox": "SELECT, UPDATE, DELETE",
        "outbox_leases": "SELECT, INSERT, UPDATE, DELETE",
        "outbox_relays": "SELECT, INSERT, UPDATE, DELETE",
        "transfers": "SELECT, UPDATE",
        "transfer_events": "INSERT",
        "audit_entries": "INSERT",
        "audit_side": "INSERT",
        "audit_pending": "INSERT",
    },
    "amtsbruecke_sealer": {
        "audit_entries": "SELECT, INSERT",
        "audit_pending": "SELECT, INSERT, DELETE",
        "audit_leaves": "SELECT, INSERT",
        "audit_tiles": "SELECT, INSERT, UPDATE",
        "audit_checkpoints": "SELECT, INSERT",
        "audit_sealer": "SELECT, UPDATE",
    },
    "amtsbruecke_eraser": {
        "audit_entries": "SELECT, INSERT",
        "audit_side": "SELECT, DELETE",
        "audit_pending": "INSERT",
    },
    "amtsbruecke_console": {
        "audit_entries": "SELECT, INSERT",
        "audit_side": "SELECT, INSERT",
        "audit_pending": "INSERT",
        "decisions": "SELECT",
    },
    "amtsbruecke_reader": {"transfers": "SELECT", "transfer_events": "SELECT", "notices": "SELECT"},
}
GUARDED = ("audit_entries", "audit_side", "decisions", "notices", "transfer_events", "transfers")
#: The settings of a transaction that was not told whom it serves are empty: it sees nothing.
INSTANCES = "ANY (string_to_array(current_setting('amtsbruecke.instances', true), ','))"
CONTROLLERS = "ANY (string_to_array(current_setting('amtsbruecke.controllers', true), ','))"
OF_INSTANCE = f"sender = {INSTANCES} OR recipient = {INSTANCES}"
OF_CONTROLLER = f"split_part(sender, ':', 1) = {CONTROLLERS} OR split_part(recipient, ':', 1) = {CONTROLLERS}"
SEEN = {
    "transfers": ("amtsbruecke_reader", OF_INSTANCE),
    "transfer_events": ("amtsbruecke_reader", OF_INSTANCE),
    "notices": ("amtsbruecke_reader", OF_INSTANCE),
    "decisions": ("amtsbruecke_console", OF_CONTROLLER),
    "audit_entries": ("amtsbruecke_console", OF_CONTROLLER),
    # The entry itself is seen through the same rule.
    "audit_side": ("amtsbruecke_console", "EXISTS (SELECT 1 FROM audit_entries e WHERE e.id = entry_id)"),
}
#: Roles are the cluster's, not the database's: another database may have made them, or be making them now.
MAKE = """
DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    for table in GUARDED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for role, tables in PRIVILEGES.items():
        op.execute(MAKE.format(role=role))
        op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")
        for table, privileges in tables.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
            if table in GUARDED:
                _let_see(role, table)


def _let_see(role: str, table: str) -> None:
    limited, rule = SEEN[table]
    if role == limited:
        op.execute(f"CREATE POLICY {role}_sees ON {table} FOR SELECT TO {role} USING ({rule})")
        op.execute(f"CREATE POLICY {role}_adds ON {table} FOR INSERT TO {role} WITH CHECK (true)")
    else:
        op.execute(f"CREATE POLICY {role}_works ON {table} TO {role} USING (true) WITH CHECK (true)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for role, tables in PRIVILEGES.items():
        for table in tables:
            for what in ("sees", "adds", "works"):
                op.execute(f"DROP POLICY IF EXISTS {role}_{what} ON {table}")
        op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")
        op.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}")
    for table in GUARDED:
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
