"""On a broker with TLS, SCRAM and access lists: who may read and write what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from broker.config import Settings
from broker.transport.access import agency_acls, agency_user, grant, service_acls, set_passwords
from broker.transport.base import Fault, Record, TransportUnavailable, topic_of
from broker.transport.kafka import KafkaTransport
from broker.transport.topics import apply, wanted_topics
from tests.broker.transport.contract import fetched, publish, record
from tests.servers.kafka import ADMIN, ADMIN_PASSWORD, Kafka
from tests.servers.topics import kafka_or_skip

MINE, OTHER = "jugendamt-marl", "jugendamt-marl-2"


class Secured:
    """A broker with names and access lists; settings of each name."""

    def __init__(self, cluster: Kafka, folder: Path) -> None:
        """Hold the broker."""
        self._cluster = cluster
        self._folder = folder

    def settings(self, user: str, password: str, group_prefix: str = "amtsbruecke-") -> Settings:
        """Return the settings of a name."""
        file = self._folder / f"{user}.password"
        file.write_text(password)
        return Settings(
            kafka_bootstrap=self._cluster.secure_bootstrap,
            kafka_security="SASL_SSL",
            kafka_user=user,
            kafka_password_file=file,
            kafka_ca_file=self._cluster.ca_file,
            kafka_group_prefix=group_prefix,
            kafka_replication=1,
            kafka_min_insync=1,
            kafka_partitions=1,
        )


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Secured]:
    """Give a secured broker with the topics of two agencies, their names, and the service's."""
    kafka_or_skip(jars_alone=True)
    with Kafka(tmp_path, secure=True) as cluster:
        made = Secured(cluster, tmp_path)
        admin = made.settings(ADMIN, ADMIN_PASSWORD)
        service = made.settings("amtsbruecke", "service-secret")
        await apply(admin, wanted_topics(admin, [MINE, OTHER]))
        users = [(agency_user(admin, MINE), "mine-secret"), ("amtsbruecke", "service-secret")]
        await set_passwords(admin, users)
        await grant(admin, [*agency_acls(admin, MINE), *service_acls(service)])
        yield made


async def refused(work: Awaitable[object]) -> Fault:
    """Return the fault with which a reader or writer is refused."""
    with pytest.raises(TransportUnavailable) as caught:
        await work
    return caught.value.fault


async def test_agency_reads_its_own_topic_and_nothing_else(secured: Secured) -> None:
    """The agency's name reads its own topic; it reads no other's, in no other's group, and writes nothing."""
    service = KafkaTransport(secured.settings("amtsbruecke", "service-secret"))
    sent: list[Record] = [record(topic=topic_of(MINE)), record(topic=topic_of(OTHER))]
    await publish(service, sent)
    user = agency_user(secured.settings(ADMIN, ADMIN_PASSWORD), MINE)
    mine = KafkaTransport(secured.settings(user, "mine-secret", f"{MINE}."))
    reader = mine.subscribe([topic_of(MINE)], "software")
    read = [item.record for item in await fetched(reader, 1)]
    await reader.close()
    foreign = KafkaTransport(secured.settings(user, "mine-secret", f"{OTHER}."))

    assert read == sent[:1]
    assert await refused(fetched(mine.subscribe([topic_of(OTHER)], "software"), 1)) is Fault.FORBIDDEN
    assert await refused(publish(mine, [record(topic=topic_of(MINE))])) is Fault.FORBIDDEN
    assert await refused(fetched(foreign.subscribe([topic_of(MINE)], "x"), 1)) is Fault.FORBIDDEN
    for transport in (service, mine, foreign):
        await transport.close()


async def test_wrong_password_is_named_among_the_reasons(secured: Secured) -> None:
    """Who is not let in is told to look at the login too; the library does not tell the two apart."""
    wrong = KafkaTransport(secured.settings("amtsbruecke", "another"))
    with pytest.raises(TransportUnavailable, match="Anmeldung"):
        await wrong.ping()
    await wrong.close()


async def test_agency_makes_no_topics(secured: Secured) -> None:
    """An agency's name may not make topics."""
    user = agency_user(secured.settings(ADMIN, ADMIN_PASSWORD), MINE)
    own = secured.settings(user, "mine-secret")
    with pytest.raises(TransportUnavailable) as caught:
        await apply(own, wanted_topics(own, ["jugendamt-neu"]))

    assert caught.value.fault is Fault.FORBIDDEN
