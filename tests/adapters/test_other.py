"""Agencies of other kinds: inbox only."""

from __future__ import annotations

import pytest

from adapters.registry import adapter_for
from adapters.settings import AdapterSettingsError
from schemas.identifiers import UnitCode
from tests.adapters.contract import AdapterContract


class TestOtherInbox(AdapterContract):
    """The contract for agencies of § 35 SGB I that are none of the three."""

    kind = "other"
    unit = UnitCode.BAFOEG_AMT


class TestOutsideInbox(AdapterContract):
    """The contract for agencies outside § 35 SGB I."""

    kind = "outside-35-sgb1"
    unit = UnitCode.BAFOEG_AMT


@pytest.mark.parametrize("kind", ["other", "outside-35-sgb1"])
def test_nothing_is_dropped_into_a_folder_of_theirs(kind: str) -> None:
    """Only the three kinds have a dialect for folders."""
    with pytest.raises(AdapterSettingsError) as caught:
        adapter_for(kind, [UnitCode.BAFOEG_AMT], {"channel": "folder", "path": "/srv/bafoeg"})
    assert caught.value.field == "channel"
