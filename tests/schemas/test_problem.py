"""Problems have the members of RFC 9457 and no others by accident."""

from __future__ import annotations

import pytest

from schemas.errors import Violation
from schemas.problem import Problem, errors_of


def test_members_that_are_not_set_are_left_out() -> None:
    """A bare problem has type, title and status."""
    assert Problem("/problems/x", "X", 422).to_dict() == {"type": "/problems/x", "title": "X", "status": 422}


def test_all_members_are_written() -> None:
    """Detail, instance, errors and further members stand beside the three."""
    errors = errors_of([Violation("/a", "AB-X", "Text", 3), Violation("/b", "AB-Y", "Text")])
    problem = Problem("/problems/x", "X", 422, "D", "/v1/transfers/1", errors, {"allowed": ["a"]})
    assert problem.to_dict() == {
        "type": "/problems/x",
        "title": "X",
        "status": 422,
        "detail": "D",
        "instance": "/v1/transfers/1",
        "errors": [
            {"path": "/a", "rule": "AB-X", "text": "Text", "line": 3},
            {"path": "/b", "rule": "AB-Y", "text": "Text"},
        ],
        "allowed": ["a"],
    }


def test_a_further_member_hides_no_standard_one() -> None:
    """Nobody can slip another status past the table."""
    with pytest.raises(ValueError, match="status"):
        Problem("/problems/x", "X", 422, extra={"status": 200})
