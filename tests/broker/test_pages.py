"""Cursors: what an instance gets says nothing, and serves it alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.crypto import new_key
from broker.errors import ProblemError
from broker.keys import Keys, Secret
from broker.pages import MAX_CURSOR, opened_cursor, sealed_cursor

OLD, NEW = Secret("1", new_key()), Secret("2", new_key())
KEYS = Keys((NEW, OLD), (), (), ())
MINE = KEYS.cursor_keys("jobcenter-kreis-re:JOBCENTER", "transfers")
numbers = st.integers(min_value=0, max_value=MAX_CURSOR)


@given(numbers)
def test_a_cursor_is_read_again_after_the_keys_have_changed(number: int) -> None:
    """What was written under the old key goes on where it was; the same place has the same cursor."""
    before = Keys((OLD,), (), (), ()).cursor_keys("jobcenter-kreis-re:JOBCENTER", "transfers")

    assert opened_cursor(sealed_cursor(number, before), MINE) == number
    assert opened_cursor(sealed_cursor(number, MINE), MINE) == number
    assert sealed_cursor(number, MINE) == sealed_cursor(number, MINE)
    assert opened_cursor(None, MINE) == opened_cursor("", MINE) == 0


@given(numbers)
def test_a_cursor_serves_one_instance_in_one_list(number: int) -> None:
    """For another instance, or in another list, it is none that was given."""
    cursor = sealed_cursor(number, MINE)
    for instance, walked in (
        ("jugendamt-herten:JUGENDAMT_ASD", "transfers"),
        ("jobcenter-kreis-re:JOBCENTER", "notices"),
    ):
        with pytest.raises(ProblemError, match="invalid-request"):
            opened_cursor(cursor, KEYS.cursor_keys(instance, walked))


@given(st.text(max_size=40) | st.text("09AZ_-=", min_size=32, max_size=32))
def test_a_made_up_cursor_is_refused(text: str) -> None:
    """Nobody makes one, whatever it is made of."""
    if text:
        with pytest.raises(ProblemError, match="invalid-request"):
            opened_cursor(text, MINE)
