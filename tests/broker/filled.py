"""Tables of PostgreSQL filled with enough rows that the planner has a choice, by the database itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.db import Moment
from broker.tables import METADATA
from consent.facts_json import facts_text
from tests.consent.samples import facts

MANY = 20_000
FEW = 300
"""So many are in the middle of something: waiting, leased, dead, not sealed."""
ID = "lpad({n}::text, 36, '0')"

#: Column → expression over the number `n` of the row, in every table that has it.
COLUMNS = {
    "id": ID,
    "transfer_id": ID,
    "decision_id": ID,
    "consent_id": ID,
    "stop_id": ID,
    "ersuchen_id": ID,
    "entry_id": ID,
    "procedure_id": ID,
    "attempt_id": ID,
    "record_id": ID,
    "reference": ID,
    "seq": "{n}",
    "position": "{n}",
    "index": "{n}",
    "number": "{n}",
    "size": "{n}",
    "message_id": "'message-' || {n}",
    "kennung": "'own-' || {n}",
    "sender": "'agency-' || {n} % 200 || ':UNIT'",
    "recipient": "'agency-' || {n} * 7 % 200 || ':UNIT'",
    "agency": "'agency-' || {n} * 7 % 200",
    "controller": "'agency-' || {n} % 200 || ':UNIT'",
    "recorded_by": "'agency-' || {n} % 200 || ':UNIT'",
    "requester": "'agency-' || {n} % 200 || ':UNIT'",
    "addressee": "'agency-' || {n} * 7 % 200 || ':UNIT'",
    "order_key": "'case-' || {n} / 3",
    "bound": "'agency-' || {n} * 7 % 200 || ':UNIT'",
    "key": "'case-' || {n} / 3",
    "topic": "'topic-' || {n} % 200",
    "partition": "{n} % 8",
    "pseudonym": "'1:' || md5({n}::text)",
    "case_key": "'1:case' || {n}",
    "near": "'1:near' || {n}",
    "client_id": "'client-' || {n} % 500",
    "jti": "'jti-' || {n}",
    "leaf": "decode(md5({n}::text), 'hex')",
    "given_by": "'betroffene Person'",
    "form": "'schriftlich'",
    "purpose": "'RECHTSKREISWECHSEL'",
    "route": "'agency-' || {n} % 200 || ':UNIT>agency-' || {n} * 7 % 200 || ':UNIT>RECHTSKREISWECHSEL'",
    "day": "date '2023-04-01' + {n} / 20",
    "kind": "'PERMIT'",
    "level": "0",
    "state": "CASE WHEN {n} % 60 = 0 THEN 'published' WHEN {n} % 60 = 1 THEN 'dead' WHEN {n} % 60 = 2 THEN 'accepted' "
    "WHEN {n} % 60 = 3 THEN 'delivered' ELSE 'processed' END",
    "event": "CASE {n} % 40 WHEN 0 THEN 'consent.recorded' WHEN 1 THEN 'audit.read' ELSE 'transfer.state' END",
    "leased_until": "NULL",
    "way": "NULL",
    "sealed": "CASE WHEN {n} % 60 < 4 THEN '\\x01'::bytea ELSE '\\x'::bytea END",
    "acknowledged_at": "CASE WHEN {n} % 60 = 0 THEN NULL ELSE now() END",
    "granted": "date '2024-01-01' + {n} % 900",
    "refused": "CASE WHEN {n} % 50 = 0 THEN date '2024-01-01' + {n} % 900 END",
    "valid_until": "date '2025-01-01' + {n} % 900",
}
#: Table → how many rows, where not many; and columns of it that are otherwise.
ROWS = {"audit_pending": FEW, "notices": 5_000, "transfer_keys": 600}
OWN = {
    ("transfer_lookup", "key"): "{n}",
    ("transfer_keys", "transfer_id"): "lpad(({n} * 10)::text, 36, '0')",
    ("outbox", "id"): "{n}",
    ("audit_pending", "seq"): "{n} + 19700",
    ("duties", "due"): "date '2023-05-01' + {n} % 1300",
    ("duties", "done_on"): "CASE WHEN {n} % 60 < 4 THEN NULL ELSE date '2025-01-01' END",
    ("decisions", "detail"): """'{{"references": {{"consents": [], "ersuchen": null}}}}'::json""",
    ("decisions", "facts"): "'" + facts_text(facts()).decode().replace("{", "{{").replace("}", "}}") + "'::json",
    ("transfer_subjects", "persons"): "'[]'::json",
    ("attempts", "way"): "'SCHRIFTLICH'",
    ("attempt_outcomes", "outcome"): "'VERWEIGERT'",
    ("procedures", "kind"): "'ABRUF'",
    ("procedure_steps", "step"): "'APPROVED'",
    ("stops", "kind"): "'WIDERSPRUCH_ART21'",
    ("quittungen", "sender"): "'agency-' || {n} * 7 % 200 || ':UNIT'",
}
#: They do not grow with the traffic.
SMALL = {
    "agencies", "agency_channels", "audit_sealer", "branches", "catalogue_days", "catalogues", "client_keys", "clients",
    "embedded_positions", "embedded_records", "encryption_keys", "erasure_horizons", "instances", "key_checks",
    "outbox_leases", "outbox_relays",
}  # fmt: skip
#: They hold what is in flight alone: whoever looks for what is left over there may read them all.
IN_FLIGHT = {"outbox", "transfer_keys"}
GROWING = frozenset(set(METADATA.tables) - SMALL)


async def fill(connection: AsyncConnection) -> None:
    """Fill all growing tables; foreign keys and triggers are not asked."""
    await connection.exec_driver_sql("SET session_replication_role = replica")
    for table in METADATA.sorted_tables:
        if table.name in GROWING:
            await connection.exec_driver_sql(_filling(table))
    await connection.exec_driver_sql("SET session_replication_role = origin")


def _filling(table: Table) -> str:
    columns = list(table.columns)
    names = ", ".join(f'"{column.name}"' for column in columns)
    values = ", ".join(_value(table, column) for column in columns)
    many = ROWS.get(table.name, MANY)
    return f'INSERT INTO "{table.name}" ({names}) SELECT {values} FROM generate_series(1, {many}) AS n'  # noqa: S608 - names of our own models


def _value(table: Table, column: Column[Any]) -> str:
    found = OWN.get((table.name, column.name), COLUMNS.get(column.name))
    return found.format(n="n") if found is not None else _usual(column)


def _usual(column: Column[Any]) -> str:
    """Return a value of the column's type; moments lie in the last three years, oldest first."""
    kind = "datetime" if isinstance(column.type, Moment) else column.type.python_type.__name__
    if kind == "str":
        length = getattr(column.type, "length", None) or 16
        return f"left(md5(n::text), {min(length, 16)})"
    return {
        "datetime": "timestamptz '2023-04-01' + n * interval '77 minutes'",
        "date": "date '2024-01-01' + n % 900",
        "int": "n % 1000",
        "bool": "false",
        "bytes": "'\\x00'::bytea",
        "object": "'{}'::json",
    }[kind]
