"""What a fault is, and what it may touch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from faults.cluster import Cluster, ProxiedKafka
from faults.deployment import Deployment, Environment, unchanged
from faults.roles import Supervisor


class CannotBreak(RuntimeError):
    """This machine does not let the fault be made; says what is missing."""


@dataclass(slots=True)
class Scene:
    """A running deployment under load. `notes`: what the fault itself counted, for the report."""

    cluster: Cluster
    deployment: Deployment
    quick: bool
    notes: dict[str, int] = field(default_factory=dict)
    faulty: list[str] = field(default_factory=list)
    """What the fault wanted to do and could not: findings."""

    @property
    def supervisor(self) -> Supervisor:
        """The roles."""
        return self.deployment.supervisor

    @property
    def kafka(self) -> ProxiedKafka:
        """The brokers."""
        if self.cluster.kafka is None:
            raise CannotBreak("there are no Kafka brokers")
        return self.cluster.kafka

    def processes(self, role: str) -> list[str]:
        """Return the names of a role's processes. Raises `CannotBreak` where there are none."""
        names = self.supervisor.of(role)
        if not names:
            raise CannotBreak(f"no process of the role {role} runs")
        return names

    def hold(self, seconds: float, quick: float | None = None) -> None:
        """Let the fault last: so many seconds in full, fewer in the quick subset."""
        time.sleep(seconds if not self.quick else quick if quick is not None else min(seconds, 6.0))

    def count(self, what: str, number: int = 1) -> None:
        """Count something for the report."""
        self.notes[what] = self.notes.get(what, 0) + number


#: Breaks on entering, heals on leaving; what it does itself while it lasts, it does on entering.
Break = Callable[[Scene], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can go wrong. `name` is its option; `german` and `english` say in one line what is done."""

    name: str
    german: str
    english: str
    make: Break
    quick: bool = False
    """Whether it belongs to the quick subset."""
    statuses: frozenset[str] = frozenset()
    """Statuses that clients may get because of it."""
    ends: frozenset[str] = frozenset()
    """End states that it explains."""
    clocks_jump: bool = False
    small_disk: bool = False
    """Whether PostgreSQL lies on a disk that can be filled, for this round."""
    network: bool = False
    """Whether it breaks the network: then everything goes by proxies, which cost time that other rounds can spare."""
    stops_percent: int = 6
    """In how many cases of a hundred the person withdraws or objects."""
    environment: Environment = unchanged
    """More environment for a process, by its name."""


FAULTS: list[Fault] = []


def fault(name: str, german: str, english: str, **more: object) -> Callable[[Break], Break]:
    """Enlist a function as a fault."""

    def enlist(make: Break) -> Break:
        FAULTS.append(Fault(name, german, english, make, **more))  # type: ignore[arg-type]
        return make

    return enlist


def each_of(names: Sequence[str], times: int) -> list[str]:
    """Return names in turn, so that so many come."""
    return [names[position % len(names)] for position in range(times)]
