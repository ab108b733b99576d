"""Whatever is changed in an exported log is found, and the first entry that differs is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from broker.audit.notes import read_key
from broker.audit.verify import NoExport, Report
from tests.broker.audit.exported import AT, LOG_KEY, Log, dump, ended, note, promise, root_of, signature, verified, vkey

LOG = Log().add(3).add(4).add(1).add(5)
LINES = LOG.lines()
LEAVES = LOG.leaves()
ENTRY_LINES = [place for place, line in enumerate(LINES) if line.startswith(b'{"entry"')]
BYTES = b"".join(LINES)


def index_of(place: int) -> int:
    """Return the index of the entry that stands in a line, or that would come next there."""
    return sum(other < place for other in ENTRY_LINES)


def found(lines: list[bytes] | bytes, **trust: Any) -> Report | None:
    """Verify; None where it is not even an export any more."""
    try:
        return verified([lines] if isinstance(lines, bytes) else lines, **trust)
    except NoExport:
        return None


def test_an_untouched_log_verifies() -> None:
    """All entries, checkpoints and salted values hold; the last checkpoint is told."""
    report = verified(LINES)

    assert (report.faults, report.entries, report.checkpoints, report.opened) == ([], 13, 4, 13)
    assert report.last is not None
    assert (report.last.size, report.last.root) == (13, root_of(LEAVES))
    assert report.sound
    assert report.own_keys


def test_an_empty_log_verifies() -> None:
    """A log without entries has nothing that could differ."""
    assert verified(Log().lines()).sound


@given(st.integers(0, len(BYTES) - 1), st.integers(0, 7))
def test_a_bit_flipped_anywhere_is_found(place: int, bit: int) -> None:
    """Whichever bit of the file is changed, it is said; in the line of an entry, at that entry or none before it."""
    changed = bytearray(BYTES)
    changed[place] ^= 1 << bit
    report = found(bytes(changed))
    line = BYTES[:place].count(b"\n")

    assert report is None or not report.sound
    if report is not None and line in ENTRY_LINES:
        assert report.faults[0].index == index_of(line)


@given(st.sampled_from(ENTRY_LINES), st.data())
def test_a_changed_entry_is_named_though_the_file_was_written_anew(place: int, data: st.DataObject) -> None:
    """Whichever field of an entry gets another value, with a right end of the file: index and id are named."""
    line = json.loads(LINES[place])
    name = data.draw(st.sampled_from(sorted(line["entry"])))
    value = line["entry"][name]
    line["entry"][name] = data.draw(
        st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=3)).filter(lambda new: new != value)
    )
    report = verified(ended([*LINES[:place], dump(line), *LINES[place + 1 :]]))

    assert (report.faults[0].code, report.faults[0].index) == ("entry", index_of(place))
    assert report.faults[0].entry == str(line["entry"]["id"])


@given(st.sampled_from(ENTRY_LINES))
def test_a_changed_entry_with_its_leaf_is_found_by_the_checkpoint(place: int) -> None:
    """Who writes the leaf anew as well is found out at the next checkpoint, which says from where on."""
    line = json.loads(LINES[place])
    line["entry"]["actor"] = "somebody:ELSE"
    line["leaf"] = sha256(b"\x00" + dump(line["entry"])).hexdigest()
    report = verified(ended([*LINES[:place], dump(line), *LINES[place + 1 :]]))
    before = max(size for size in (0, *LOG.sizes) if size <= index_of(place))

    assert (report.faults[0].code, report.faults[0].index) == ("root", before)


@given(st.integers(1, len(LINES) - 2))
def test_a_dropped_line_is_found(place: int) -> None:
    """An entry that is missing is named; the last checkpoint cannot go, and one between may be left out."""
    report = verified(ended(LINES[:place] + LINES[place + 1 :]))
    if place in ENTRY_LINES:
        assert not report.sound
        assert report.faults[0].index is not None
        assert report.faults[0].index <= index_of(place)
        assert index_of(place) == 12 or report.faults[0].index == index_of(place)
    elif place == len(LINES) - 2:
        assert [fault.code for fault in report.faults] == ["not-sealed"]
    else:
        assert report.sound


@given(st.sampled_from(ENTRY_LINES), st.sampled_from(ENTRY_LINES))
def test_swapped_lines_are_found(one: int, other: int) -> None:
    """Two entries in each other's place: the first of them is named, with or without their indices changed too."""
    if one == other:
        return
    first, last = min(one, other), max(one, other)
    lines = list(LINES)
    lines[first], lines[last] = lines[last], lines[first]
    report = verified(ended(lines))
    assert (report.faults[0].code, report.faults[0].index) == ("order", index_of(first))

    renumbered = [json.loads(line) for line in lines]
    for place in (first, last):
        renumbered[place]["index"] = index_of(place)
    report = verified(ended([dump(line) for line in renumbered]))
    before = max(size for size in (0, *LOG.sizes) if size <= index_of(first))
    assert (report.faults[0].code, report.faults[0].index) == ("root", before)


@given(st.sampled_from(ENTRY_LINES), st.integers(1, len(LINES) - 1))
def test_a_doubled_or_inserted_line_is_found(place: int, to: int) -> None:
    """An entry a second time, or a new one, anywhere; at the latest the one behind it is out of place."""
    new = json.loads(LINES[place])
    new["entry"]["id"] = "entry-new"
    new["leaf"] = sha256(b"\x00" + dump(new["entry"])).hexdigest()
    new["index"] = index_of(to)
    for line in (LINES[place], dump(new)):
        report = verified(ended([*LINES[:to], line, *LINES[to:]]))
        assert not report.sound
        assert report.faults[0].index is not None
        assert report.faults[0].index <= index_of(to) + 1


@given(st.integers(0, len(BYTES) - 1))
def test_a_file_that_was_cut_off_is_found(length: int) -> None:
    """Cut anywhere, inside a line or between two."""
    report = found(BYTES[:length])

    assert report is None or not report.sound


def test_a_shorter_log_with_a_right_end_needs_a_checkpoint_from_elsewhere() -> None:
    """The file alone cannot know of what came later; a checkpoint that somebody kept says that entries are missing."""
    shorter = Log(LOG.entries[:7], LOG.sides[:7], {3, 7}).lines()

    assert verified(shorter).sound
    report = verified(shorter, notes=[note(LEAVES)])
    assert [known.size for known in report.unseen] == [13]
    assert verified(LINES, notes=[note(LEAVES), note(LEAVES[:7]), note(LEAVES[:2])]).sound


@pytest.mark.parametrize("size", [2, 7, 13])
def test_a_log_rewritten_by_its_operator_needs_a_checkpoint_from_elsewhere(size: int) -> None:
    """Whoever holds the keys can write another log; a checkpoint of the former one, of any size, shows it."""
    other = Log([*LOG.entries], [*LOG.sides], set(LOG.sizes))
    other.entries[1] = other.entries[1] | {"actor": "somebody:ELSE"}

    assert verified(other.lines()).sound
    report = verified(other.lines(), notes=[note(LEAVES[:size])])
    assert [fault.code for fault in report.faults] == ["elsewhere"]


def test_another_key_is_not_believed() -> None:
    """With a key from elsewhere, a file that brings keys of its own does not verify."""
    stranger = read_key(vkey(Ed25519PrivateKey.from_private_bytes(bytes(32))))

    assert verified(LINES, keys=[stranger]).faults[0].code == "checkpoint"
    assert verified(LINES, keys=[read_key(vkey()), stranger]).sound
    assert not verified(LINES, keys=[read_key(vkey())]).own_keys


def test_a_cosignature_of_a_stranger_is_passed_over() -> None:
    """A witness that is not known is ignored; our own signature must hold beside it."""
    lines = list(LINES)
    text = note(LEAVES).split("\n\n")[0] + "\n"
    witness = signature(text, Ed25519PrivateKey.from_private_bytes(bytes(32)), "witness.example/w")
    place = len(lines) - 2
    lines[place] = dump(json.loads(lines[place]) | {"checkpoint": note(LEAVES, "kreis.example/log", witness)})
    assert verified(ended(lines)).sound
    forged = signature(text, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    lines[place] = dump(json.loads(lines[place]) | {"checkpoint": text + "\n" + forged + witness})
    assert not verified(ended(lines)).sound


def test_a_checkpoint_of_another_log_or_size_is_named() -> None:
    """Each checkpoint is for this log, and for just the entries before it."""
    for other in (note(LEAVES[:6]), note(LEAVES[:7], "other.example/log"), note(LEAVES[1:8])):
        lines = [dump(json.loads(x) | {"checkpoint": other}) if b"\\n7\\n" in x else x for x in LINES]
        report = verified(ended(lines))
        assert [fault.code for fault in report.faults][:1] in (["checkpoint"], ["root"]), other


def test_what_was_erased_is_counted_and_no_fault() -> None:
    """Side data may be gone, of any entry; the log is as provable as before."""
    log = Log([*LOG.entries], [None if place % 2 else side for place, side in enumerate(LOG.sides)], set(LOG.sizes))
    report = verified(log.lines())

    assert (report.sound, report.erased, report.opened) == (True, 6, 7)


@given(st.sampled_from(ENTRY_LINES), st.sampled_from(["value", "salt", "field", "shape"]))
def test_changed_side_data_is_named(place: int, what: str) -> None:
    """A value or salt that is not the one committed to, or a field that nobody committed to, is found at its entry."""
    line = json.loads(LINES[place])
    salt, value = line["side"]["persons"]
    line["side"] = {
        "value": {"persons": [salt, value + "x"]},
        "salt": {"persons": ["00" + salt[2:], value]},
        "field": {"persons": [salt, value], "reason": [salt, value]},
        "shape": {"persons": value},
    }[what]
    report = verified(ended([*LINES[:place], dump(line), *LINES[place + 1 :]]))

    assert [(fault.code, fault.index) for fault in report.faults] == [("side", index_of(place))]


def test_promises_are_kept_broken_or_not_due() -> None:
    """Kept: entry and leaf stand in time. Broken: left out, exchanged or late. Not due: the file is older."""
    tokens = [
        promise("entry-2", LEAVES[2]),
        promise("entry-9", LEAVES[8]),
        promise("entry-77", LEAVES[2]),
        promise("entry-3", LEAVES[3], by="2026-03-16T09:59:59.999Z"),
        promise("entry-78", LEAVES[2], by="2026-03-16T12:00:00.001Z"),
    ]
    report = verified(LINES, tokens=tokens)

    assert [kept.entry for kept in report.kept] == ["entry-2"]
    assert sorted(broken.entry for broken, _ in report.broken) == ["entry-3", "entry-77", "entry-9"]
    assert [waiting.entry for waiting in report.not_due] == ["entry-78"]
    assert report.faults == []
    assert not report.sound


def test_a_promise_of_somebody_else_is_none() -> None:
    """A promise with another signature, of another log, or no promise at all is said to be so."""
    whole = promise("entry-2", LEAVES[2])
    changed = whole[:-4] + ("AAAA" if not whole.endswith("AAAA") else "BBBB")
    for token in (changed, "x.y.z", "", promise("entry-2", LEAVES[2], log="other.example/log")):
        assert [fault.code for fault in verified(LINES, tokens=[token]).faults] == ["promise"]


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"PK\x03\x04", b'{"format":"other/1"}\n'])
def test_what_is_no_export_is_said_to_be_none(content: bytes) -> None:
    """Another file is not a log with faults, but no export."""
    assert found(content) is None


def test_the_log_key_of_these_tests_is_its_own() -> None:
    """The log of these tests is signed apart from our own signer; both agree on the form of the key."""
    assert read_key(vkey()).public == LOG_KEY.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    ("old", "new"), [(b'"index":0,', b'"index":false,'), (b'"index":1,', b'"index":true,'), (b"x", b"x")]
)
def test_an_index_that_only_counts_as_one_is_found(old: bytes, new: bytes) -> None:
    """What is written otherwise differs, also where a language takes both for the same."""
    changed = ended([line.replace(old, new) for line in LINES])

    assert bool(verified(changed).faults) == (old != new)


@pytest.mark.parametrize(
    "change",
    [
        lambda line: {**line, "checkpoint_keys": [1]} if "format" in line else line,
        lambda line: {**line, "promise_keys": ["x"]} if "format" in line else line,
        lambda line: with_entry(line, {**line["entry"], "id": []}) if line.get("index") == 2 else line,
    ],
)
def test_what_is_of_another_kind_is_a_fault_and_no_crash(change: Callable[[Any], Any]) -> None:
    """A file may be made to trip the verifier: it says what is wrong all the same."""
    changed = ended([dump(change(json.loads(line))) for line in LINES])

    assert verified(changed, tokens=[promise("entry-2", LEAVES[2])]).faults


def with_entry(line: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Return a line with another entry and the leaf that goes with it."""
    return {**line, "entry": entry, "leaf": sha256(b"\x00" + dump(entry)).hexdigest()}


def test_a_time_that_was_not_signed_is_found() -> None:
    """Whoever writes another time beside a checkpoint makes no promise look kept."""
    late = promise("entry-1", LEAVES[1], by="2026-03-16T09:59:59.999Z")
    early = [
        line.replace(AT.encode(), b"2026-03-16T09:00:00.000Z") if b'"checkpoint"' in line else line for line in LINES
    ]
    early = ended([line.replace(b"at 2026-03-16T09:00", b"at 2026-03-16T10:00") for line in early])
    report = verified(early, tokens=[late])

    assert {fault.code for fault in report.faults} == {"time"}
    assert [one.entry for one, _ in report.broken] == ["entry-1"]


def test_an_export_that_is_dated_back_makes_no_promise_wait() -> None:
    """What should stand in the log before its last checkpoint was made is missed, whatever the file says of its age."""
    head = LINES[0].replace(b"2026-03-16T12:00:00.000Z", b"2026-03-16T01:00:00.000Z")
    report = verified(ended([head, *LINES[1:]]), tokens=[promise("nowhere", LEAVES[1], by="2026-03-16T09:59:00.000Z")])

    assert [one.entry for one, _ in report.broken] == ["nowhere"]
