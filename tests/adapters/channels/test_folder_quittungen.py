"""Quittungen in a folder: which are picked up, what becomes of them, and that their names stay there."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.base import AgencyAdapter, DeliveryError, ReceivedQuittung
from adapters.channels import folder_quittungen
from schemas.identifiers import UnitCode
from tests.adapters.examples import MARKER, NOON, adapter, leave_quittung


@pytest.fixture
def office(tmp_path: Path) -> AgencyAdapter:
    """Return a Sozialamt with its places."""
    made = adapter("sozialamt", tmp_path, quittung_max_bytes=100)
    made.prepare()
    return made


@pytest.fixture
def place(office: AgencyAdapter, tmp_path: Path) -> Path:  # noqa: ARG001 - the place exists once the office does
    """Return the place of the Wohngeldstelle."""
    return tmp_path / "wohngeld"


def collect(office: AgencyAdapter) -> list[ReceivedQuittung]:
    """Collect at noon."""
    return list(office.collect(NOON))


def test_they_come_in_a_stable_order_with_the_units_of_their_place(
    office: AgencyAdapter, place: Path, tmp_path: Path
) -> None:
    """By place and name, each with whose place it was: nobody can sign for another unit."""
    leave_quittung(place, "b.xml", b"<b/>")
    leave_quittung(place, "a.XML", b"<a/>")
    leave_quittung(tmp_path / "asylblg", "z.xml", b"<z/>")
    first = collect(office)
    assert [quittung.content for quittung in first] == [b"<z/>", b"<a/>", b"<b/>"]
    assert [quittung.units for quittung in first] == [
        {UnitCode.SOZIALAMT_ASYLBLG}, {UnitCode.WOHNGELDSTELLE}, {UnitCode.WOHNGELDSTELLE},
    ]  # fmt: skip
    assert [quittung.reference for quittung in collect(office)] == [quittung.reference for quittung in first]


@pytest.mark.parametrize("name", [".a.xml", "~a.xml", "#a.xml", "a.xml.tmp", "a.xml.part", "a.txt", "a"])
def test_temporary_and_other_names_are_left_alone(office: AgencyAdapter, place: Path, name: str) -> None:
    """What the office is still writing, or keeps there for itself, is not touched."""
    path = leave_quittung(place, name, b"<a/>")
    assert collect(office) == []
    assert path.exists()


def test_what_is_still_being_written_waits(office: AgencyAdapter, place: Path) -> None:
    """Not every software writes under a temporary name: five quiet seconds count as finished, a wrong clock as well."""
    leave_quittung(place, "a.xml", b"<a/>", ago=timedelta(seconds=4))
    leave_quittung(place, "b.xml", b"<b/>", ago=timedelta(seconds=5))
    leave_quittung(place, "c.xml", b"<c/>", ago=timedelta(hours=-2))
    assert [quittung.content for quittung in collect(office)] == [b"<b/>", b"<c/>"]


def test_links_pipes_and_folders_are_no_quittungen(office: AgencyAdapter, place: Path, tmp_path: Path) -> None:
    """A link in the folder cannot make us read another file."""
    (tmp_path / "geheim.xml").write_bytes(b"<geheim/>")
    (place / "quittungen/a.xml").symlink_to(tmp_path / "geheim.xml")
    (place / "quittungen/b.xml").mkdir()
    os.mkfifo(place / "quittungen/c.xml")
    assert collect(office) == []


def test_acknowledged_it_is_settled_and_does_not_come_again(office: AgencyAdapter, place: Path) -> None:
    """Until it is settled it comes with every round; afterwards it lies in erledigt/."""
    leave_quittung(place, "a.xml", b"<a/>")
    assert len(collect(office)) == 1
    (quittung,) = collect(office)
    quittung.acknowledge()
    quittung.acknowledge()
    assert collect(office) == []
    assert (place / "quittungen/erledigt/a.xml").read_bytes() == b"<a/>"


def test_refused_it_lies_with_its_reason(office: AgencyAdapter, place: Path) -> None:
    """The office finds its file and a code beside it, nothing of the content."""
    leave_quittung(place, "a.xml", b"<a/>")
    collect(office)[0].refuse("schema-violation")
    assert collect(office) == []
    assert (place / "quittungen/fehler/a.xml").read_bytes() == b"<a/>"
    assert (place / "quittungen/fehler/a.xml.grund.txt").read_text() == "schema-violation\n"


def test_a_reason_is_a_code(office: AgencyAdapter, place: Path) -> None:
    """Free text could be about a person."""
    leave_quittung(place, "a.xml", b"<a/>")
    with pytest.raises(ValueError, match="reason code"):
        collect(office)[0].refuse(f"{MARKER} fehlt")
    assert len(collect(office)) == 1


def test_the_same_name_again_overwrites_nothing(office: AgencyAdapter, place: Path) -> None:
    """Software that counts from one each day keeps what it sent before."""
    for content in (b"<1/>", b"<2/>", b"<3/>"):
        leave_quittung(place, "a.xml", content)
        collect(office)[0].acknowledge()
    settled = place / "quittungen/erledigt"
    assert {path.name: path.read_bytes() for path in settled.iterdir()} == {
        "a.xml": b"<1/>", "a-2.xml": b"<2/>", "a-3.xml": b"<3/>",
    }  # fmt: skip


def test_what_replaced_it_meanwhile_is_not_settled_with_it(office: AgencyAdapter, place: Path) -> None:
    """Only the bytes that were read are settled; a new file under the name comes with the next round."""
    leave_quittung(place, "a.xml", b"<alt/>")
    (old,) = collect(office)
    leave_quittung(place, "neu.xml", b"<neu/>", ago=timedelta(seconds=30)).rename(place / "quittungen/a.xml")
    old.acknowledge()
    assert [quittung.content for quittung in collect(office)] == [b"<neu/>"]


def test_what_another_process_settles_in_the_same_moment_is_settled(
    office: AgencyAdapter, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one was slow and another took the office over, the loser finds nothing to move and ends no round by it."""
    leave_quittung(place, "a.xml", b"<a/>")
    (slow,), (quick,) = collect(office), collect(office)
    free_name = folder_quittungen._free_name

    def overtaken(where: int, name: str) -> str:
        monkeypatch.setattr(folder_quittungen, "_free_name", free_name)
        quick.acknowledge()
        return free_name(where, name)

    monkeypatch.setattr(folder_quittungen, "_free_name", overtaken)
    slow.acknowledge()
    assert [path.name for path in (place / "quittungen/erledigt").iterdir()] == ["a.xml"]


def test_one_over_the_limit_is_refused_and_holds_up_no_other(office: AgencyAdapter, place: Path) -> None:
    """It is not read to its end, and the ones after it come."""
    leave_quittung(place, "a.xml", bytes(101))
    leave_quittung(place, "b.xml", bytes(100))
    assert [len(quittung.content) for quittung in collect(office)] == [100]
    assert (place / "quittungen/fehler/a.xml.grund.txt").read_text() == "quittung-too-large\n"


def test_names_and_contents_reach_no_log_and_no_error(
    office: AgencyAdapter, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An office may call a file after a person."""
    caplog.set_level(logging.DEBUG)
    leave_quittung(place, f"{MARKER}.xml", MARKER.encode())
    leave_quittung(place, f"{MARKER}-gross.xml", MARKER.encode() * 50)
    (quittung,) = collect(office)
    (place / "quittungen/erledigt").rmdir()
    with pytest.raises(DeliveryError) as caught:
        quittung.acknowledge()
    assert (caught.value.retryable, caught.value.reason_code) == (True, "folder-missing")
    assert "quittung-too-large" in caplog.text
    assert MARKER not in repr(quittung) + quittung.reference + repr(caught.value) + caplog.text
    assert len(collect(office)) == 1


def test_an_absent_share_is_an_error_that_can_be_retried(office: AgencyAdapter, place: Path) -> None:
    """No quittungen and no access are not the same."""
    place.rename(place.parent / "fort")
    with pytest.raises(DeliveryError) as caught:
        collect(office)
    assert (caught.value.retryable, caught.value.reason_code) == (True, "folder-missing")


def test_a_share_that_goes_away_in_between_ends_the_round(
    office: AgencyAdapter, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was listed and cannot be read is logged by its reason and waits for the next round."""
    leave_quittung(place, "a.xml", b"<a/>")
    leave_quittung(place, f"{MARKER}.xml", b"<b/>")
    quittungen = office.collect(NOON)
    assert next(quittungen)
    place.rename(place.parent / "fort")
    assert list(quittungen) == []
    assert "folder-missing" in caplog.text
    assert MARKER not in caplog.text
