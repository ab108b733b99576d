"""Which key seals is what all processes can agree on: what is on record for now, and lies here as it is on record."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.config import Settings
from broker.errors import ProblemError
from broker.health import NotReady, keys_loaded, sealing_key_in_force
from broker.key_watch import MISSING, OLD, KeyWatch, choose, stale_after
from broker.keys import SEALING, Keys, Secret, key_file
from broker.sealing_keys import rotate
from tests.world import START, MovableClock, fresh_gateway

SECRETS = tuple(Secret(str(number), bytes([number]) * 32) for number in range(5, 0, -1))
HOURS = st.integers(min_value=-500, max_value=500)


def row(secret: Secret, used_from: datetime, *, deleted: bool = False, other: bool = False) -> SimpleNamespace:
    """Return what is on record of a key."""
    value = "other" if other else secret.check_value(SEALING)
    return SimpleNamespace(kid=secret.kid, value=value, used_from=used_from, deleted_at=START if deleted else None)


@given(
    st.lists(st.tuples(HOURS, st.booleans(), st.booleans(), st.booleans()), min_size=5, max_size=5),
)
def test_only_a_key_that_all_can_know_of_seals(given: list[tuple[int, bool, bool, bool]]) -> None:
    """Never one that is for later, was deleted, is another than on record, or of which nothing is on record."""
    rows = [
        row(secret, START + timedelta(hours=hours), deleted=deleted, other=other)
        for secret, (hours, deleted, other, recorded) in zip(SECRETS, given, strict=True)
        if recorded
    ]
    keys = Keys((), (), (), ())
    choose(keys, SECRETS, rows, Settings(), START)
    begun = [one for one in rows if one.used_from <= START]
    fit = [one.kid for one in begun if one.deleted_at is None and one.value != "other"]

    assert keys.seals_with == (fit[0] if fit else None)
    assert not begun or keys.seals <= bool(fit)
    assert all(one.kid not in {secret.kid for secret in keys.sealing} for one in rows if one.value == "other")
    assert (keys.sealing_fault == MISSING) == bool(begun and keys.seals_with != begun[0].kid)


async def test_a_machine_without_the_key_of_the_period_says_so_and_stops_in_time(data_dir: Path) -> None:
    """It seals on under the key before for half the time in which that one is not deleted yet, and then no more."""
    clock = MovableClock()
    async with fresh_gateway(data_dir, clock) as gateway:
        await rotate(gateway, "operator:*", timedelta())
        key_file(gateway.settings.keys_dir, SEALING, "2").unlink()
        watch = KeyWatch(gateway)
        await watch.look()
        first = gateway.keys.sealing_key("a:X")[0]
        with pytest.raises(NotReady, match=MISSING):
            await sealing_key_in_force(gateway)
        await keys_loaded(gateway)
        clock.now += stale_after(gateway.settings)
        await watch.look()
        with pytest.raises(ProblemError, match="Rechner"):
            gateway.keys.sealing_key("a:X")
        with pytest.raises(NotReady, match="keys-missing"):
            await keys_loaded(gateway)
        still = gateway.keys.sealing_key("a:X", "1")[0]

    assert (first, still) == ("1", "1")


async def test_a_key_that_nobody_replaces_is_told_of(data_dir: Path) -> None:
    """Two periods without a new key, and readiness warns; a new one ends it."""
    clock = MovableClock()
    async with fresh_gateway(data_dir, clock) as gateway:
        watch = KeyWatch(gateway)
        clock.move(hours=48)
        await watch.look()
        before = gateway.keys.sealing_fault
        clock.move(hours=1)
        await watch.look()
        warned = gateway.keys.sealing_fault
        await rotate(gateway, "operator:*", timedelta())
        await watch.look()

        assert (before, warned, gateway.keys.sealing_fault) == (None, OLD, None)


async def test_files_are_read_when_their_names_change_and_at_no_other_time(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look on an unchanged folder opens no file; a new one is there at the next look."""
    read: list[Path] = []
    whole = Path.read_text

    def counted(path: Path, *given: str) -> str:
        read.append(path)
        return whole(path, *given)

    async with fresh_gateway(data_dir) as gateway:
        watch = KeyWatch(gateway)
        await watch.look()
        monkeypatch.setattr(Path, "read_text", counted)
        for _ in range(3):
            await watch.look()
        idle = len(read)
        await rotate(gateway, "operator:*", timedelta())
        read.clear()
        await watch.look()

        assert idle == 0
        assert len(read) == 2
        assert gateway.keys.sealing_key("a:X")[0] == "2"
