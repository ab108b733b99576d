"""Giving and taking access."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from sqlalchemy import select

from broker.auth import clients
from broker.auth.caller import Role
from broker.auth.clients import NewClient, add_client, list_clients, revoke_client
from broker.auth.models import ClientKey
from broker.directory.document import DirectoryDocument
from broker.directory.service import load
from broker.gateway import Gateway
from tests.broker.auth.conftest import INSTANCE
from tests.world import database_bytes, evidence


async def test_a_new_client_is_on_record(gateway: Gateway) -> None:
    """The evidence names role and instance; the client's id lies beside it, where erasure reaches it."""
    new = await add_client(gateway, Role.INSTANCE, INSTANCE)
    [(entry, side)] = await evidence(gateway, "client.added")
    assert (entry.actor, entry.sender) == ("operator:*", INSTANCE)
    assert entry.data == {"role": "instance", "instance": INSTANCE}
    assert side == {"client_id": new.client_id}


def files_with(folder: Path, text: str) -> list[str]:
    """Return the names of the files that hold a text."""
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


async def test_the_private_key_is_kept_nowhere(gateway: Gateway, new: NewClient) -> None:
    """The pair made here is given out once; the table has the public half, and no file of the data folder the other."""
    assert new.private_jwk is not None
    secret = str(new.private_jwk["d"])
    async with gateway.db.reading() as connection:
        jwk = (await connection.execute(select(ClientKey.jwk))).scalar_one()
    assert jwk == {name: new.private_jwk[name] for name in ("kty", "crv", "x")}
    assert str(jwk["x"]).encode() in database_bytes(gateway)
    assert secret.encode() not in database_bytes(gateway)
    assert files_with(gateway.settings.data_dir, secret) == []
    assert secret not in repr(new)


async def test_the_same_key_has_the_same_id(gateway: Gateway) -> None:
    """The key id is the thumbprint (RFC 7638); names that come with the key do not count."""
    jwk = dict(OKPKey.generate_key("Ed25519").as_dict(private=False))
    first = await add_client(gateway, Role.OPERATOR, public_jwk=jwk)
    second = await add_client(gateway, Role.OPERATOR, public_jwk={**jwk, "kid": "mine", "alg": "EdDSA", "use": "sig"})
    assert first.kid == second.kid
    assert first.client_id != second.client_id


@pytest.mark.parametrize(
    ("role", "instance", "agency", "error"),
    [
        (Role.INSTANCE, None, None, clients.RoleMismatch),
        (Role.INSTANCE, INSTANCE, "jugendamt-marl", clients.RoleMismatch),
        (Role.OFFICER, None, None, clients.RoleMismatch),
        (Role.OFFICER, INSTANCE, "jugendamt-marl", clients.RoleMismatch),
        (Role.OPERATOR, INSTANCE, None, clients.RoleMismatch),
        (Role.OPERATOR, None, "jugendamt-marl", clients.RoleMismatch),
        (Role.INSTANCE, "jugendamt-bonn:JUGENDAMT_ASD", None, clients.UnknownInstance),
        (Role.OFFICER, None, "jugendamt-bonn", clients.UnknownAgency),
    ],
)
async def test_an_access_that_fits_nobody_is_refused(
    gateway: Gateway, role: Role, instance: str | None, agency: str | None, error: type[clients.ClientError]
) -> None:
    """Role, instance and agency go together and stand in the directory; otherwise nothing is written."""
    with pytest.raises(error):
        await add_client(gateway, role, instance, agency)
    assert await list_clients(gateway) == []
    assert await evidence(gateway, "client.added") == []


async def test_an_inactive_instance_gets_no_access(gateway: Gateway) -> None:
    """What was taken out of the directory is as good as unknown."""
    await load(gateway, DirectoryDocument(()))
    with pytest.raises(clients.UnknownInstance):
        await add_client(gateway, Role.INSTANCE, INSTANCE)


BAD_KEYS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "shared secret": {"kty": "oct", "k": "AAAA"},
    "kind of another type": {"kty": ["OKP"], "crv": "Ed25519"},
    "no x": {"kty": "OKP", "crv": "Ed25519"},
    "short x": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
    "x of another type": {"kty": "OKP", "crv": "Ed25519", "x": 7},
    "no point of the curve": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
    "private": dict(OKPKey.generate_key("Ed25519").as_dict(private=True)),
    "X25519": dict(OKPKey.generate_key("X25519").as_dict(private=False)),
    "P-384": dict(ECKey.generate_key("P-384").as_dict(private=False)),
    "RSA": dict(RSAKey.generate_key(2048).as_dict(private=False)),
}


@pytest.mark.parametrize("jwk", BAD_KEYS.values(), ids=BAD_KEYS.keys())
async def test_a_key_of_another_kind_is_refused(gateway: Gateway, jwk: dict[str, Any]) -> None:
    """Only public keys for Ed25519 and ES256 are taken, and none is repeated in the error."""
    with pytest.raises(clients.BadPublicKey) as caught:
        await add_client(gateway, Role.OPERATOR, public_jwk=jwk)
    assert "AAAA" not in str(caught.value)
    assert str(jwk.get("d", "AAAA")) not in str(caught.value)


async def test_revoking_is_on_record_once(gateway: Gateway, new: NewClient) -> None:
    """The second time nothing changes and nothing is recorded."""
    assert await revoke_client(gateway, new.client_id)
    assert not await revoke_client(gateway, new.client_id)
    assert len(await evidence(gateway, "client.revoked")) == 1
    [row] = await list_clients(gateway)
    assert (row.status, row.revoked_at) == ("revoked", gateway.clock())


async def test_an_unknown_client_cannot_be_revoked(gateway: Gateway) -> None:
    """A mistyped id is told."""
    with pytest.raises(clients.UnknownClient):
        await revoke_client(gateway, "nobody")
