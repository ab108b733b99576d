"""How this service speaks to Apache Kafka: one way to connect, and one place where its errors become ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka import errors

from broker.config import Settings
from broker.transport.base import Fault, TransportUnavailable

REQUEST_SECONDS = 8
METADATA_SECONDS = 15
"""So soon a topic or partition that was added is seen."""

_FAULTS: tuple[tuple[tuple[type[Exception], ...], Fault], ...] = (
    ((errors.ProducerFenced, errors.InvalidProducerEpoch, errors.InvalidProducerIdMapping), Fault.FENCED),
    ((errors.UnknownTopicOrPartitionError, errors.InvalidTopicError), Fault.TOPIC_MISSING),
    (
        (
            errors.TopicAuthorizationFailedError,
            errors.GroupAuthorizationFailedError,
            errors.ClusterAuthorizationFailedError,
            errors.TransactionalIdAuthorizationFailed,
        ),
        Fault.FORBIDDEN,
    ),
    (
        (
            errors.SaslAuthenticationFailed,
            errors.AuthenticationFailedError,
            errors.UnsupportedSaslMechanismError,
            errors.AuthenticationMethodNotSupported,
            ssl.SSLError,
        ),
        Fault.LOGIN,
    ),
    ((errors.MessageSizeTooLargeError, errors.RecordListTooLargeError, errors.RecordTooLargeError), Fault.TOO_LARGE),
)


def client_options(settings: Settings) -> dict[str, Any]:
    """Return what every client is opened with: addresses, TLS, name and password, time limits.

    Raises `OSError` where a file that the settings name cannot be read.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_security,
        "client_id": "amtsbruecke",
        "request_timeout_ms": REQUEST_SECONDS * 1000,
        "metadata_max_age_ms": METADATA_SECONDS * 1000,
    }
    if settings.kafka_security.endswith("SSL"):
        options["ssl_context"] = _tls(settings)
    if settings.kafka_security.startswith("SASL") and settings.kafka_password_file is not None:
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password_file.read_text(encoding="utf-8").strip(),
        }
    return options


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.kafka_cert_file is not None:
        context.load_cert_chain(settings.kafka_cert_file, settings.kafka_key_file)
    return context


@contextmanager
def translated(topic: str | None = None) -> Iterator[None]:
    """Turn what the client raises into `TransportUnavailable`, with what to do about it."""
    try:
        yield
    except (TimeoutError, errors.KafkaError, errors.IllegalOperation, OSError, EOFError) as exc:
        raise TransportUnavailable(_fault_of(exc), topic) from exc


def _fault_of(exc: BaseException | None) -> Fault:
    """Return the fault of an error, or of what caused it: the client wraps its own."""
    while exc is not None:
        for kinds, fault in _FAULTS:
            if isinstance(exc, kinds):
                return fault
        exc = exc.__cause__ or exc.__context__
    return Fault.AWAY
