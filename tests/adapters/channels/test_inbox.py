"""The inbox channel: nothing is brought."""

from __future__ import annotations

import pytest

from adapters.base import DeliveryError
from adapters.registry import DIALECTS
from schemas.identifiers import UnitCode
from tests.adapters.examples import adapter, delivery


def test_it_does_not_push() -> None:
    """The broker can ask, and need not try."""
    assert not any(adapter(kind, None).pushes for kind in DIALECTS)


def test_bringing_is_refused_for_good() -> None:
    """A message of an office that fetches stays sealed until it does."""
    with pytest.raises(DeliveryError) as caught:
        adapter("jobcenter", None).deliver(delivery(UnitCode.JOBCENTER))
    assert (caught.value.retryable, caught.value.reason_code) == (False, "channel-does-not-push")
