"""Pseudonyms: keyed hashes of a normalised identity, different for each controller. Pure.

Names follow DIN 91379: brought to NFC, then folded, so that spellings of one name that differ in case, diacritics,
spaces or hyphens are equal. A *near* key is the keyed hash of a part of the identity, folded further: two persons
that share one may be the same person with a change of name or a slip of the pen, and a human has to look.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broker.crypto import keyed_hash
from broker.keys import Keys
from schemas.message import Identity

SEPARATOR = "\x1f"
NEAR_PREFIX = "~"
SHORT_DIGITS = 16
"""Hexadecimal digits of 64 bits."""
#: Letters of DIN 91379 that NFKD does not take apart; casefolding has made them small, and ß to ss.
BASE_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t", "ŋ": "n", "ı": "i"}
    | {"ə": "e", "ǝ": "e", "ɛ": "e", "ŀ": "l", "ĸ": "k", "ɨ": "i", "ɵ": "o", "ʉ": "u", "ƀ": "b", "ǥ": "g", "ƶ": "z"}
    | {"ɓ": "b", "ɗ": "d", "ƙ": "k", "ƴ": "y", "ƞ": "n", "ꞑ": "n", "ŉ": "n", "ſ": "s"}
)
_GAP = re.compile(r"[\s\u00ad\u2010-\u2015\u2212_-]+")
_UMLAUT = re.compile(r"(?<=[aou])e")


@dataclass(frozen=True, slots=True)
class SubjectKeys:
    """The keys of one person at one controller: `exact` one for each key id, newest first; `near` likewise."""

    exact: tuple[str, ...]
    """``kid:hex``."""
    near: tuple[str, ...]
    """``~kid:hex``; never equal to an exact one."""

    @property
    def stored(self) -> str:
        """The exact key that a new record is bound to (newest key id)."""
        return self.exact[0]

    @property
    def stored_near(self) -> tuple[str, ...]:
        """The near keys that a new record is bound to (newest key id)."""
        kid = self.stored.partition(":")[0]
        return tuple(key for key in self.near if key.startswith(f"{NEAR_PREFIX}{kid}:"))


def folded(name: str) -> str:
    """Fold a name: NFC, small letters (ß → ss), base letters, gaps and hyphens to one space, other marks away."""
    small = unicodedata.normalize("NFC", name).casefold()
    apart = unicodedata.normalize("NFKD", small).casefold().translate(BASE_LETTERS)
    gaps = _GAP.sub(" ", apart)
    return " ".join("".join(c for c in gaps if c == " " or c.isalnum()).split())


def normalised(identity: Identity) -> str:
    """Write an identity so that equal persons give equal texts. Personal data: only ever to be hashed.

    Family name, birth name (absent: the family name), first given name, birth date.
    """
    return SEPARATOR.join(_parts(identity))


def pseudonyms(keys: Keys, controller: str, identity: Identity) -> SubjectKeys:
    """Return the keys of a person at a controller, under each of its keys.

    A record is stored under `SubjectKeys.stored` and `stored_near`; a look-up uses all of `exact` and `near`.
    """
    return pseudonyms_at(keys, (controller,), identity)[0]


def pseudonyms_at(keys: Keys, controllers: Sequence[str], identity: Identity) -> list[SubjectKeys]:
    """Return the keys of a person at each of some controllers, as `pseudonyms` does; the identity is folded once."""
    parts = _parts(identity)
    text = "exact" + SEPARATOR + SEPARATOR.join(parts)
    partial = ["near" + SEPARATOR + part for part in _near_texts(parts)]
    return [_keys_at(keys.pseudonym_keys(controller), text, partial) for controller in controllers]


def _keys_at(owned: list[tuple[str, bytes]], text: str, partial: list[str]) -> SubjectKeys:
    exact = tuple([f"{kid}:{keyed_hash(key, text)}" for kid, key in owned])
    near = tuple([f"{NEAR_PREFIX}{kid}:{keyed_hash(key, part)}" for kid, key in owned for part in partial])
    return SubjectKeys(exact, near)


def short(key: str) -> int:
    """Return the first 64 bits of a key's hash, signed, as `TransferLookup` keeps them."""
    bits = int(key.rpartition(":")[2][:SHORT_DIGITS], 16)
    return bits - (1 << 64) if bits >> 63 else bits


def _parts(identity: Identity) -> tuple[str, str, str, str]:
    family = folded(identity.family_name)
    birth = folded(identity.birth_name or "") or family
    given = identity.given_names.split()
    return family, birth, folded(given[0]) if given else "", identity.birth_date.isoformat()


def _near_texts(parts: tuple[str, str, str, str]) -> Iterator[str]:
    """Yield the parts of an identity under which a slip in one of the others is still found."""
    family, birth, given, day = parts
    family, birth, given = _loose(family), _loose(birth), _loose(given)
    year, month, number = day.split("-")
    for label, names, when in (
        ("family+date", (family,), day),
        ("birth+given+date", (birth, given), day),
        ("family+given+year+month", (family, given), f"{year}-{month}"),
        ("family+given+year+day", (family, given), f"{year}--{number}"),
        ("family+given+month+day", (family, given), f"{month}-{number}"),
        ("family+given+swapped", (family, given), f"{year}-{'-'.join(sorted((month, number)))}"),
    ):
        if all(names):
            yield SEPARATOR.join((label, *names, when))


def _loose(name: str) -> str:
    """Fold further: ae, oe, ue as ä, ö, ü (Mueller, Müller), and no gaps."""
    return _UMLAUT.sub("", name).replace(" ", "")
