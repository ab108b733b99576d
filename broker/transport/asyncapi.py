"""The AsyncAPI 3 document of the topics, made from the names and headers that the code uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from broker.transport.base import MITTEILUNGEN, QUITTUNGEN, side_topic_of, topic_of

VERSION = "1.0.0"
AGENCY = "{agency}"
Json = dict[str, Any]

HEADERS: Mapping[str, str] = {
    "ce_specversion": "CloudEvents 1.0, binary mode",
    "ce_id": "id of the record; a record that comes twice has the same",
    "ce_source": "address of the gateway",
    "ce_type": "what it tells, with the version of its form",
    "ce_subject": "the instance that it is for, <agency>:<UNIT>",
    "ce_time": "when it was accepted, RFC 3339",
    "content-type": "media type of the value",
    "traceparent": "W3C Trace Context of the request that caused it",
}
FIELDS: Mapping[str, Mapping[str, str]] = {
    QUITTUNGEN: {
        "transfer_id": "the transfer",
        "message_id": "its nachrichtId",
        "quittung_id": "nachrichtId of the quittung",
        "status": "ANGENOMMEN, VERARBEITET or ABGELEHNT",
        "reason": "code, where it was rejected",
        "link": "where the gateway gives the quittung",
    },
    MITTEILUNGEN: {
        "transfer_id": "the transfer",
        "message_id": "its nachrichtId",
        "notice_id": "the notice",
        "kind": "RUECKRUF or WIDERRUF",
        "link": "where the gateway gives the notices",
    },
}
#: channel → topic, sentence, media type, fields of the value (None: ciphertext)
CHANNELS: Mapping[str, tuple[str, str, str, Mapping[str, str] | None]] = {
    "uebermittlungen": (
        topic_of(AGENCY),
        "Transfers for the agency: ciphertext; its key is released by POST /v1/transfers/{id}/key.",
        "application/octet-stream",
        None,
    ),
    QUITTUNGEN: (
        side_topic_of(AGENCY, QUITTUNGEN),
        "What became of the agency's own transfers: ids and codes.",
        "application/json",
        FIELDS[QUITTUNGEN],
    ),
    MITTEILUNGEN: (
        side_topic_of(AGENCY, MITTEILUNGEN),
        "Notices about transfers that the agency has received: ids and codes.",
        "application/json",
        FIELDS[MITTEILUNGEN],
    ),
}


def document() -> Json:
    """Return the document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Amtsbrücke: topics",
            "version": VERSION,
            "description": "What an adapter that an agency hosts itself reads. Nobody but the broker writes.",
        },
        "defaultContentType": "application/octet-stream",
        "channels": {name: _channel(name) for name in CHANNELS},
        "operations": {
            f"read_{name}": {"action": "receive", "channel": {"$ref": f"#/channels/{name}"}} for name in CHANNELS
        },
        "components": {
            "messages": {name: _message(name) for name in CHANNELS},
            "schemas": {"headers": _object(HEADERS, optional={"traceparent"})},
        },
    }


def _channel(name: str) -> Json:
    topic, text, _, _ = CHANNELS[name]
    return {
        "address": topic,
        "description": text,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": {"agency": {"description": "id of the agency in the directory, e.g. jugendamt-marl"}},
    }


def _message(name: str) -> Json:
    _, text, media_type, fields = CHANNELS[name]
    payload = {"type": "string", "format": "binary"} if fields is None else _object(fields, optional={"reason"})
    return {
        "name": name,
        "summary": text,
        "contentType": media_type,
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": "order key of the case (an HMAC)"}}},
    }


def _object(fields: Mapping[str, str], optional: set[str]) -> Json:
    properties = {
        name: {"type": ["string", "null"] if name == "reason" else "string", "description": text}
        for name, text in fields.items()
    }
    return {"type": "object", "properties": properties, "required": [name for name in fields if name not in optional]}


def document_text() -> str:
    """Return the document as YAML, as docs/asyncapi.yaml holds it."""
    return yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=120)
