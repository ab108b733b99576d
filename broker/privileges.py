"""Who may do what in PostgreSQL: role by role, table by table. The migrations write it out; a test compares.

The roles cannot log in: a process logs in under a name of its own that is a member of just the roles that it acts as
(`Database.acting`). What stands nowhere is refused: nobody but its owner may change or delete a row of the evidence,
and the gateway, which writes content, cannot read any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class DbRole(StrEnum):
    """A role of the database; members are given it by ``GRANT``."""

    RELAY = "amtsbruecke_relay"
    """Station 6: takes ciphertext from the outbox."""
    SEALER = "amtsbruecke_sealer"
    """Orders the evidence into the tree; sees no side data."""
    ERASER = "amtsbruecke_eraser"
    """Deletes whose time is over, of the evidence too, and what lies beside its entries; nobody else may."""
    CONSOLE = "amtsbruecke_console"
    """Officers: reads the evidence of the controllers that the transaction names (row-level security)."""
    READER = "amtsbruecke_reader"
    """Offices: reads what the instances that the transaction names are a side of (row-level security)."""
    GATEWAY = "amtsbruecke_gateway"
    """Stations 1 to 5, and what persons and offices declare: writes content, and reads none."""
    DELIVERY = "amtsbruecke_delivery"
    """Station 7: takes in, opens and hands over; quittungen and notices."""
    AUDITOR = "amtsbruecke_auditor"
    """Reads the whole log, which names no person; nothing that lies beside it."""
    ADMIN = "amtsbruecke_admin"
    """The command line: directory, access, dead letters, export of the evidence."""
    REPLAY = "amtsbruecke_replay"
    """Decides again what was decided: reads decisions, catalogues and which decisions the log names; writes nothing."""


#: Setting of a transaction → the tables whose rows it limits; a row is seen by its sender's and recipient's side.
INSTANCES, CONTROLLERS = "amtsbruecke.instances", "amtsbruecke.controllers"
SEEN_BY: Mapping[DbRole, tuple[str, tuple[str, ...]]] = {
    DbRole.READER: (
        INSTANCES,
        (
            "attempt_outcomes",
            "attempts",
            "consent_withdrawals",
            "consents",
            "decisions",
            "deliveries",
            "duties",
            "ersuchen",
            "ersuchen_closings",
            "ersuchen_contents",
            "notices",
            "procedure_steps",
            "procedures",
            "quittungen",
            "stop_ends",
            "stops",
            "transfer_events",
            "transfers",
        ),
    ),
    DbRole.CONSOLE: (CONTROLLERS, ("audit_entries", "audit_side", "decisions", "duties")),
}

_ENTRIES = {"audit_entries": "INSERT", "audit_side": "INSERT", "audit_pending": "INSERT"}
#: What every process looks at for its readiness and its figures.
_SEEN = {
    "alembic_version": "SELECT",
    "audit_checkpoints": "SELECT",
    "audit_pending": "SELECT, INSERT",
    "duties": "SELECT (agency, done_on, due, test)",
    "key_checks": "SELECT",
    "transfers": "SELECT (accepted_at, agency, state)",
}
_WORKS = {**_SEEN, "audit_entries": "INSERT", "audit_side": "INSERT", "transfers": "SELECT, UPDATE"}
_TREE = {"audit_checkpoints": "SELECT", "audit_leaves": "SELECT", "audit_tiles": "SELECT", "alembic_version": "SELECT"}
_DIRECTORY = ("agencies", "agency_channels", "branches", "instances")
_CONSENTS = ("consent_near", "consent_withdrawals", "consents")
_STOPS = ("stop_ends", "stop_near", "stops")
_ERSUCHEN = ("ersuchen", "ersuchen_closings")
_ATTEMPTS = ("attempt_outcomes", "attempts")
_PROCEDURES = ("procedure_steps", "procedures")
_DECLARED = (*_CONSENTS, *_STOPS, *_ERSUCHEN)


def _each(tables: Iterable[str], privileges: str) -> dict[str, str]:
    return dict.fromkeys(tables, privileges)


#: Role → table → privileges, of all columns or of some: ``SELECT (id, at), INSERT``.
PRIVILEGES: Mapping[DbRole, Mapping[str, str]] = {
    DbRole.RELAY: {
        **_WORKS,
        "embedded_records": "SELECT (position), INSERT",
        "outbox": "SELECT, UPDATE, DELETE",
        "outbox_leases": "SELECT, INSERT, UPDATE, DELETE",
        "outbox_relays": "SELECT, INSERT, UPDATE, DELETE",
        "transfer_events": "SELECT (seq), INSERT",
    },
    DbRole.SEALER: {
        **_SEEN,
        "audit_entries": "SELECT, INSERT",
        "audit_pending": "SELECT, INSERT, DELETE",
        "audit_leaves": "SELECT, INSERT",
        "audit_tiles": "SELECT, INSERT, UPDATE",
        "audit_checkpoints": "SELECT, INSERT",
        "audit_sealer": "SELECT, UPDATE",
    },
    DbRole.ERASER: {
        **_WORKS,
        **_each(_DECLARED, "SELECT"),
        **_each((*_CONSENTS, *_STOPS, "ersuchen"), "SELECT, DELETE"),
        **_each(("decisions", "duties", "submissions", "assertion_jtis"), "SELECT, DELETE"),
        **_each(("case_releases", "notices", "transfer_lookup", "transfer_subjects"), "SELECT, DELETE"),
        "audit_entries": "SELECT, INSERT",
        "audit_side": "SELECT, INSERT, DELETE",
        "deliveries": "SELECT, UPDATE (sealed), DELETE",
        "outbox": "SELECT (id, record_id, transfer_id), DELETE",
        "quittungen": "SELECT (transfer_id), DELETE",
        **_each(_ATTEMPTS, "SELECT, DELETE"),
        "route_persons": "SELECT, UPDATE (day), DELETE",
        "transfer_events": "SELECT, INSERT, DELETE",
        "ersuchen_closings": "SELECT, INSERT, DELETE",
        "ersuchen_contents": "SELECT (ersuchen_id, sealing_kid, wrapped), UPDATE (sealing_kid, wrapped), DELETE",
        "subject_state": "SELECT, UPDATE (number), DELETE",
        "key_checks": "SELECT, INSERT, UPDATE (deleted_at)",
        "transfer_keys": "SELECT (transfer_id, sealing_kid), DELETE",
        "transfers": "SELECT, UPDATE, DELETE",
    },
    DbRole.CONSOLE: {
        **_TREE,
        "audit_entries": "SELECT, INSERT",
        "audit_side": "SELECT, INSERT",
        "audit_pending": "INSERT",
        **_each(("decisions", "duties"), "SELECT"),
    },
    DbRole.READER: {
        **_each(("consent_withdrawals", "consents", "stop_ends", "stops"), "SELECT"),
        **_each((*_ERSUCHEN, "ersuchen_contents", *_ATTEMPTS, *_PROCEDURES), "SELECT"),
        **_each(("decisions", "duties", "notices", "quittungen", "transfer_events", "transfers"), "SELECT"),
        "deliveries": "SELECT (attempts, attempts_before, last_error, leased_until, transfer_id)",
    },
    DbRole.GATEWAY: {
        **_WORKS,
        **_each((*_DIRECTORY, "clients", "client_keys"), "SELECT"),
        **_each((*_DECLARED, *_ATTEMPTS, *_PROCEDURES, "decisions", "notices", "submissions"), "SELECT, INSERT"),
        **_each(("transfer_events", "transfer_lookup", "transfer_subjects"), "SELECT, INSERT"),
        "assertion_jtis": "SELECT, INSERT, DELETE",
        "catalogue_days": "SELECT",
        "catalogues": "SELECT, INSERT",
        "deliveries": "SELECT (transfer_id), UPDATE (sealed)",
        "duties": "SELECT, UPDATE (done_at, done_how, done_on)",
        "ersuchen_contents": "SELECT (ersuchen_id), INSERT, DELETE",
        "outbox": "SELECT (id), INSERT",
        "route_persons": "SELECT, INSERT, UPDATE",
        "subject_state": "SELECT, INSERT, UPDATE",
        "transfer_keys": "SELECT (transfer_id), INSERT, DELETE",
        "transfers": "SELECT, INSERT, UPDATE",
    },
    DbRole.DELIVERY: {
        **_WORKS,
        **_each(
            (
                *_DIRECTORY,
                *_DECLARED,
                *_ATTEMPTS,
                *_PROCEDURES,
                "case_releases",
                "encryption_keys",
                "route_persons",
                "transfer_subjects",
            ),
            "SELECT",
        ),
        **_each(("catalogue_days", "catalogues"), "SELECT"),
        **_each(("decisions", "quittungen", "transfer_events"), "SELECT, INSERT"),
        **_each(("deliveries", "embedded_positions", "notices", "subject_state"), "SELECT, INSERT, UPDATE"),
        "duties": "SELECT (agency, done_on, due, test), INSERT",
        "embedded_records": "SELECT, DELETE",
        "outbox": "SELECT (id), INSERT",
        "transfer_keys": "SELECT, DELETE",
    },
    DbRole.AUDITOR: {**_TREE, **_ENTRIES, "audit_entries": "SELECT, INSERT"},
    DbRole.ADMIN: {
        **_WORKS,
        **_TREE,
        **_each((*_DIRECTORY, "clients", "client_keys", "encryption_keys"), "SELECT, INSERT, UPDATE"),
        **_each(("audit_entries", "audit_side", "transfer_events"), "SELECT, INSERT"),
        "case_releases": "SELECT, INSERT, DELETE",
        **_each(("catalogue_days", "catalogues"), "SELECT, INSERT"),
        "decisions": "SELECT (id, recipient, sender, facts, detail)",
        "deliveries": (
            "SELECT (attempts, attempts_before, last_error, leased_until, transfer_id), "
            "UPDATE (attempts_before, last_error, leased_until, sealed, way)"
        ),
        "duties": "SELECT",
        "key_checks": "SELECT, INSERT",
        "transfer_keys": "SELECT (transfer_id), DELETE",
    },
    DbRole.REPLAY: {
        "alembic_version": "SELECT",
        "audit_entries": "SELECT (at, data, event, recipient, reference, sender, seq)",
        **_each(("catalogues", "decisions"), "SELECT"),
    },
}

#: Process → the roles that its login is a member of, and no others. The first is its own, the others it takes on.
PROCESSES: Mapping[str, tuple[DbRole, ...]] = {
    "serve": (DbRole.GATEWAY, DbRole.DELIVERY, DbRole.READER, DbRole.CONSOLE, DbRole.AUDITOR),
    "relay": (DbRole.RELAY,),
    "deliver": (DbRole.DELIVERY,),
    "seal": (DbRole.SEALER,),
    "cleanup": (DbRole.ERASER,),
    "admin": (DbRole.ADMIN,),
    "replay": (DbRole.REPLAY,),
}
