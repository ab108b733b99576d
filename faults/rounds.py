"""One round: load on a deployment, a fault in the middle of it, healing, draining; then the checks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from faults import load, recipients
from faults.commands import ROOT
from faults.deployment import AUDIENCE, FOLDER_OFFICE, INBOXES, JOBCENTER, SENDERS, WAYS, Deployment
from faults.ledger import RECEIVED, SENT, Entry, tail

OF_A_CASE = 5
IN_FLIGHT = 64
LOOPS = 2
DEATHS_PER_THOUSAND = 5
STALL_SECONDS = 90.0
"""Senders that were told to end have so long for it."""


class RoundFault(RuntimeError):
    """A round could not go on; says where it stood."""


@dataclass(slots=True)
class Traffic:
    """The processes of senders and recipients, and what they have written so far."""

    folder: Path
    transfers: int
    limit: int = 0
    """How many transfers the senders were allowed so far."""
    sent: list[Entry] = field(default_factory=list)
    received: list[Entry] = field(default_factory=list)
    _offsets: dict[str, int] = field(default_factory=dict)
    _senders: subprocess.Popen[bytes] | None = None
    _recipients: subprocess.Popen[bytes] | None = None

    def start(self, deployment: Deployment, seed: int, stops_percent: int) -> None:
        """Start both processes; nothing is sent before `allow`."""
        base: dict[str, Any] = {
            "folder": str(self.folder),
            "ports": deployment.ports,
            "audience": AUDIENCE,
        }
        sending = load.Plan(
            **base,
            accesses=[deployment.accesses[sender] for sender in SENDERS],
            ways=WAYS,
            of_a_case=OF_A_CASE,
            in_flight=IN_FLIGHT,
            stops_percent=stops_percent,
            seed=seed,
        )
        receiving = recipients.Plan(
            **base,
            accesses=[deployment.accesses[office] for office in (*INBOXES, JOBCENTER)],
            folders={FOLDER_OFFICE: str(deployment.office_folder)},
            deaths_per_thousand=DEATHS_PER_THOUSAND,
            loops=LOOPS,
        )
        self._recipients = self._run("recipients", receiving, subprocess.DEVNULL)
        self._senders = self._run("load", sending, subprocess.PIPE)

    def _run(self, module: str, plan: Any, stdin: int) -> subprocess.Popen[bytes]:  # noqa: ANN401 - either plan
        path = self.folder / f"{module}-plan.json"
        path.write_text(json.dumps(asdict(plan)))
        log: IO[bytes]
        with (self.folder / f"{module}.log").open("ab") as log:
            command = [sys.executable, "-m", f"faults.{module}", str(path)]
            return subprocess.Popen(command, cwd=ROOT, stdin=stdin, stdout=log, stderr=log, start_new_session=True)

    def allow(self, number: int) -> None:
        """Let the senders begin so many transfers in all, in whole cases; less than before changes nothing."""
        limit = number // OF_A_CASE * OF_A_CASE
        if limit > self.limit and self._senders is not None and self._senders.stdin is not None:
            self.limit = limit
            self._senders.stdin.write(f"{limit}\n".encode())
            self._senders.stdin.flush()

    def look(self) -> None:
        """Read what was written since the last look."""
        for name, entries in ((SENT, self.sent), (RECEIVED, self.received)):
            new, self._offsets[name] = tail(self.folder / name, self._offsets.get(name, 0))
            entries.extend(new)
        for name, process in (("senders", self._senders), ("recipients", self._recipients)):
            if process is not None and process.poll() not in (None, 0):
                raise RoundFault(f"the {name} ended by themselves; see {self.folder}")

    def finish_sending(self) -> None:
        """Wait for the senders to end."""
        if self._senders is not None and self._senders.stdin is not None:
            self._senders.stdin.close()
            self._senders.wait(STALL_SECONDS)
            self._senders = None

    def stop(self) -> None:
        """Stop both, whatever they do."""
        for process, number in ((self._senders, signal.SIGKILL), (self._recipients, signal.SIGTERM)):
            if process is not None and process.poll() is None:
                process.send_signal(number)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
        self._senders = self._recipients = None
        self.look()


def figures_of(folder: Path) -> tuple[int, dict[str, int]]:
    """Return the retries of the senders, and how often each status came that nobody wanted, of both sides."""
    retries = 0
    statuses: dict[str, int] = {}
    for name in (load.TALLY, recipients.TALLY):
        path = folder / name
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_text())
            retries += found["retries"]
            for status, number in found["statuses"].items():
                statuses[status] = statuses.get(status, 0) + number
    return retries, statuses


def longest_gap(sent: Sequence[Entry], begin: float, end: float) -> float:
    """Return the longest time without a 202 between two moments."""
    moments: list[float] = sorted(
        e["answered"] for e in sent if e["status"] == load.ACCEPTED and begin <= e["answered"] <= end
    )
    points = [begin, *moments, end]
    return max(later - earlier for earlier, later in pairwise(points))


def first_after(entries: Sequence[Entry], key: str, begin: float) -> float | None:
    """Return how many seconds after a moment the first entry came; None: none came."""
    later = [entry[key] - begin for entry in entries if key in entry and entry[key] >= begin]
    return min(later, default=None)
