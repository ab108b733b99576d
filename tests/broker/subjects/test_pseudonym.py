"""Pseudonyms: one person, one key at a controller, however the name is written; near keys find slips."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.keys import Keys, Secret, load_keys
from broker.subjects.pseudonym import folded, normalised, pseudonyms
from schemas.message import Identity

LETTERS = "aäbcdeéfghijklmnoöpqrsßtuüvwxyzçğıłøşžńæœđ"
SECRETS = (Secret("2", b"2" * 32), Secret("1", b"1" * 32))
KEYS = Keys(pseudonym=SECRETS, sealing=(), signing=(), tokens=())
names = st.text(LETTERS, min_size=2, max_size=12)
identities = st.builds(
    Identity,
    family_name=names,
    birth_name=st.none() | names,
    given_names=st.lists(names, min_size=1, max_size=3).map(" ".join),
    birth_date=st.dates(date(1900, 1, 1), date(2026, 1, 1)),
)
ANNA = Identity("Müller", "Łukasiewicz", "Anna-Lena Maria", date(1990, 2, 13))


@given(identities)
def test_case_umlaut_form_and_whitespace_do_not_matter(identity: Identity) -> None:
    """Upper case, decomposed letters and more spaces give the same normalised text and the same keys."""

    def rewritten(name: str) -> str:
        return "  " + unicodedata.normalize("NFD", name.replace("ı", "i").upper()).replace(" ", " \t ") + " "

    birth = identity.birth_name
    other = Identity(
        rewritten(identity.family_name),
        rewritten(birth) if birth else None,
        rewritten(identity.given_names),
        identity.birth_date,
    )
    assert normalised(other) == normalised(identity)
    assert pseudonyms(KEYS, "a:B", other) == pseudonyms(KEYS, "a:B", identity)


@given(identities, identities)
def test_equal_keys_mean_equal_normalised_identity(one: Identity, other: Identity) -> None:
    """Exact keys are equal where the normalised identities are, and nowhere else."""
    same = pseudonyms(KEYS, "a:B", one).exact == pseudonyms(KEYS, "a:B", other).exact
    assert same is (normalised(one) == normalised(other))


@given(identities)
def test_different_controllers_share_no_key(identity: Identity) -> None:
    """No key of a person at one controller says anything at another."""
    one, other = pseudonyms(KEYS, "a:B", identity), pseudonyms(KEYS, "a:C", identity)
    assert not {*one.exact, *one.near} & {*other.exact, *other.near}


@given(identities)
def test_exact_and_near_never_mix(identity: Identity) -> None:
    """Exact keys are kid:hex, near keys ~kid:hex; no two are equal, and none holds a name."""
    keys = pseudonyms(KEYS, "a:B", identity)
    assert [key.partition(":")[0] for key in keys.exact] == ["2", "1"]
    assert all(key.startswith("~") for key in keys.near)
    assert len({*keys.exact, *keys.near}) == len(keys.exact) + len(keys.near)
    assert keys.stored == keys.exact[0]
    assert len(keys.stored_near) * 2 == len(keys.near)
    assert all(key.startswith("~2:") for key in keys.stored_near)


@given(st.text(max_size=40))
def test_folding_again_changes_nothing(name: str) -> None:
    """Folding is idempotent for any text."""
    assert folded(folded(name)) == folded(name)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Straße", "strasse"),
        ("MÜLLER - LÜDENSCHEIDT", "muller ludenscheidt"),
        ("d’Angelo", "dangelo"),
        ("Søren", "soren"),
        ("Đặng", "dang"),
        ("Łukasz", "lukasz"),
        ("Æthel", "aethel"),
        ("İpek", "ipek"),
        ("O\u2010Neill\u00a0", "o neill"),
        ("-", ""),
    ],
)
def test_folding_follows_the_letters_of_din_91379(written: str, expected: str) -> None:
    """ß, diacritics, letters without decomposition, hyphens and apostrophes are folded."""
    assert folded(written) == expected


def test_what_counts_and_what_does_not() -> None:
    """The second given name does not count; an absent birth name is the family name; every other part counts."""
    assert normalised(replace(ANNA, given_names="Anna-Lena")) == normalised(ANNA)
    assert normalised(Identity("Abc", None, "D", date(2000, 1, 1))) == normalised(
        Identity("Abc", "ABC", "D", date(2000, 1, 1))
    )
    for other in (
        replace(ANNA, family_name="Maier"),
        replace(ANNA, birth_name=None),
        replace(ANNA, given_names="Berta"),
        replace(ANNA, birth_date=date(1990, 2, 14)),
    ):
        assert normalised(other) != normalised(ANNA)


@pytest.mark.parametrize(
    "slip",
    [
        replace(ANNA, family_name="Schmidt"),
        replace(ANNA, family_name="Mueller"),
        replace(ANNA, birth_name=None),
        replace(ANNA, given_names="Berta"),
        replace(ANNA, birth_date=date(1990, 2, 14)),
        replace(ANNA, birth_date=date(1990, 3, 13)),
        replace(ANNA, birth_date=date(1991, 2, 13)),
    ],
)
def test_one_slip_is_found_by_a_near_key(slip: Identity) -> None:
    """Where one part differs, no exact key is shared but a near one is."""
    one, other = pseudonyms(KEYS, "a:B", ANNA), pseudonyms(KEYS, "a:B", slip)
    assert not set(one.exact) & set(other.exact)
    assert set(one.near) & set(other.near)


def test_day_and_month_swapped_is_found_by_a_near_key() -> None:
    """The third of February and the second of March are near."""
    one = pseudonyms(KEYS, "a:B", replace(ANNA, birth_date=date(1990, 2, 3)))
    other = pseudonyms(KEYS, "a:B", replace(ANNA, birth_date=date(1990, 3, 2)))
    assert set(one.near) & set(other.near)


def test_another_person_is_not_near() -> None:
    """Neither the same birthday nor the same name alone makes two persons near."""
    one = pseudonyms(KEYS, "a:B", ANNA)
    for other in (
        Identity("Schmidt", None, "Berta", ANNA.birth_date),
        replace(ANNA, birth_date=date(1955, 7, 1)),
        Identity("-", None, "-", ANNA.birth_date),
    ):
        assert not set(one.near) & set(pseudonyms(KEYS, "a:B", other).near)


def test_a_name_that_folds_to_nothing_makes_no_near_key() -> None:
    """Persons without a name are not all near each other by their birthday."""
    assert pseudonyms(KEYS, "a:B", Identity("-", None, "-", date(1990, 1, 1))).near == ()


def test_an_added_key_keeps_the_older_pseudonym(tmp_path: Path) -> None:
    """After a rotation a look-up still holds the pseudonym of the older key, and stores under the newer."""
    keys = load_keys(tmp_path)
    before = pseudonyms(keys, "a:B", ANNA)
    added = replace(keys, pseudonym=(Secret("2", b"x" * 32), *keys.pseudonym))
    after = pseudonyms(added, "a:B", ANNA)
    assert after.exact[1:] == before.exact
    assert set(before.near) < set(after.near)
    assert after.stored not in before.exact
