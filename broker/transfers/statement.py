"""The broker's signed statement (JWS, RFC 7515) about a reduction: what came in, what fell, by which decision."""

from __future__ import annotations

import json
from typing import Any

from joserfc import jws

from broker.keys import Keys
from broker.transfers.answers import removed_body
from consent.decision import Permit

ALGORITHM = "Ed25519"


def reduction_statement(keys: Keys, permit: Permit, decision_id: str, received: str, carried: str) -> str:
    """Return the compact JWS. `received` and `carried` are SHA-256 digests, hexadecimal."""
    content: dict[str, Any] = {
        "transfer": permit.transfer_id,
        "decision": decision_id,
        "received_sha256": received,
        "carried_sha256": carried,
        "removed": removed_body(permit, None),
        "catalogue": permit.basis.catalogue,
    }
    key = keys.signing[0]
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": "amtsbruecke-reduction+jws"}
    return jws.serialize_compact(header, json.dumps(content, sort_keys=True), key, algorithms=[ALGORITHM])
