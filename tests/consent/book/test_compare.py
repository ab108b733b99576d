"""What differs between two catalogues, row by row and field by field."""

from __future__ import annotations

from datetime import date

from consent.book.compare import difference
from consent.book.entries import chosen, entries_of
from consent.catalogue import Catalogue, read_catalogue
from tests.broker.law.variants import files_with

CLOSED = 'code = "VOLLJAEHRIG_ALTER"\nname = "Volljährigkeit"\nvalue = 18\n'
FOLLOWER = """
[[parameter]]
code = "VOLLJAEHRIG_ALTER"
name = "Volljährigkeit"
value = 21
text = "Volljährig ist, wer {wert} Jahre alt ist."
valid_from = 2027-01-01
norms = ["BGB § 2"]
source = "Probe"
checked_on = 2026-11-22
grade = "K"
"""


def other(**changes: str) -> Catalogue:
    """Return the shipped catalogue with the majority at 21 from 2027 on, or with other texts of the parameters."""
    given = changes or {CLOSED: CLOSED + "valid_to = 2026-12-31\n"}
    files = files_with({("parameters.toml", old): new for old, new in given.items()})
    if not changes:
        files["parameters.toml"] += FOLLOWER.encode()
    return read_catalogue(files)


def test_a_catalogue_does_not_differ_from_itself(catalogue: Catalogue) -> None:
    """Nothing is added, removed or changed."""
    assert not difference(entries_of(catalogue), entries_of(catalogue))


def test_a_row_that_was_closed_and_followed_is_two(catalogue: Catalogue) -> None:
    """Between two catalogues: the old row ends, and a new one is there."""
    found = difference(entries_of(catalogue), entries_of(other()))

    [(closed, [change])] = found.changed
    assert [entry.id for entry in found.added] == ["parameter.VOLLJAEHRIG_ALTER.2027-01-01"]
    assert found.removed == ()
    assert closed.id == "parameter.VOLLJAEHRIG_ALTER.2018-05-25"
    assert (change.label, change.before, change.after) == (
        "gilt", "seit 25.05.2018", "seit 25.05.2018 bis 31.12.2026",
    )  # fmt: skip


def test_between_two_days_a_row_is_compared_with_its_successor() -> None:
    """Between two days of one catalogue: the figure was 18 and is 21."""
    entries = entries_of(other())
    before, after = chosen(entries, on=date(2026, 12, 31)), chosen(entries, on=date(2027, 1, 1))
    found = difference(before, after, of_days=True)

    [(_, changes)] = found.changed
    assert (found.added, found.removed) == ((), ())
    assert {change.label: (change.before, change.after) for change in changes}["Wert"] == ("18", "21")


def test_the_other_way_round_says_the_opposite(catalogue: Catalogue) -> None:
    """What was added one way was removed the other way; what was said before is said after."""
    there, back = (difference(*pair) for pair in ((entries_of(catalogue), entries_of(other())),) * 1), None
    [one] = list(there)
    back = difference(entries_of(other()), entries_of(catalogue))

    assert [entry.id for entry in back.removed] == [entry.id for entry in one.added]
    [(_, [change])], [(_, [reverse])] = one.changed, back.changed
    assert (change.before, change.after) == (reverse.after, reverse.before)
