"""Who adds rows alone may draw their numbers, and an officer's look is recorded under the own controller alone."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"

ROLES = ("relay", "sealer", "eraser", "console", "reader", "gateway", "delivery", "auditor", "admin")
#: A sequence belongs to a column; whoever may insert into its table needs it. Others could count what happens by it.
NARROW = """
DO $$ DECLARE drawn record; BEGIN
  REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role};
  FOR drawn IN SELECT c.oid::regclass AS sequence, d.refobjid AS filled FROM pg_class c JOIN pg_depend d
    ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
    WHERE c.relkind = 'S' AND c.relnamespace = 'public'::regnamespace
  LOOP
    IF has_table_privilege('{role}', drawn.filled, 'INSERT') THEN
      EXECUTE format('GRANT USAGE ON SEQUENCE %s TO {role}', drawn.sequence);
    END IF;
  END LOOP;
END $$
"""
CONTROLLERS = "ANY (string_to_array(current_setting('amtsbruecke.controllers', true), ','))"
OWN = f"split_part(sender, ':', 1) = {CONTROLLERS}"
ADDS = "CREATE POLICY amtsbruecke_console_adds ON audit_entries FOR INSERT TO amtsbruecke_console WITH CHECK ({rule})"
DROP = "DROP POLICY amtsbruecke_console_adds ON audit_entries"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for role in ROLES:
        op.execute(NARROW.format(role=f"amtsbruecke_{role}").replace(":", "\\:"))
    op.execute(DROP)
    op.execute(ADDS.format(rule=OWN))


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(DROP)
    op.execute(ADDS.format(rule="true"))
    for role in ROLES:
        op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO amtsbruecke_{role}")
