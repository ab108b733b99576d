"""Duties of what was handed over: what one side has to do by a day, until it says that it is done."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

FACTS = ("id", "transfer_id", "decision_id", "duty", "bound", "agency", "arose", "due", "test", "recorded_at")
FIGURES = "SELECT (agency, done_on, due, test)"
INDEXES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "ix_duties_open": (("agency", "due", "id"), "done_on IS NULL"),
    "ix_duties_done": (("agency", "due", "id"), "done_on IS NOT NULL"),
    "ix_duties_due": (("due", "agency"), "done_on IS NULL AND NOT test"),
}
GRANTS: Mapping[str, str] = {
    "relay": FIGURES,
    "sealer": FIGURES,
    "eraser": "SELECT, DELETE",
    "console": "SELECT",
    "reader": "SELECT",
    "gateway": "SELECT, UPDATE (done_at, done_how, done_on)",
    "delivery": f"{FIGURES}, INSERT",
    "admin": "SELECT",
}
INSTANCES = "ANY (string_to_array(current_setting('amtsbruecke.instances', true), ','))"
CONTROLLERS = "ANY (string_to_array(current_setting('amtsbruecke.controllers', true), ','))"
#: An office sees its own duties, an officer those of the own agency, and what was done is done.
POLICIES: Mapping[str, tuple[str, ...]] = {
    "console": (f"FOR SELECT TO amtsbruecke_console USING (agency = {CONTROLLERS})",),
    "reader": (f"FOR SELECT TO amtsbruecke_reader USING (bound = {INSTANCES})",),
    "gateway": (
        "FOR SELECT TO amtsbruecke_gateway USING (true)",
        "FOR UPDATE TO amtsbruecke_gateway USING (done_on IS NULL) WITH CHECK (done_on IS NOT NULL)",
    ),
}
ENDED = " OR ".join(["OLD.done_on IS NOT NULL", "NEW.done_on IS NULL", *(f"NEW.{n} IS NOT OLD.{n}" for n in FACTS)])
HORIZON = "SELECT before FROM erasure_horizons WHERE name = 'duties'"


def upgrade() -> None:
    op.create_table(
        "duties",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("decision_id", sa.String(length=36), nullable=False),
        sa.Column("duty", sa.String(length=32), nullable=False),
        sa.Column("bound", sa.String(length=128), nullable=False),
        sa.Column("agency", sa.String(length=128), nullable=False),
        sa.Column("arose", sa.Date(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("done_how", sa.String(length=16), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duties")),
        sa.UniqueConstraint("transfer_id", "duty", "bound", name=op.f("uq_duties_transfer_id_duty_bound")),
    )
    for name, (columns, condition) in INDEXES.items():
        some = sa.text(condition)
        op.create_index(name, "duties", list(columns), unique=False, sqlite_where=some, postgresql_where=some)
    if op.get_bind().dialect.name == "sqlite":
        _refuse("update", "UPDATE", ENDED)
        _refuse("delete", "DELETE", f"NOT coalesce(OLD.recorded_at < ({HORIZON}), 0)")
    else:
        _guard()


def _refuse(name: str, what: str, where: str) -> None:
    op.execute(
        f"CREATE TRIGGER duties_no_{name} BEFORE {what} ON duties WHEN {where} "
        "BEGIN SELECT RAISE(ABORT, 'duties end once, and say what they say'); END"
    )


def _guard() -> None:
    op.execute("ALTER TABLE duties ENABLE ROW LEVEL SECURITY")
    for role, privileges in GRANTS.items():
        op.execute(f"GRANT {privileges} ON duties TO amtsbruecke_{role}")
        everything = f"TO amtsbruecke_{role} USING (true) WITH CHECK (true)"
        for place, policy in enumerate(POLICIES.get(role, (everything,))):
            op.execute(f"CREATE POLICY amtsbruecke_{role}_{place} ON duties {policy}")


def downgrade() -> None:
    op.drop_table("duties")
