"""Pieces from which the kinds' plans are made. Pure functions; names hold the transfer id and a number."""

from __future__ import annotations

import hashlib
import json
import re

from adapters.base import (
    MESSAGE_NAME,
    AdapterSettings,
    Delivery,
    DeliveryError,
    Package,
    PlannedFile,
    Reason,
)

TRANSFER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def target_of(delivery: Delivery, settings: AdapterSettings) -> str:
    """Return the place the delivery goes to. Raises `DeliveryError` (not retryable) where there is none."""
    if delivery.unit not in settings.targets:
        raise DeliveryError(retryable=False, reason_code=Reason.NO_TARGET_FOR_UNIT)
    if delivery.branch is None:
        return settings.targets[delivery.unit]
    if delivery.branch not in settings.branches:
        raise DeliveryError(retryable=False, reason_code=Reason.UNKNOWN_BRANCH)
    return settings.branches[delivery.branch]


def begleitzettel(delivery: Delivery) -> PlannedFile:
    """Return the slip that says what lies here without opening it: ids, unit, time, digest; nothing about a person."""
    slip = {
        "transfer_id": delivery.transfer_id,
        "message_id": delivery.message_id,
        "nachricht": delivery.message_type,
        "version": delivery.version,
        "einheit": delivery.unit.value,
        "erstellt": delivery.created_at.isoformat(),
        "sha256": hashlib.sha256(delivery.content).hexdigest(),
        "gekuerzt": delivery.statement is not None,
    }
    text = json.dumps(slip, ensure_ascii=False, indent=2, sort_keys=True)
    return PlannedFile(f"{delivery.transfer_id}-2.json", text.encode() + b"\n")


def statement(delivery: Delivery) -> tuple[PlannedFile, ...]:
    """Return the signed statement of what the broker took out, if it took something out."""
    if delivery.statement is None:
        return ()
    return (PlannedFile(f"{delivery.transfer_id}-3.json", delivery.statement),)


def package(delivery: Delivery, settings: AdapterSettings, *companions: PlannedFile) -> Package:
    """Return the hand-over: companions, then the message. Raises `DeliveryError` where it cannot be accepted."""
    if not TRANSFER_ID.fullmatch(delivery.transfer_id):
        raise DeliveryError(retryable=False, reason_code=Reason.MALFORMED_TRANSFER_ID)
    if (delivery.message_type, delivery.version) not in settings.accepts:
        raise DeliveryError(retryable=False, reason_code=Reason.MESSAGE_VERSION_NOT_ACCEPTED)
    message = PlannedFile(f"{delivery.transfer_id}{MESSAGE_NAME}", delivery.content)
    return Package(delivery.transfer_id, target_of(delivery, settings), (*companions, message), delivery.may_go)
