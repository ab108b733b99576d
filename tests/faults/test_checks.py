"""Each check finds its defect, and finds nothing where all is well: a check that cannot fail is a defect itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.crypto import new_key, seal, wrap
from broker.keys import Keys, load_keys
from faults import checks
from faults.checks import Blob, Evidence, LeftKey
from tests.faults.rounds import DEFECTS, RECIPIENT, Spoil, answered, got, row, sound


def texts(evidence: Evidence) -> list[str]:
    """Return all findings about some evidence."""
    return [str(finding) for check in checks.OF_LEDGERS for finding in check(evidence)]


def test_a_sound_round_has_no_finding() -> None:
    """Where every promise held, nothing is found."""
    assert texts(sound()) == []


@pytest.mark.parametrize(("text", "spoil"), DEFECTS, ids=[spoil.__name__.strip("_") for _, spoil in DEFECTS])
def test_each_defect_is_found_and_named(text: str, spoil: Spoil) -> None:
    """A round that was sound but for one defect has one finding, which names the ids."""
    evidence = sound()
    spoil(evidence)
    [found] = texts(evidence)
    assert text in found


def test_what_a_fault_explains_is_no_finding() -> None:
    """A fault may explain an end state and a status; others stay findings."""
    evidence = sound(transfers=[row("a"), row("b", "dead"), row("c", "withdrawn")], statuses={"401": 2})
    evidence.ends, evidence.allowed_statuses = frozenset({"dead"}), frozenset({"401"})
    assert texts(evidence) == []


def test_an_answer_that_was_lost_may_come_behind() -> None:
    """What comes by a second attempt was handed over in order; its first answer never arrived."""
    received = [got("b", 4), answered("b", 4.1), got("a", 4.5, attempt=2), answered("a", 4.6)]
    assert texts(sound(received=received)) == []


def test_a_quittung_that_was_refused_lets_it_come_again() -> None:
    """Only a quittung that was taken ends a transfer."""
    again = [got("a", 3), answered("a", 3.1, 409), got("a", 3.5, attempt=2), answered("a", 3.6)]
    assert texts(sound(received=[*again, got("b", 4), answered("b", 4.1)])) == []


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Return the keys of a gateway."""
    return load_keys(tmp_path / "keys")


def sealed(keys: Keys, transfer: str) -> tuple[LeftKey, bytes]:
    """Return the wrapped key and the ciphertext of a content."""
    key = new_key()
    kid, wrapping = keys.sealing_key(RECIPIENT)
    return LeftKey(transfer, RECIPIENT, kid, wrap(key, wrapping)), seal(b"Inhalt", key, transfer)


def test_content_that_opens_after_its_end_is_found(keys: Keys) -> None:
    """A key that is left for an ended transfer is found, and so is each place where it opens something."""
    left, content = sealed(keys, "a")
    blobs = [Blob("topic", "a", content), Blob("outbox", "a", b""), Blob("topic", "a", b"short")]
    found = [str(f) for f in checks.readable(keys, [left], blobs, frozenset({"a"}))]
    assert found == [
        "readable: its key is left though it has ended (1: a)",
        "readable: its content opens though it has ended (1: a in topic)",
    ]


def test_a_key_kept_under_another_transfer_is_found(keys: Keys) -> None:
    """Every key that is left is tried on everything, whatever row it stands in."""
    left, content = sealed(keys, "a")
    hidden = LeftKey("open", left.recipient, left.kid, left.wrapped)
    found = [str(f) for f in checks.readable(keys, [hidden], [Blob("topic", "a", content)], frozenset({"a"}))]
    assert found == ["readable: its content opens though it has ended (1: a in topic)"]


def test_content_without_its_key_is_no_finding(keys: Keys) -> None:
    """Ciphertext whose key is gone may lie around, and what has not ended may be read."""
    left, content = sealed(keys, "open")
    blobs = [Blob("topic", "a", sealed(keys, "a")[1]), Blob("topic", "open", content)]
    assert checks.readable(keys, [left], blobs, frozenset({"a"})) == []


def test_what_went_past_the_topics_is_found() -> None:
    """What was handed over has to have lain on a topic; a reader that sees nothing is found out."""
    handed, lying = sound().handed_over, [Blob("topic", "a", b"")]
    assert [f.ids for f in checks.unpublished(handed, lying)] == [("b",)]
    assert checks.unpublished(handed, [*lying, Blob("topic", "b", b"")]) == []


def test_a_name_is_found_wherever_it_stands() -> None:
    """The mark of a person is found among bytes, and its place is named."""
    found = checks.traced(b"Marke", [("log", b"nothing"), ("topic", b"\x00Marke\xff")])
    assert [str(f) for f in found] == ["traced: a person's name stands in (1: topic)"]


def test_what_does_not_come_again_is_found() -> None:
    """Recovery has a bound; what never came is over it."""
    found = checks.slow({"first 202": 3.0, "first hand-over": None, "drained": 70.0}, 60)
    assert [f.ids for f in found] == [("first hand-over", "drained")]
    assert checks.slow({"first 202": 3.0}) == []


def test_a_process_that_ended_by_itself_is_found() -> None:
    """It is named with its code; where none did, nothing is found."""
    assert [str(f) for f in checks.ended([("relay-1", 70)])] == ["ended: ended without our hand (1: relay-1 (70))"]
    assert checks.ended([]) == []
