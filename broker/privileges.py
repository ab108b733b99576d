"""Who may do what in PostgreSQL: role by role, table by table. The migrations write it out; a test compares.

The roles cannot log in: a process logs in under a name of its own that is a member of just the roles that it acts as
(`Database.acting`). What stands nowhere is refused: nobody but its owner may change or delete a row of the evidence,
and the gateway, which writes content, cannot read any.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class DbRole(StrEnum):
    """A role of the database; members are given it by ``GRANT``."""

    RELAY = "amtsbruecke_relay"
    """Station 6: takes ciphertext from the outbox."""
    SEALER = "amtsbruecke_sealer"
    """Orders the evidence into the tree; sees no side data."""
    ERASER = "amtsbruecke_eraser"
    """Deletes what lies beside entries of the evidence, and nothing else."""
    CONSOLE = "amtsbruecke_console"
    """Officers: reads the evidence of the controllers that the transaction names (row-level security)."""
    READER = "amtsbruecke_reader"
    """Offices: reads transfers and notices of the instances that the transaction names (row-level security)."""


#: Setting of a transaction → the tables whose rows it limits; a row is seen by its sender's and recipient's side.
INSTANCES, CONTROLLERS = "amtsbruecke.instances", "amtsbruecke.controllers"
SEEN_BY: Mapping[DbRole, tuple[str, tuple[str, ...]]] = {
    DbRole.READER: (INSTANCES, ("notices", "transfer_events", "transfers")),
    DbRole.CONSOLE: (CONTROLLERS, ("audit_entries", "audit_side", "decisions")),
}

_EVIDENCE = {"audit_entries": "INSERT", "audit_side": "INSERT", "audit_pending": "INSERT"}

#: Role → table → privileges.
PRIVILEGES: Mapping[DbRole, Mapping[str, str]] = {
    DbRole.RELAY: {
        "outbox": "SELECT, UPDATE, DELETE",
        "outbox_leases": "SELECT, INSERT, UPDATE, DELETE",
        "outbox_relays": "SELECT, INSERT, UPDATE, DELETE",
        "transfers": "SELECT, UPDATE",
        "transfer_events": "INSERT",
        **_EVIDENCE,
    },
    DbRole.SEALER: {
        "audit_entries": "SELECT, INSERT",
        "audit_pending": "SELECT, INSERT, DELETE",
        "audit_leaves": "SELECT, INSERT",
        "audit_tiles": "SELECT, INSERT, UPDATE",
        "audit_checkpoints": "SELECT, INSERT",
        "audit_sealer": "SELECT, UPDATE",
    },
    DbRole.ERASER: {"audit_entries": "SELECT, INSERT", "audit_side": "SELECT, DELETE", "audit_pending": "INSERT"},
    DbRole.CONSOLE: {
        "audit_entries": "SELECT, INSERT",
        "audit_side": "SELECT, INSERT",
        "audit_pending": "INSERT",
        "decisions": "SELECT",
    },
    DbRole.READER: {"transfers": "SELECT", "transfer_events": "SELECT", "notices": "SELECT"},
}
