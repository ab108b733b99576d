"""The folder channel beyond the contract: making the places, tidying them, two processes at once."""

from __future__ import annotations

import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from adapters.base import DeliveryError
from schemas.identifiers import UnitCode
from tests.adapters.examples import TRANSFER, adapter, delivery, every_name, leave_quittung, visible

ASD = UnitCode.JUGENDAMT_ASD


def now(ahead: timedelta = timedelta()) -> datetime:
    """Return the time as the file system has it, or one ahead of it."""
    return datetime.now(UTC) + ahead


def test_prepare_makes_a_place_for_each_unit_and_may_be_repeated(tmp_path: Path) -> None:
    """Each unit gets its place with room for quittungen; what lies there already stays."""
    office = adapter("jugendamt", tmp_path)
    office.prepare()
    office.deliver(delivery(ASD))
    before = every_name(tmp_path)
    office.prepare()
    assert every_name(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {"asd", "beistand", "kita", "uvg", "wjh", ".uebergeben"}
    assert stat.S_IMODE((tmp_path / "asd").stat().st_mode) == 0o2770
    assert stat.S_IMODE((tmp_path / "asd/quittungen/fehler").stat().st_mode) == 0o2770
    assert stat.S_IMODE((tmp_path / ".uebergeben").stat().st_mode) == 0o700


def test_the_share_itself_is_never_made(tmp_path: Path) -> None:
    """An absent mount must not become a folder on the local disk."""
    with pytest.raises(DeliveryError) as caught:
        adapter("jugendamt", tmp_path / "mnt").prepare()
    assert (caught.value.retryable, caught.value.reason_code) == (True, "folder-missing")
    assert not (tmp_path / "mnt").exists()


def test_a_unit_sees_only_its_own_place(tmp_path: Path) -> None:
    """What is for the ASD lies with the ASD and nowhere else."""
    office = adapter("jugendamt", tmp_path)
    office.prepare()
    office.deliver(delivery(ASD))
    assert visible(tmp_path, "asd")
    assert not any(visible(tmp_path, place) for place in ("beistand", "kita", "uvg", "wjh"))


def test_a_transfer_that_moved_to_another_place_is_not_brought_twice(tmp_path: Path) -> None:
    """Settings may change between two attempts; the mark is the agency's, not the place's."""
    adapter("jugendamt", tmp_path).prepare()
    adapter("jugendamt", tmp_path).deliver(delivery(ASD))
    moved = adapter("jugendamt", tmp_path, targets={"JUGENDAMT_ASD": "asd-neu"})
    moved.prepare()
    done = moved.deliver(delivery(ASD))
    assert (done.repeated, done.reference) == (True, f"folder:asd/{TRANSFER}-1.xml")
    assert visible(tmp_path, "asd-neu") == {}


def test_of_many_at_once_one_brings_it(tmp_path: Path) -> None:
    """Two workers that both hold an old lease hand over once."""
    office = adapter("sozialamt", tmp_path)
    office.prepare()
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: office.deliver(delivery(UnitCode.WOHNGELDSTELLE)), range(8)))
    assert sorted(result.repeated for result in done) == [False] + [True] * 7
    assert len(visible(tmp_path, "wohngeld")) == 3


def test_tidy_deletes_what_an_interrupted_attempt_left(tmp_path: Path) -> None:
    """Readable data under a hidden name is gone after a day, with its mark, so that a later attempt brings it."""
    office = adapter("jugendamt", tmp_path)
    office.prepare()
    office.deliver(delivery(ASD))
    for name in visible(tmp_path, "asd"):
        (tmp_path / "asd" / name).rename(tmp_path / "asd" / f".{name}.teil")
    assert office.tidy(now(timedelta(hours=23))) == 0
    assert office.tidy(now(timedelta(hours=25))) == 2
    assert [name for name in every_name(tmp_path / "asd") if not name.startswith("quittungen")] == []
    assert not office.deliver(delivery(ASD)).repeated
    assert len(visible(tmp_path, "asd")) == 2


def test_tidy_leaves_messages_and_forgets_marks(tmp_path: Path) -> None:
    """What the office has not taken is its own; a mark goes when message ids go."""
    office = adapter("jugendamt", tmp_path)
    office.prepare()
    office.deliver(delivery(ASD))
    assert office.tidy(now(timedelta(days=89))) == 0
    assert office.tidy(now(timedelta(days=91))) == 1
    assert not (tmp_path / ".uebergeben" / TRANSFER).exists()
    assert len(visible(tmp_path, "asd")) == 2


def test_tidy_deletes_settled_quittungen_and_keeps_refused_ones(tmp_path: Path) -> None:
    """Settled ones are personal data without a task; refused ones wait for somebody to look."""
    office = adapter("jugendamt", tmp_path)
    office.prepare()
    leave_quittung(tmp_path / "asd", "a.xml", b"<gut/>")
    leave_quittung(tmp_path / "asd", "b.xml", b"<schlecht/>")
    good, bad = office.collect(now())
    good.acknowledge()
    bad.refuse("schema-violation")
    assert office.tidy(now(timedelta(days=13))) == 0
    assert office.tidy(now(timedelta(days=15))) == 1
    left = {path.name for path in (tmp_path / "asd/quittungen").rglob("*.*")}
    assert left == {"b.xml", "b.xml.grund.txt"}


def test_what_a_power_cut_may_not_lose_is_synced_first(tmp_path: Path) -> None:
    """Files, then their folder, then the mark, then the names: each on disk before the next step relies on it."""
    office = adapter("sozialamt", tmp_path)
    office.prepare()
    calls: list[str] = []

    def note(_: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ in {"write", "fsync", "rename"}:
            calls.append(called.__name__)

    sys.setprofile(note)
    try:
        office.deliver(delivery(UnitCode.WOHNGELDSTELLE))
    finally:
        sys.setprofile(None)
    files = ["write", "fsync"] * 3 + ["fsync"]
    mark = ["write", "fsync", "rename", "fsync"]
    assert calls == [*files, *mark, "rename", "rename", "rename", "fsync"]
