"""The network between the roles and their servers: cut silently, cut by reset, slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from faults.proxy import Proxy
from faults.scene import Break, Scene, fault

LATENCY = 0.03
"""Seconds each way to PostgreSQL: a statement then takes 60 ms, a transfer some tens of them."""
KAFKA_LATENCY = 0.25
RATE = 64_000
"""Bytes a second of each connection to Kafka."""


def _to_postgres(scene: Scene) -> Sequence[Proxy]:
    return [scene.cluster.database_proxy]


def _to_kafka(scene: Scene) -> Sequence[Proxy]:
    return list(scene.kafka.proxies.values())


def _broken(ends: Callable[[Scene], Sequence[Proxy]], how: Callable[[Proxy], None], seconds: float) -> Break:
    @contextmanager
    def make(scene: Scene) -> Iterator[None]:
        for proxy in ends(scene):
            how(proxy)
        scene.hold(seconds)
        yield
        for proxy in ends(scene):
            proxy.heal()

    return make


network_fault = partial(fault, network=True)
network_fault(
    "cut-postgres", "das Netz zu PostgreSQL schweigt", "the network to PostgreSQL is silent", quick=True
)(_broken(_to_postgres, Proxy.blackhole, 25.0))  # fmt: skip
network_fault(
    "reset-postgres", "das Netz zu PostgreSQL bricht ab (RST)", "the network to PostgreSQL breaks (RST)"
)(_broken(_to_postgres, Proxy.reset, 10.0))  # fmt: skip
network_fault(
    "slow-postgres", "das Netz zu PostgreSQL ist langsam (30 ms)", "the network to PostgreSQL is slow (30 ms)"
)(_broken(_to_postgres, lambda proxy: proxy.slow(LATENCY), 30.0))  # fmt: skip
network_fault(
    "cut-kafka", "das Netz zu Kafka schweigt", "the network to Kafka is silent"
)(_broken(_to_kafka, Proxy.blackhole, 25.0))  # fmt: skip
network_fault(
    "reset-kafka", "das Netz zu Kafka bricht ab (RST)", "the network to Kafka breaks (RST)"
)(_broken(_to_kafka, Proxy.reset, 15.0))  # fmt: skip
network_fault(
    "slow-kafka",
    "das Netz zu Kafka ist langsam (250 ms, 64 kB/s)",
    "the network to Kafka is slow (250 ms, 64 kB/s)",
)(_broken(_to_kafka, lambda proxy: proxy.slow(KAFKA_LATENCY, RATE), 30.0))
