"""Norms as values: read in both notations of the field, printed in one (``SGB X § 67d Abs. 1 Satz 2``)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STATUTE = r"(?:SGB [IVX]+|DSG NRW|[A-ZÄÖÜ][A-Za-zÄÖÜäöüß]+)"
_NUMBER = r"\d+[a-z]?"
_PARAGRAPHS = rf"{_NUMBER}(?:-{_NUMBER}| ff\.)?"
_PRINTED = re.compile(rf"(?P<statute>{_STATUTE})(?: (?P<sign>§§?|Art\.) (?P<paragraph>{_PARAGRAPHS})(?P<rest>.*))?")
_CITED = re.compile(rf"(?P<sign>§§?|Art\.) ?(?P<paragraph>{_PARAGRAPHS})(?P<rest>.*?) (?P<statute>{_STATUTE})")
_PLACES = (
    ("absatz", "Abs. ", rf"\(({_NUMBER})\)|Abs\. ({_NUMBER})"),
    ("satz", "Satz ", r"S\. (\d+)|Satz (\d+)"),
    ("nummer", "Nr. ", rf"Nr\. ({_NUMBER})"),
    ("buchstabe", "Buchst. ", r"Buchst\. ([a-z]{1,2})\b|([a-z])\b"),
    ("halbsatz", "Halbsatz ", r"HS (\d)|Halbsatz (\d)"),
    ("alternative", "Alt. ", r"A(\d)|Alt\. (\d)"),
)
_REST = tuple((name, re.compile(rf"\s*(?:{pattern})")) for name, _, pattern in _PLACES)
_LOOSE_STATUTE = re.compile(rf"^\s*({_STATUTE}) (?=§|Art\.)|(?<=[\d\w).]) ({_STATUTE})(?:\s+analog)?\s*(?:\(.*\))?\s*$")
_BARE_STATUTE = re.compile(rf"^({_STATUTE})(?:\s*\(.*\))?$")
_FOLLOWING = re.compile(r"(?<=\d) ?ff(?:\.|\b)")
_BETWEEN = re.compile(r"\s*(?:[;,]|\bund\b|\biVm\b|\bi\. ?V\. ?m\.|\bin Verbindung mit\b)\s*")
_SIGN = re.compile(r"(§§?|Art\.) ?")
_LAST_STATUTE = re.compile(rf" ({_STATUTE})$")
_BELOW = re.compile(r"\([^)]*\)|(?:S\.|Satz|Nr\.|Abs\.|HS|Halbsatz|Alt\.|A|Buchst\.)\s*\d+[a-z]?")


STATUTES = frozenset(
    {
        *(f"SGB {book}" for book in ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIV")),
        *("DSGVO", "BDSG", "DSG NRW", "GG", "BGB", "FamFG", "StGB", "StPO", "AsylbLG", "AsylG", "AufenthG", "BAföG"),
        *("BEEG", "BKGG", "BMG", "EGovG", "IDNrG", "IfSG", "KKG", "KiBiz", "OZG", "SchwarzArbG", "UVG", "WoGG"),
    }
)
"""Statutes that a row of the catalogue may name; a slip of the pen is none of them."""


class UnparsableNorm(ValueError):
    """The text is no norm in either notation. The text itself is not repeated: it may come from a message."""


@dataclass(frozen=True, slots=True)
class Norm:
    """One place in a statute; a statute alone has no `paragraph`, several have a range (``102-114``, ``102 ff.``)."""

    statute: str
    paragraph: str = ""
    article: bool = False
    absatz: str = ""
    satz: str = ""
    nummer: str = ""
    buchstabe: str = ""
    halbsatz: str = ""
    alternative: str = ""

    @classmethod
    def parse(cls, text: str) -> Norm:
        """Read ``SGB X § 69 Abs. 1 Nr. 1 Alt. 3`` or ``§ 69(1) Nr. 1 A3 SGB X``. Raises `UnparsableNorm`."""
        text = _FOLLOWING.sub(" ff.", text.replace("–", "-"))
        match = _PRINTED.fullmatch(text) or _CITED.fullmatch(text)
        if match is None:
            raise UnparsableNorm("eine Norm heißt z. B. „SGB X § 69 Abs. 1 Nr. 1“ oder „§ 69(1) Nr. 1 SGB X“")
        places = _places(match["rest"] or "")
        return cls(match["statute"], match["paragraph"] or "", (match["sign"] or "").startswith("Art"), **places)

    def __str__(self) -> str:
        if not self.paragraph:
            return self.statute
        sign = "Art." if self.article else "§§" if _is_range(self.paragraph) else "§"
        values = ((label, getattr(self, name)) for name, label, _ in _PLACES)
        return f"{self.statute} {sign} {self.paragraph}" + "".join(
            f" {label}{value}" for label, value in values if value
        )

    def lies_in(self, wider: Norm) -> bool:
        """Whether this norm is `wider` or a part of it: every place that `wider` names is the same, or in its range."""
        mine, its = ((n.statute, *(getattr(n, name) for name, _, _ in _PLACES)) for n in (self, wider))
        same = all(a == b or not b for a, b in zip(mine, its, strict=True))
        return same and (self.paragraph == wider.paragraph or _in_range(self.paragraph, wider.paragraph))


def cited(text: str) -> tuple[Norm, ...]:
    """Read each norm of a citation: ``§§ 103, 104 SGB X``, ``§ 71(2) SGB X iVm § 87(2) AufenthG``; one norm gives one.

    A part without a sign or a statute has that of its neighbour, as in speech. Raises `UnparsableNorm` where any part
    is none.
    """
    parts = _BETWEEN.split(text.strip())
    sign, statute = "§ ", ""
    for place, part in enumerate(parts):
        if found := _SIGN.match(part):
            sign = "Art. " if found[1] == "Art." else "§ "
        elif not _PRINTED.fullmatch(part):
            parts[place] = sign + part
    for place, part in reversed(list(enumerate(parts))):
        if found := _LAST_STATUTE.search(part):
            statute = found[1]
        elif not _PRINTED.fullmatch(part):
            parts[place] = f"{part} {statute}"
    return tuple(Norm.parse(part) for part in parts)


def _is_range(paragraph: str) -> bool:
    return "-" in paragraph or paragraph.endswith("ff.")


def _in_range(paragraph: str, wider: str) -> bool:
    """Whether a paragraph, or each of its range, is one of `wider`; ``ff.`` reaches as far as that does."""
    if not wider:
        return True
    first, _, last = wider.removesuffix(" ff.").partition("-")
    begin, _, end = paragraph.removesuffix(" ff.").partition("-")
    numbers = [number for number in (first, last, begin, end) if number]
    if not _is_range(wider) or not all(number.isdigit() for number in numbers):
        return False
    return int(first) <= int(begin) and (not last or int(end or begin) <= int(last))


def _places(rest: str) -> dict[str, str]:
    """Read what follows the paragraph; anything left over is no norm."""
    found: dict[str, str] = {}
    position = 0
    for name, pattern in _REST:
        if match := pattern.match(rest, position):
            found[name] = next(group for group in match.groups() if group)
            position = match.end()
    if rest[position:].strip():
        raise UnparsableNorm("nach Absatz, Satz, Nummer, Buchstabe, Halbsatz und Alternative steht noch etwas")
    return found


def paragraphs(text: str) -> frozenset[tuple[str, str]]:
    """Statute and paragraph of each norm that a free citation names, as (``SGB X``, ``69``).

    Ranges are spelled out; a statute without a paragraph gives an empty one. Without a statute there is nothing.
    """
    text = text.strip()
    if bare := _BARE_STATUTE.match(text):
        return frozenset({(bare[1], "")})
    match = _LOOSE_STATUTE.search(text)
    if match is None:
        return frozenset()
    statute = match[1] or match[2]
    body = _BELOW.sub(" ", text[match.end() :] if match[1] else text[: match.start()])
    return frozenset((statute, number) for number in _numbers(body))


def _numbers(body: str) -> list[str]:
    numbers = re.findall(rf"{_NUMBER}(?:\s*-\s*{_NUMBER})?", body)
    spelled = []
    for number in numbers:
        first, _, last = (part.strip() for part in number.partition("-"))
        if first.isdigit() and last.isdigit():
            spelled += [str(n) for n in range(int(first), int(last) + 1)]
        else:
            spelled += [first, *([last] if last else [])]
    return spelled


def same_paragraph(one: str, other: str) -> bool:
    """Whether two citations share a statute and paragraph; a statute cited alone shares all of its paragraphs."""
    mine, its = paragraphs(one), paragraphs(other)
    return any(a == b and (x == y or not x or not y) for a, x in mine for b, y in its)
