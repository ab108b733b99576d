"""Many rows with one statement: as any other insert would have written them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from broker.bulk import insert_all, insert_rows
from broker.transfers.models import DecisionRow, Submission
from tests.flow.world import Kreis

NOON = datetime(2026, 3, 16, 12, 0, 0, 123456, tzinfo=UTC)


def decision(number: int, kind: str | None) -> dict[str, Any]:
    """Return a row with every kind of column that the hot path writes."""
    return {
        "id": f"d-{number}",
        "transfer_id": "t",
        "occasion": "submit",
        "sender": "a:B",
        "recipient": "a:C",
        "at": NOON,
        "day": date(2026, 3, 16),
        "outcome": "DENY",
        "kind": kind,
        "code": "Ä“",
        "catalogue": "0" * 64,
        "engine_version": "1",
        "detail": {"text": '§ 67d\n\t"ß" \u2028 😀'},
        "facts": {"a": [1, None, True]},
    }


def submission(number: int) -> dict[str, Any]:
    """Return a row of another table."""
    return {
        "sender": "a:B",
        "message_id": f"m-{number}",
        "digest": "",
        "at": NOON,
        "status": 202,
        "body": {"n": number},
    }


async def test_rows_come_back_as_those_of_an_ordinary_insert(kreis: Kreis) -> None:
    """Moments, days, JSON, missing values and umlauts are kept exactly as SQLAlchemy's own insert keeps them."""
    async with kreis.gateway.db.writing() as connection:
        await insert_all(
            connection,
            (Submission, [submission(n) for n in range(3)]),
            (DecisionRow, [decision(1, "gap"), decision(2, None)]),
        )
        await connection.execute(insert(DecisionRow), [decision(3, "gap"), decision(4, None)])
    async with kreis.gateway.db.reading() as connection:
        found = (await connection.execute(select(DecisionRow).order_by(DecisionRow.id))).all()
        bodies = await connection.scalars(select(Submission.body).order_by(Submission.message_id))
    rows = [{key: value for key, value in row._mapping.items() if key != "id"} for row in found]
    assert rows[:2] == rows[2:]
    assert rows[0] == {key: value for key, value in decision(1, "gap").items() if key != "id"}
    assert list(bodies) == [{"n": 0}, {"n": 1}, {"n": 2}]


async def test_one_bad_row_leaves_nothing_of_the_statement(kreis: Kreis) -> None:
    """A key that is there already refuses all rows, with the error that callers know."""
    async with kreis.gateway.db.writing() as connection:
        await insert_rows(connection, Submission, [submission(1)])
    with pytest.raises(IntegrityError):
        async with kreis.gateway.db.writing() as connection:
            await insert_all(connection, (DecisionRow, [decision(1, None)]), (Submission, [submission(1)]))
    async with kreis.gateway.db.reading() as connection:
        assert (await connection.execute(select(DecisionRow))).all() == []


async def test_no_rows_are_no_statement(kreis: Kreis) -> None:
    """An empty collection is passed over."""
    async with kreis.gateway.db.reading() as connection:
        await insert_all(connection, (Submission, []), (DecisionRow, []))


async def test_rows_whose_key_is_there_are_passed_over(kreis: Kreis) -> None:
    """Of rows with a key that is there, or that comes twice, the first stays as it is; the others are written."""
    first, twice = submission(1), submission(2)
    async with kreis.gateway.db.writing() as connection:
        await insert_rows(connection, Submission, [first])
        again = [first | {"digest": "0" * 64}, twice, twice | {"digest": "1" * 64}]
        await insert_rows(connection, Submission, again, passing_over=True)
    async with kreis.gateway.db.reading() as connection:
        kept = (await connection.execute(select(Submission.digest).order_by(Submission.message_id))).scalars().all()

    assert sorted(kept) == sorted([first["digest"], twice["digest"]])
