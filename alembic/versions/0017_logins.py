"""Roles for gateway, delivery, auditors and administration; row-level security for all that an office may read."""

from __future__ import annotations

from collections.abc import Iterator

from alembic import op

revision = "0017"
down_revision = "0016"

#: Role → privileges → tables, beside what the roles have since 0015.
GRANTS: dict[str, dict[str, str]] = {
    "amtsbruecke_relay": {
        "SELECT": "alembic_version audit_checkpoints audit_pending",
        "SELECT (position), INSERT": "embedded_records",
        "SELECT (seq)": "transfer_events",
    },
    "amtsbruecke_sealer": {
        "SELECT": "alembic_version",
        "SELECT (accepted_at, agency, state)": "transfers",
    },
    "amtsbruecke_eraser": {
        "SELECT": "alembic_version audit_checkpoints audit_pending ersuchen ersuchen_closings",
        "SELECT, UPDATE, DELETE": "transfers",
        "INSERT": "audit_side",
        "SELECT, DELETE": (
            "assertion_jtis case_releases consent_near consent_withdrawals consents decisions notices "
            "stop_ends stop_near stops submissions transfer_lookup transfer_subjects"
        ),
        "SELECT, UPDATE (sealed), DELETE": "deliveries",
        "SELECT (id, record_id, transfer_id), DELETE": "outbox",
        "SELECT (transfer_id), DELETE": "quittungen transfer_keys",
        "SELECT, INSERT, DELETE": "transfer_events",
    },
    "amtsbruecke_console": {
        "SELECT": "alembic_version audit_checkpoints audit_leaves audit_tiles",
    },
    "amtsbruecke_reader": {
        "SELECT": (
            "consent_withdrawals consents ersuchen ersuchen_closings ersuchen_contents quittungen stop_ends stops"
        ),
        "SELECT (attempts, attempts_before, last_error, leased_until, transfer_id)": "deliveries",
    },
    "amtsbruecke_gateway": {
        "SELECT": "agencies agency_channels alembic_version audit_checkpoints branches client_keys clients instances",
        "SELECT, INSERT": (
            "audit_pending consent_near consent_withdrawals consents decisions ersuchen ersuchen_closings "
            "notices stop_ends stop_near stops submissions transfer_events transfer_lookup transfer_subjects"
        ),
        "SELECT, INSERT, UPDATE": "subject_state transfers",
        "INSERT": "audit_entries audit_side catalogues",
        "SELECT (id), INSERT": "outbox",
        "SELECT, INSERT, DELETE": "assertion_jtis",
        "SELECT (transfer_id), UPDATE (sealed)": "deliveries",
        "SELECT (ersuchen_id), INSERT, DELETE": "ersuchen_contents",
        "SELECT (transfer_id), INSERT, DELETE": "transfer_keys",
    },
    "amtsbruecke_delivery": {
        "SELECT": (
            "agencies agency_channels alembic_version audit_checkpoints branches case_releases consent_near "
            "consent_withdrawals consents encryption_keys ersuchen ersuchen_closings instances stop_ends "
            "stop_near stops transfer_subjects"
        ),
        "SELECT, INSERT": "audit_pending decisions quittungen transfer_events",
        "SELECT, UPDATE": "transfers",
        "INSERT": "audit_entries audit_side",
        "SELECT (id), INSERT": "outbox",
        "SELECT, INSERT, UPDATE": "deliveries embedded_positions notices subject_state",
        "SELECT, DELETE": "embedded_records transfer_keys",
    },
    "amtsbruecke_auditor": {
        "SELECT": "alembic_version audit_checkpoints audit_leaves audit_tiles",
        "SELECT, INSERT": "audit_entries",
        "INSERT": "audit_pending audit_side",
    },
    "amtsbruecke_admin": {
        "SELECT": "alembic_version audit_checkpoints audit_leaves audit_tiles",
        "SELECT, INSERT": "audit_entries audit_pending audit_side transfer_events",
        "SELECT, UPDATE": "transfers",
        "SELECT, INSERT, UPDATE": "agencies agency_channels branches client_keys clients encryption_keys instances",
        "SELECT, INSERT, DELETE": "case_releases",
        "SELECT (attempts, attempts_before, last_error, leased_until, transfer_id)": "deliveries",
        "UPDATE (attempts_before, last_error, leased_until, sealed, way)": "deliveries",
        "SELECT (transfer_id), DELETE": "transfer_keys",
    },
}
NEW_ROLES = ("amtsbruecke_gateway", "amtsbruecke_delivery", "amtsbruecke_auditor", "amtsbruecke_admin")
READER = "amtsbruecke_reader"
INSTANCES = "ANY (string_to_array(current_setting('amtsbruecke.instances', true), ','))"
NAMED = "SELECT 1 FROM json_array_elements_text(recipients) AS named"
ASKED = "SELECT 1 FROM ersuchen e WHERE e.id = ersuchen_id"
#: What 0015 guards, and what is guarded from here on: table → which rows an office sees.
GUARDED = ("audit_entries", "audit_side", "decisions", "notices", "transfer_events", "transfers")
SEEN = {
    "consents": f"recorded_by = {INSTANCES} OR EXISTS ({NAMED} WHERE named = {INSTANCES})",
    "consent_withdrawals": "EXISTS (SELECT 1 FROM consents c WHERE c.id = consent_id)",
    "stops": f"controller = {INSTANCES}",
    "stop_ends": "EXISTS (SELECT 1 FROM stops s WHERE s.id = stop_id)",
    "ersuchen": f"requester = {INSTANCES} OR addressee = {INSTANCES}",
    "ersuchen_closings": f"EXISTS ({ASKED})",
    "ersuchen_contents": f"EXISTS ({ASKED} AND e.addressee = {INSTANCES})",
    "deliveries": "EXISTS (SELECT 1 FROM transfers t WHERE t.id = transfer_id)",
    "quittungen": "EXISTS (SELECT 1 FROM transfers t WHERE t.id = transfer_id)",
}
MAKE = """
DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
"""
#: An owner who is no superuser may act as the roles too, as commands do that run under its name.
FOR_THE_OWNER = """
DO $$ BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN GRANT {role} TO CURRENT_USER; END IF;
EXCEPTION WHEN insufficient_privilege THEN NULL; END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for role in NEW_ROLES:
        op.execute(MAKE.format(role=role))
        op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")
    for role in GRANTS:
        op.execute(FOR_THE_OWNER.format(role=role))
    for table in SEEN:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for role, privileges, table in _grants():
        op.execute(f"GRANT {privileges} ON {table} TO {role}")
    for role, table in _guarded():
        if role == READER:
            op.execute(f"CREATE POLICY {role}_sees ON {table} FOR SELECT TO {role} USING ({SEEN[table]})")
        else:
            op.execute(f"CREATE POLICY {role}_works ON {table} TO {role} USING (true) WITH CHECK (true)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for role, table in _guarded():
        op.execute(f"DROP POLICY {role}_{'sees' if role == READER else 'works'} ON {table}")
    for role, privileges, table in _grants():
        op.execute(f"REVOKE {privileges} ON {table} FROM {role}")
    for table in SEEN:
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for role in NEW_ROLES:
        op.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}")


def _grants() -> Iterator[tuple[str, str, str]]:
    for role, given in GRANTS.items():
        for privileges, tables in given.items():
            for table in tables.split():
                yield role, privileges, table


def _guarded() -> list[tuple[str, str]]:
    """Return the roles and guarded tables that meet here for the first time."""
    met = {(role, table) for role, _, table in _grants() if table in SEEN or table in GUARDED}
    return sorted(met - KNOWN)


#: Those that have a policy since 0015.
KNOWN = {("amtsbruecke_eraser", "audit_side"), ("amtsbruecke_relay", "transfer_events")}
