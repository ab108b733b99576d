"""What grows with every transfer lies in months on PostgreSQL (docs/decisions/0008-months.md); rows are moved."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

PARTS = "amtsbruecke_parts"
#: Table → column that says the month, constraints. Parents of foreign keys first.
TABLES = {
    "audit_entries": ("id", {"pk_audit_entries": "PRIMARY KEY (seq, id)", "uq_audit_entries_id": "UNIQUE (id)"}),
    "audit_side": ("entry_id", {"pk_audit_side": "PRIMARY KEY (entry_id)"}),
    "transfer_events": ("at", {"pk_transfer_events": "PRIMARY KEY (seq, at)"}),
    "decisions": ("id", {"pk_decisions": "PRIMARY KEY (id)"}),
}
WHOLE = {
    "audit_entries": {"pk_audit_entries": "PRIMARY KEY (seq)", "uq_audit_entries_id": "UNIQUE (id)"},
    "audit_side": {"pk_audit_side": "PRIMARY KEY (entry_id)"},
    "transfer_events": {"pk_transfer_events": "PRIMARY KEY (seq)"},
    "decisions": {"pk_decisions": "PRIMARY KEY (id)"},
}
#: What hangs on a table, as statements that make it anew.
HANGS_ON = (
    (
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = :t "
        "AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = CAST(:t AS regclass))"
    ),
    (
        "SELECT format('ALTER TABLE %I ADD CONSTRAINT %I %s', CAST(:t AS text), conname, pg_get_constraintdef(oid)) "
        "FROM pg_constraint WHERE conrelid = CAST(:t AS regclass) AND contype = 'f' AND conparentid = 0"
    ),
    "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = CAST(:t AS regclass) AND NOT tgisinternal",
    (
        "SELECT format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', relname) FROM pg_class "
        "WHERE oid = CAST(:t AS regclass) AND relrowsecurity"
    ),
    (
        "SELECT format('CREATE POLICY %I ON %I AS %s FOR %s TO %s', policyname, tablename, permissive, cmd, "
        "(SELECT string_agg(quote_ident(r), ', ') FROM unnest(roles) r)) || coalesce(' USING (' || qual || ')', '') "
        "|| coalesce(' WITH CHECK (' || with_check || ')', '') FROM pg_policies "
        "WHERE schemaname = 'public' AND tablename = :t"
    ),
    (
        "SELECT format('GRANT %s ON %I TO %I', a.privilege_type, relname, pg_get_userbyid(a.grantee)) "
        "FROM pg_class, aclexplode(relacl) a "
        "WHERE pg_class.oid = CAST(:t AS regclass) AND a.grantee NOT IN (0, relowner)"
    ),
    (
        "SELECT format('GRANT %s (%I) ON %I TO %I', a.privilege_type, attname, relname, pg_get_userbyid(a.grantee)) "
        "FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid, aclexplode(attacl) a "
        "WHERE attrelid = CAST(:t AS regclass) AND a.grantee NOT IN (0, relowner)"
    ),
)
SEQUENCES = (
    "SELECT format('ALTER SEQUENCE %s OWNED BY %I.%I', pg_get_serial_sequence(relname, attname), relname, attname) "
    "FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE attrelid = CAST(:t AS regclass) AND attnum > 0 "
    "AND NOT attisdropped AND pg_get_serial_sequence(relname, attname) IS NOT NULL"
)
MAKE = """
CREATE FUNCTION amtsbruecke_make_months(until timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  made integer := 0; month timestamptz; hex text; bounds text[]; part text; grown record;
BEGIN
  FOR grown IN SELECT * FROM (VALUES {tables}) AS t (name, by_time) LOOP
    month := date_trunc('month', now());
    WHILE month <= until LOOP
      part := grown.name || to_char(month, '"_p"YYYY_MM');
      IF to_regclass('amtsbruecke_parts.' || part) IS NULL THEN
        bounds := ARRAY[month::text, (month + interval '1 month')::text];
        IF NOT grown.by_time THEN  -- UUIDv7: the first twelve digits are milliseconds
          SELECT array_agg(left(digits, 8) || '-' || right(digits, 4)) INTO bounds FROM (
            SELECT lpad(to_hex((extract(epoch FROM bound::timestamptz) * 1000)::bigint), 12, '0') AS digits
            FROM unnest(bounds) WITH ORDINALITY AS b (bound, place) ORDER BY place) AS both_ends;
        END IF;
        BEGIN
          EXECUTE format('CREATE TABLE amtsbruecke_parts.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
            part, grown.name, bounds[1], bounds[2]);
          made := made + 1;
        EXCEPTION WHEN check_violation THEN NULL;  -- its rows lie in the rest already, and stay there
        END;
      END IF;
      month := month + interval '1 month';
    END LOOP;
  END LOOP;
  RETURN made;
END $$
"""
DROP = """
CREATE FUNCTION amtsbruecke_drop_months(before timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  dropped integer := 0; part text; used boolean;
BEGIN
  FOR part IN SELECT relname FROM pg_class WHERE relnamespace = 'amtsbruecke_parts'::regnamespace AND relkind = 'r'
    AND relname ~ '_p[0-9]{{4}}_[0-9]{{2}}$' AND relname !~ '^audit_entries_'
    AND to_date(right(relname, 7), 'YYYY_MM') + interval '1 month' <= before
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM amtsbruecke_parts.%I)', part) INTO used;
    IF NOT used THEN
      EXECUTE format('LOCK TABLE amtsbruecke_parts.%I IN ACCESS EXCLUSIVE MODE', part);
      EXECUTE format('SELECT EXISTS (SELECT 1 FROM amtsbruecke_parts.%I)', part) INTO used;
      IF NOT used THEN
        EXECUTE format('DROP TABLE amtsbruecke_parts.%I', part);
        dropped := dropped + 1;
      END IF;
    END IF;
  END LOOP;
  RETURN dropped;
END $$
"""
FUNCTIONS = ("amtsbruecke_make_months(timestamptz)", "amtsbruecke_drop_months(timestamptz)")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(f"CREATE SCHEMA {PARTS}")
    _anew({name: constraints for name, (_, constraints) in TABLES.items()}, parted=True)
    tables = ", ".join(f"('{name}', {key == 'at'})" for name, (key, _) in TABLES.items())
    op.execute(sa.text(MAKE.replace("{tables}", tables).replace(":", "\\:")))
    op.execute(sa.text(DROP.format().replace(":", "\\:")))
    for function in FUNCTIONS:
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO amtsbruecke_eraser")
    op.execute("SELECT amtsbruecke_make_months(now() + interval '2 months')")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    _anew(WHOLE, parted=False)
    op.execute(f"DROP SCHEMA {PARTS}")


def _anew(constraints: Mapping[str, Mapping[str, str]], *, parted: bool) -> None:
    """Make the tables anew, in parts or whole, with their rows and all that hangs on them."""
    hung = {name: _told(name, *HANGS_ON) for name in TABLES}
    sequences = {name: _told(name, SEQUENCES) for name in TABLES}
    for name, (key, _) in TABLES.items():
        op.execute(f"ALTER TABLE {name} RENAME TO {name}_before")
        by = f" PARTITION BY RANGE ({key})" if parted else ""
        op.execute(f"CREATE TABLE {name} (LIKE {name}_before INCLUDING DEFAULTS){by}")
        if parted:
            op.execute(f"CREATE TABLE {PARTS}.{name}_rest PARTITION OF {name} DEFAULT")
        op.execute(f"INSERT INTO {name} SELECT * FROM {name}_before")  # noqa: S608 - fixed names
        for statement in sequences[name]:
            op.execute(statement)
    for name in reversed(TABLES):
        op.execute(f"DROP TABLE {name}_before")
    for name in TABLES:
        for constraint, definition in constraints[name].items():
            op.execute(f"ALTER TABLE {name} ADD CONSTRAINT {constraint} {definition}")
    for name in TABLES:
        for statement in hung[name]:
            op.execute(sa.text(statement.replace(" ON ONLY ", " ON ").replace(":", "\\:")))


def _told(table: str, *queries: str) -> list[str]:
    bind = op.get_bind()
    return [str(row[0]) for query in queries for row in bind.execute(sa.text(query), {"t": table})]
