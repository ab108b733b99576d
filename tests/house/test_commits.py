"""Only broker/db.py commits: a decision, its audit entry and its outbox row stand or fall together."""

from __future__ import annotations

import ast

import pytest

from tests.house.source import ROOT, called_methods, python_files

#: The one place that may end a transaction.
COMMITS = "broker/db.py"
#: ``begin()`` of a session or connection commits when its block ends; ``begin_nested()`` is a savepoint and does not.
ENDS_A_TRANSACTION = {"commit", "begin", "autocommit"}
#: Whose ``commit`` is about positions in a topic, not about rows.
READS_A_TOPIC = ("consumer", "subscription")


def commits(source: str) -> list[int]:
    """Return the lines that end a database transaction; the positions of a reader of a topic are none."""
    return [
        line
        for receiver, method, line in called_methods(ast.parse(source))
        if method in ENDS_A_TRANSACTION and not receiver.endswith(READS_A_TOPIC)
    ]


def test_only_the_database_module_commits() -> None:
    """Nothing in broker/ but broker/db.py ends a transaction."""
    files = {path.relative_to(ROOT).as_posix(): path for path in python_files("broker")}
    found = {name: commits(path.read_text(encoding="utf-8")) for name, path in files.items() if name != COMMITS}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_database_module_does_commit() -> None:
    """The exception is used: a broker/db.py that commits nothing would mean that the rule looks at the wrong file."""
    assert commits((ROOT / COMMITS).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("await session.commit()", [1]),
        ("\nself.db.session().commit()", [2]),
        ("async with engine.begin() as connection:\n    pass", [1]),
        ("async with session.begin_nested():\n    pass", []),
        ("await self._consumer.commit(offsets)", []),
        ("await subscription.commit(consumed)", []),
    ],
)
async def test_the_rule_sees_each_way_to_commit(source: str, lines: list[int]) -> None:
    """A commit is seen by its name; savepoints and consumed offsets are none."""
    wrapped = "async def f():\n" + "".join(f"    {line}\n" for line in source.splitlines())
    assert commits(wrapped) == [line + 1 for line in lines]
