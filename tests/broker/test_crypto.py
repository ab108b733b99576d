"""Sealing and keys."""

from __future__ import annotations

import hmac
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.crypto import SealBroken, derive, keyed_hash, new_key, seal, unseal, unwrap, wrap
from broker.keys import KeyFileError, Keys, load_keys


@given(content=st.binary(max_size=2000), bound_to=st.text(max_size=40))
def test_what_was_sealed_opens_with_its_key(content: bytes, bound_to: str) -> None:
    """Seal and unseal give the content back, and the ciphertext does not hold it."""
    key = new_key()
    sealed = seal(content, key, bound_to)

    assert unseal(sealed, key, bound_to) == content
    assert len(content) < 8 or content not in sealed


@given(content=st.binary(min_size=1, max_size=200), position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_any_changed_bit_is_found(content: bytes, position: int, bit: int) -> None:
    """A ciphertext with one bit changed does not open."""
    key = new_key()
    sealed = bytearray(seal(content, key, "t"))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(SealBroken):
        unseal(bytes(sealed), key, "t")


def test_content_is_bound_to_its_transfer() -> None:
    """The ciphertext of one transfer does not open as another's, nor with another key."""
    key = new_key()
    sealed = seal(b"x", key, "one")
    for other_key, other_id in ((key, "two"), (new_key(), "one")):
        with pytest.raises(SealBroken):
            unseal(sealed, other_key, other_id)


def test_a_key_wrapped_to_one_does_not_unwrap_for_another() -> None:
    """A content key wrapped to an instance opens with that instance's key alone."""
    master, key = new_key(), new_key()
    wrapped = wrap(key, derive(master, "sealing", "a:JOBCENTER"))

    assert unwrap(wrapped, derive(master, "sealing", "a:JOBCENTER")) == key
    with pytest.raises(SealBroken):
        unwrap(wrapped, derive(master, "sealing", "b:JOBCENTER"))


def test_key_files_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    """The keys of the first start are those of the second, and only their owner can read the files."""
    first, second = load_keys(tmp_path), load_keys(tmp_path)

    assert first.pseudonym == second.pseudonym
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_processes_that_start_together_have_the_same_keys(tmp_path: Path) -> None:
    """Of several first starts in one moment one makes each key; all of them use it, and it is whole."""
    together = Barrier(6)

    def start(_: int) -> tuple[object, ...]:
        together.wait()
        return told(load_keys(tmp_path / "keys"))

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(start, range(6)))

    assert found == [told(load_keys(tmp_path / "keys", makes=()))] * 6
    assert len(list((tmp_path / "keys").iterdir())) == 5


def told(keys: Keys) -> tuple[object, ...]:
    """Return all keys in a form that can be compared."""
    return keys.pseudonym, keys.sealing, [key.as_dict() for key in (*keys.signing, *keys.tokens, *keys.checkpoint)]


def test_a_start_that_may_make_no_keys_says_where_they_are_missing(tmp_path: Path) -> None:
    """A role on a machine without the keys of the others ends, rather than working with keys of its own."""
    load_keys(tmp_path)
    (tmp_path / "pseudonym-1.json").unlink()
    with pytest.raises(KeyFileError, match=r"fehlen Schlüssel \(pseudonym\)"):
        load_keys(tmp_path, makes=())

    assert not (tmp_path / "pseudonym-1.json").exists()


def test_open_key_file_is_refused(tmp_path: Path) -> None:
    """A key file that others can read stops the start, naming the file and not its content."""
    load_keys(tmp_path)
    (tmp_path / "sealing-1.json").chmod(0o644)
    with pytest.raises(KeyFileError, match=r"sealing-1\.json"):
        load_keys(tmp_path)


def test_added_key_is_used_and_the_old_one_kept(tmp_path: Path) -> None:
    """Rotation is by adding: the newest key is used for new things, the older ones still open old things."""
    before = load_keys(tmp_path)
    source = (tmp_path / "sealing-1.json").read_text()
    added = tmp_path / "sealing-2.json"
    added.touch(mode=0o600)
    added.write_text(source.replace('"kid": "1"', '"kid": "2"'))
    after = load_keys(tmp_path)

    assert after.sealing_key("a:X")[0] == "2"
    assert after.sealing_key("a:X", "1") == before.sealing_key("a:X")


def test_case_keys_do_not_depend_on_spelling_and_differ_by_controller(tmp_path: Path) -> None:
    """One Aktenzeichen in two spellings has one key; at another controller it has another."""
    keys = load_keys(tmp_path)

    assert keys.case_key("a:X", "BG  12/3") == keys.case_key("a:X", "bg 12/3")
    assert keys.case_key("a:X", "BG 12/3") != keys.case_key("b:X", "BG 12/3")


@given(st.binary(min_size=1, max_size=80), st.text(max_size=200))
def test_a_keyed_hash_is_hmac_sha256(key: bytes, text: str) -> None:
    """Whatever is remembered of a key, each answer is the HMAC of RFC 2104 over just this text."""
    text = text.encode(errors="replace").decode()
    assert [keyed_hash(key, text), keyed_hash(key, text)] == [hmac.new(key, text.encode(), "sha256").hexdigest()] * 2
