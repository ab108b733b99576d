"""What was written down in a small round: sound, and with one defect after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faults.checks import Evidence, HandedOver, TransferRow

SENDER, RECIPIENT, OTHER = "jobcenter-x:JOBCENTER", "sozialamt-x:SOZIALAMT_SGBXII", "sozialamt-y:SOZIALAMT_SGBXII"
Spoil = Callable[[Evidence], None]


def sent(transfer: str, position: int, **more: Any) -> dict[str, Any]:
    """Return what a sender writes down about a transfer that was answered 202 at its position's second."""
    return {
        "message": f"m-{transfer}", "case": 1, "position": position, "sender": SENDER, "recipient": RECIPIENT,
        "digest": f"d-{transfer}", "begun": position, "answered": position + 0.5, "status": 202, "transfer": transfer,
    } | more  # fmt: skip


def got(transfer: str, at: float, **more: Any) -> dict[str, Any]:
    """Return what a recipient writes down about what it fetched."""
    return {
        "kind": "inbox", "instance": RECIPIENT, "transfer": transfer, "message": f"m-{transfer}",
        "digest": f"d-{transfer}", "asked": at - 0.2, "at": at, "attempt": 1,
    } | more  # fmt: skip


def answered(transfer: str, at: float, status: int = 200) -> dict[str, Any]:
    """Return what a recipient writes down about its quittung."""
    return {"kind": "answered", "transfer": transfer, "status": status, "at": at}


def row(transfer: str, state: str = "acknowledged") -> TransferRow:
    """Return a transfer of the database."""
    return TransferRow(transfer, SENDER, f"m-{transfer}", state)


def sound(**changes: Any) -> Evidence:
    """Return the evidence of a round in which all was well, with changes.

    Three transfers of a case, the third withdrawn by the person before it was handed over; a plain refusal after that.
    """
    given: dict[str, Any] = {
        "sent": [sent("a", 1), sent("b", 2), sent("c", 3), sent("", 6, status=403, message="m-d")],
        "stops": [{"case": 1, "kind": "withdrawal", "begun": 4.5, "answered": 5.0, "wall": 1005.0}],
        "received": [got("a", 3), answered("a", 3.1), got("b", 4), answered("b", 4.1)],
        "transfers": [row("a"), row("b"), row("c", "withdrawn")],
        "handed_over": [HandedOver("a", 10, 1003.0), HandedOver("b", 11, 1004.0)],
        "statuses": {"0": 3, "503": 4},
    }
    return Evidence(**(given | changes))


#: What goes wrong, and the words of the one finding that must say so.
DEFECTS: list[tuple[str, Spoil]] = []


def defect(text: str) -> Callable[[Spoil], Spoil]:
    """Enlist a defect with the words by which it has to be found."""

    def enlist(spoil: Spoil) -> Spoil:
        DEFECTS.append((text, spoil))
        return spoil

    return enlist


@defect("no such transfer is there (1: a)")
def _lost_from_the_database(evidence: Evidence) -> None:
    evidence.transfers = [row("b"), row("c", "withdrawn")]


@defect("nobody got it (1: b)")
def _answered_for_nobody(evidence: Evidence) -> None:
    evidence.received = [got("a", 3), answered("a", 3.1)]


@defect("neither handed over nor ended (1: b published)")
def _stuck(evidence: Evidence) -> None:
    evidence.transfers = [row("a"), row("b", "published"), row("c", "withdrawn")]


@defect("neither handed over nor ended (1: b dead)")
def _dead_without_a_reason(evidence: Evidence) -> None:
    evidence.transfers = [row("a"), row("b", "dead"), row("c", "withdrawn")]


@defect("ended though no person withdrew or objected (1: c)")
def _ended_by_nobody(evidence: Evidence) -> None:
    evidence.sent = [sent("a", 1), sent("b", 2), sent("c", 3, case=2)]


@defect("one message, several transfers (2: a, x)")
def _two_of_one(evidence: Evidence) -> None:
    evidence.transfers = [*evidence.transfers, TransferRow("x", SENDER, "m-a", "acknowledged")]


@defect("came again after its quittung was taken (1: a)")
def _came_again(evidence: Evidence) -> None:
    evidence.received = [*evidence.received, got("a", 4.4, attempt=2)]


@defect("came twice by one attempt (1: b)")
def _came_twice(evidence: Evidence) -> None:
    evidence.received = [got("a", 3), answered("a", 3.1), got("b", 4), got("b", 4.05), answered("b", 4.1)]


@defect("handed over without a 202 (1: c)")
def _without_permit(evidence: Evidence) -> None:
    evidence.sent = [sent("a", 1), sent("b", 2), sent("", 3, status=403, answered=5.5, message="m-c")]
    evidence.transfers = [row("a"), row("b")]
    evidence.received = [*evidence.received, got("c", 4.4)]


@defect("other bytes than were sent (1: b)")
def _altered(evidence: Evidence) -> None:
    evidence.received = [got("a", 3), answered("a", 3.1), got("b", 4, digest="other"), answered("b", 4.1)]


@defect("handed over to another than the recipient (1: b)")
def _misled(evidence: Evidence) -> None:
    evidence.received = [got("a", 3), answered("a", 3.1), got("b", 4, instance=OTHER), answered("b", 4.1)]


@defect("handed over before an earlier one of its case (1: b)")
def _disordered_at_the_broker(evidence: Evidence) -> None:
    evidence.handed_over = [HandedOver("a", 12, 1003.0), HandedOver("b", 11, 1004.0)]


@defect("got before an earlier one of its case (1: b)")
def _disordered_at_the_recipient(evidence: Evidence) -> None:
    evidence.received = [got("b", 2.7), answered("b", 2.75), got("a", 3), answered("a", 3.1)]


@defect("accepted after the person's word (1: e)")
def _accepted_too_late(evidence: Evidence) -> None:
    evidence.sent = [*evidence.sent, sent("e", 7)]
    evidence.transfers = [*evidence.transfers, row("e", "returned")]


@defect("fetched after the person's word (1: b)")
def _fetched_too_late(evidence: Evidence) -> None:
    evidence.received = [got("a", 3), answered("a", 3.1), got("b", 5.3), answered("b", 5.4)]


@defect("handed over after the person's word (1: b)")
def _handed_over_too_late(evidence: Evidence) -> None:
    evidence.handed_over = [HandedOver("a", 10, 1003.0), HandedOver("b", 11, 1005.5)]


@defect("answered 403 though nobody had objected (1: m-d)")
def _refused_for_nothing(evidence: Evidence) -> None:
    evidence.sent = [sent("a", 1), sent("b", 2), sent("c", 3), sent("", 6, status=403, case=9, message="m-d")]


@defect("answers that no client should get (1: 500×2)")
def _internal_error(evidence: Evidence) -> None:
    evidence.statuses = {"0": 1, "500": 2}
