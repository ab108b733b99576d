"""What parties write down is kept and read whole, figures are right, and the faults are told in two languages."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from faults import messages, rounds
from faults.ledger import Ledger, read, tail
from faults.load import Plan, cases_of
from faults.report import figures, lines_of, listing
from faults.scene import FAULTS
from faults.suite import Result, named
from schemas.xml import require_identities, validate, validate_quittung

JOBCENTER, SOZIALAMT = "jobcenter-kreis-re:JOBCENTER", "sozialamt-herten:SOZIALAMT_SGBXII"
IDS = [f"{n}1111111-2222-4333-8444-555555555555" for n in range(4)]


def test_a_ledger_gives_back_what_was_written(tmp_path: Path) -> None:
    """Entries come in their order; a line that was cut off by the writer's death is none, and is read when whole."""
    path = tmp_path / "a.jsonl"
    ledger = Ledger(path)
    ledger.write({"n": 1}, {"n": 2})
    with path.open("ab") as file:
        file.write(b'{"n": ')
    assert list(read(path)) == [{"n": 1}, {"n": 2}]
    new, offset = tail(path, 0)
    assert new == [{"n": 1}, {"n": 2}]
    with path.open("ab") as file:
        file.write(b"3}\n")
    assert tail(path, offset)[0] == [{"n": 3}]
    assert tail(tmp_path / "missing", 0) == ([], 0)
    ledger.close()


@pytest.mark.parametrize("consent", [None, IDS[2]])
def test_messages_pass_the_gate_and_hold_what_they_are_given(consent: str | None) -> None:
    """A filled template is a valid message of just this person, case and id; the mark stands in the name."""
    who = messages.person(4711)
    payload = validate(messages.message(JOBCENTER, SOZIALAMT, IDS[0], "AZ-1", who, consent))
    require_identities(payload)
    identity = payload.persons[0].identity
    assert identity is not None
    assert (payload.head.message_id, payload.head.case_sender) == (IDS[0], "AZ-1")
    assert (identity.family_name, identity.birth_date) == (who.family, who.born)
    assert messages.MARK in who.family
    assert list(payload.consents) == ([consent] if consent else [])


def test_no_two_persons_share_a_name() -> None:
    """Thousands of persons have thousands of names."""
    assert len({messages.person(number).family for number in range(5000)}) == 5000


def test_a_quittung_can_be_repeated_byte_for_byte() -> None:
    """The same arguments give the same valid quittung."""
    first, second = (messages.quittung(SOZIALAMT, *IDS[:3], "2026-03-16T10:00:00+00:00") for _ in range(2))
    assert first == second
    assert validate_quittung(first).transfer_id == IDS[1]


def plan(folder: Path, **more: object) -> Plan:
    """Return a plan of a round."""
    given = {
        "folder": str(folder), "ports": [1], "audience": "x", "accesses": [], "ways": [[JOBCENTER, SOZIALAMT]],
        "of_a_case": 5, "in_flight": 4, "stops_percent": 30, "seed": 2,
    } | more  # fmt: skip
    return Plan(**given)  # type: ignore[arg-type]  # a test's own dictionary


def test_cases_are_planned_the_same_each_time(tmp_path: Path) -> None:
    """A seed gives the same cases, another seed other persons; some take part, most do not."""
    first, again = (list(islice(cases_of(plan(tmp_path)), 20)) for _ in range(2))
    others = list(islice(cases_of(plan(tmp_path, seed=3)), 20))
    assert first == again
    assert 0 < sum(bool(case.stop) for case in first) < 20
    assert not {case.number for case in first} & {case.number for case in others}


def test_figures_of_a_round(tmp_path: Path) -> None:
    """Gaps count to the ends of the load; the first after a moment is found; tallies of both sides add up."""
    sent = [{"status": 202, "answered": at} for at in (1.0, 2.0, 6.0)] + [{"status": 403, "answered": 4.0}]
    assert rounds.longest_gap(sent, 0.0, 7.0) == 4.0
    assert rounds.longest_gap([], 0.0, 7.0) == 7.0
    assert rounds.first_after(sent, "answered", 2.5) == 1.5
    assert rounds.first_after(sent, "answered", 9.0) is None
    (tmp_path / "senders.json").write_text(json.dumps({"retries": 2, "statuses": {"0": 1, "503": 1}}))
    (tmp_path / "recipients.json").write_text(json.dumps({"retries": 1, "statuses": {"0": 4}}))
    assert rounds.figures_of(tmp_path) == (3, {"0": 5, "503": 1})


def test_every_fault_says_what_it_does() -> None:
    """Names are unique, both languages are there, and the list shows them."""
    names = [fault.name for fault in FAULTS]
    listed = listing(FAULTS)
    assert len(set(names)) == len(names)
    assert [f.name for f in FAULTS if f.german not in listed or f.english not in listed or f.german == f.english] == []


def test_the_quick_subset_is_a_subset() -> None:
    """Some faults, not all; one that does not exist is an error."""
    quick = named([], quick=True)
    assert 0 < len(quick) < len(named([], quick=False)) == len(FAULTS)
    assert named([quick[0].name], quick=False) == [quick[0]]
    with pytest.raises(KeyError):
        named(["no-such-fault"], quick=False)


def test_a_skipped_fault_is_loud_and_holds_nothing() -> None:
    """What could not be broken is not told as held."""
    result = Result(next(islice(FAULTS, 1)), 10, skipped="no root")
    assert not result.holds
    assert "NOT TESTED: no root" in lines_of(result)[1]
    assert "SKIPPED" in figures([result])
