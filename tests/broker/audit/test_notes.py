"""Signed notes: a known one verifies, and no other way to write it does."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from broker.audit.checkpoint import NoCheckpointKey, is_own, sign, verifier_key
from broker.audit.notes import BadNote, open_checkpoint, open_note, read_key
from broker.clock import timestamp
from tests.broker.audit.exported import signature, vkey
from tests.world import START

#: The note that the first implementation of signed notes shows (golang.org/x/mod/sumdb/note).
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = (
    TEXT + "\n\N{EM DASH} PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ORIGIN = "kreis.example/log"


def test_a_note_of_another_implementation_verifies() -> None:
    """The published note opens with its published key."""
    assert open_note(SIGNED, [read_key(KEY)]) == TEXT


@pytest.mark.parametrize(
    "changed",
    [
        SIGNED.replace("you think", "we think"),
        SIGNED[:-1],
        SIGNED + "\n",
        SIGNED.replace("\N{EM DASH}", "-"),
        SIGNED.replace("x08go", "x08gp"),
        SIGNED.replace("PeterNeumann ", "PeterNeumann2 "),
        SIGNED.replace("\n\n", "\n"),
        SIGNED.replace("is.", "is.\x07"),
        SIGNED + "\N{EM DASH} witness ???\n",
        TEXT,
        "",
    ],
)
def test_a_changed_note_does_not(changed: str) -> None:
    """Text, key name, signature, form: none can be another."""
    with pytest.raises(BadNote):
        open_note(changed, [read_key(KEY)])


@pytest.mark.parametrize(
    "changed", [KEY.replace("c74f", "c74e"), KEY.replace("ARpc", "ARpd"), "x", "", KEY[:-4], "a b" + KEY[12:]]
)
def test_a_malformed_key_is_refused(changed: str) -> None:
    """A key whose parts do not go together is no key."""
    with pytest.raises(BadNote):
        read_key(changed)


def keys() -> list[OKPKey]:
    """Return two keys of a log, the newer first."""
    return [OKPKey.generate_key("Ed25519", {"kid": f"checkpoint-{n}"}) for n in (2, 1)]


def test_what_we_sign_opens_with_each_of_our_keys() -> None:
    """While keys are rotated a checkpoint is signed with both, and opens with either."""
    both = keys()
    note = sign(both, ORIGIN, 7, bytes(32), START)
    for key in both:
        found = open_checkpoint(note, [read_key(verifier_key(ORIGIN, key))])
        assert (found.origin, found.size, found.root, found.at) == (ORIGIN, 7, bytes(32), timestamp(START))
        assert is_own([key], ORIGIN, 7, bytes(32), note)
    assert not is_own(both, ORIGIN, 8, bytes(32), note)
    assert not is_own(both, ORIGIN, 7, bytes(31) + b"\x01", note)
    assert not is_own(keys(), ORIGIN, 7, bytes(32), note)
    assert not is_own(both, ORIGIN, 7, bytes(32), note.replace("\N{EM DASH} ", "\N{EM DASH} x ").replace("=", "!"))


def test_public_halves_do_not_sign() -> None:
    """A file with a public half is for reading former checkpoints; without a private one nothing is signed."""
    new, old = keys()
    half = OKPKey.import_key(old.as_dict(private=False))
    assert sign([new, half], ORIGIN, 1, bytes(32), START).count("\N{EM DASH}") == 1
    with pytest.raises(NoCheckpointKey):
        sign([half], ORIGIN, 1, bytes(32), START)


@pytest.mark.parametrize("body", ["log\n7\n", "log\n07\nAAAA\n", "log\n7\nAAAA\n", "log\n-1\nAAAA\n", "log\n\n7\n"])
def test_a_signed_note_that_is_no_checkpoint_is_refused(body: str) -> None:
    """Origin, size without leading zeroes, root of 32 bytes: else it is none, whoever signed it."""
    key = Ed25519PrivateKey.generate()
    note = body + "\n" + signature(body, key, "log")
    assert open_note(note, [read_key(vkey(key, "log"))]) == body
    with pytest.raises(BadNote, match=r"kein Prüfpunkt|Base64"):
        open_checkpoint(note, [read_key(vkey(key, "log"))])
