"""The table of transitions, and its picture in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.lifecycle.states import BEFORE_HANDOVER, ENDS, KEY_ENDS, TRANSITIONS, State, sources

DOC = Path(__file__).resolve().parents[3] / "docs" / "states.md"


def picture() -> str:
    """Draw the table as the docs show it (Mermaid)."""
    arrows = [
        f"    {state.value} --> {target.value}" for state in State for target in State if target in TRANSITIONS[state]
    ]
    ends = [f"    {state.value} --> [*]" for state in State if state in ENDS]
    return "\n".join(["stateDiagram-v2", "    [*] --> accepted", *arrows, *ends])


def test_docs_show_the_table_of_the_code() -> None:
    """The picture in docs/states.md is the table, arrow for arrow."""
    assert picture() in DOC.read_text(encoding="utf-8")


def test_every_state_has_its_row() -> None:
    """No state is missing from the table, and every target is a state."""
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_reached_and_left(state: State) -> None:
    """Each state is entered from somewhere, and each that is no end leads to an end."""
    seen, todo = set(), [state]
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += TRANSITIONS[here]

    assert state is State.ACCEPTED or sources(state)
    assert seen & ENDS


def test_nothing_goes_back_behind_the_handing_over() -> None:
    """From the point of no return no way leads back to a state before it, but from `dead` by a human's retry."""
    behind = set(State) - BEFORE_HANDOVER - {State.DEAD}

    assert not any(TRANSITIONS[state] & BEFORE_HANDOVER for state in behind)


def test_every_end_deletes_the_key() -> None:
    """A transfer that has ended has no content key."""
    assert ENDS <= KEY_ENDS
