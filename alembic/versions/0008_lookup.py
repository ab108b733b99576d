"""Whom a transfer is about: one row for deciding again, and narrow rows under which a stop finds it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

BITS = 64
DIGITS = 16


def upgrade() -> None:
    kept = op.get_bind().execute(sa.text("SELECT * FROM transfer_subjects ORDER BY transfer_id, person")).all()
    op.drop_table("transfer_subjects")
    _subjects()
    _lookup()
    grouped: dict[str, list[Any]] = defaultdict(list)
    for row in kept:
        grouped[row.transfer_id].append(row)
    for transfer_id, rows in grouped.items():
        _take_over(transfer_id, rows)


def downgrade() -> None:
    kept = op.get_bind().execute(sa.text("SELECT * FROM transfer_subjects")).all()
    op.drop_table("transfer_lookup")
    op.drop_table("transfer_subjects")
    _one_row_a_key()
    for row in kept:
        _give_back(row.transfer_id, _loaded(row.persons), _loaded(row.cases))


def _subjects() -> None:
    op.create_table(
        "transfer_subjects",
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("persons", sa.JSON(), nullable=False),
        sa.Column("cases", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.id"], name=op.f("fk_transfer_subjects_transfer_id_transfers")
        ),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_transfer_subjects")),
    )


def _lookup() -> None:
    op.create_table(
        "transfer_lookup",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("key", "transfer_id", name=op.f("pk_transfer_lookup")),
    )


def _one_row_a_key() -> None:
    op.create_table(
        "transfer_subjects",
        sa.Column("transfer_id", sa.String(length=36), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=96), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("sort", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.id"], name=op.f("fk_transfer_subjects_transfer_id_transfers")
        ),
        sa.PrimaryKeyConstraint("transfer_id", "person", "key", name=op.f("pk_transfer_subjects")),
    )
    op.create_index(op.f("ix_transfer_subjects_key"), "transfer_subjects", ["key"], unique=False)


def _take_over(transfer_id: str, rows: list[Any]) -> None:
    found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: {"exact": [], "near": []})
    cases = {row.owner: row.key for row in rows if row.sort == "case"}
    for row in rows:
        if row.sort != "case":
            found[row.person, row.owner][row.sort].append(row.key)
    persons = [[person, owner, keys["exact"], keys["near"]] for (person, owner), keys in found.items()]
    subject = sa.text("INSERT INTO transfer_subjects VALUES (:id, :persons, :cases)").bindparams(
        sa.bindparam("persons", type_=sa.JSON()), sa.bindparam("cases", type_=sa.JSON())
    )
    op.get_bind().execute(subject, {"id": transfer_id, "persons": persons, "cases": cases})
    for key in {_short(row.key) for row in rows}:
        lookup = sa.text("INSERT INTO transfer_lookup (key, transfer_id) VALUES (:key, :id)")
        op.get_bind().execute(lookup, {"key": key, "id": transfer_id})


def _give_back(transfer_id: str, persons: list[Any], cases: dict[str, str]) -> None:
    rows = [
        (person, key, owner, sort)
        for person, owner, exact, near in persons
        for sort, keys in (("exact", exact), ("near", near))
        for key in keys
    ]
    insert = sa.text("INSERT INTO transfer_subjects VALUES (:id, :person, :key, :owner, :sort)")
    for person, key, owner, sort in rows + [("", key, owner, "case") for owner, key in cases.items()]:
        values = {"id": transfer_id, "person": person, "key": key, "owner": owner, "sort": sort}
        op.get_bind().execute(insert, values)


def _loaded(stored: Any) -> Any:  # noqa: ANN401 - JSON, which SQLite gives as text
    return json.loads(stored) if isinstance(stored, str) else stored


def _short(key: str) -> int:
    """Return the first 64 bits of a key's hash, signed."""
    bits = int(key.rpartition(":")[2][:DIGITS], 16)
    return bits - (1 << BITS) if bits >> (BITS - 1) else bits
