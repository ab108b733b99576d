"""The states of a transfer and the one table of its transitions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a transfer is. `docs/states.md` shows the table as a picture."""

    ACCEPTED = "accepted"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    HANDING_OVER = "handing_over"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    PROCESSED = "processed"
    REJECTED = "rejected"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"
    RECALLED = "recalled"
    EXPIRED = "expired"
    DEAD = "dead"
    DISCARDED = "discarded"


_ENDS_BEFORE_HANDOVER = frozenset({State.WITHDRAWN, State.RECALLED, State.RETURNED, State.EXPIRED})
_ANSWERS = frozenset({State.ACKNOWLEDGED, State.PROCESSED, State.REJECTED})

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.ACCEPTED: frozenset({State.PUBLISHING}) | _ENDS_BEFORE_HANDOVER,
    State.PUBLISHING: frozenset({State.PUBLISHED, State.ACCEPTED}) | _ENDS_BEFORE_HANDOVER,
    State.PUBLISHED: frozenset({State.HANDING_OVER, State.DEAD}) | _ENDS_BEFORE_HANDOVER,
    State.HANDING_OVER: frozenset({State.DELIVERED, State.DEAD, State.EXPIRED, State.RETURNED}) | _ANSWERS,
    State.DELIVERED: frozenset({State.EXPIRED}) | _ANSWERS,
    State.ACKNOWLEDGED: frozenset({State.PROCESSED, State.REJECTED}),
    State.DEAD: frozenset({State.PUBLISHED, State.DISCARDED, State.EXPIRED, State.WITHDRAWN, State.RECALLED}),
    State.PROCESSED: frozenset(),
    State.REJECTED: frozenset(),
    State.RETURNED: frozenset(),
    State.WITHDRAWN: frozenset(),
    State.RECALLED: frozenset(),
    State.EXPIRED: frozenset(),
    State.DISCARDED: frozenset(),
}

#: Nothing has left the broker yet: withdrawal and recall end the transfer.
BEFORE_HANDOVER = frozenset({State.ACCEPTED, State.PUBLISHING, State.PUBLISHED})

#: Withdrawal and recall end these. A dead letter may have been handed over before it died.
CAN_BE_STOPPED = BEFORE_HANDOVER | {State.DEAD}

#: The content key is deleted on entering one of these.
KEY_ENDS = _ENDS_BEFORE_HANDOVER | _ANSWERS | {State.DISCARDED}

ENDS = frozenset(state for state, following in TRANSITIONS.items() if not following)


def sources(target: State) -> frozenset[State]:
    """Return the states from which `target` may be entered."""
    return frozenset(state for state, following in TRANSITIONS.items() if target in following)
