"""The sentences of explanations: read once from ``consent/sentences``, in German and English."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

FOLDER = Path(__file__).parents[1] / "sentences"
USUAL = ""
"""The variant of a code that counts where no other fits."""


class Language(StrEnum):
    """In which languages a decision is explained."""

    DE = "de"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence in both languages, with placeholders."""

    de: str
    en: str

    def spoken(self, language: Language) -> str:
        """Return it in a language."""
        return self.de if language is Language.DE else self.en


@dataclass(frozen=True, slots=True)
class CodeSaid:
    """What is said of a reason code, and what the sender can do."""

    why: Said
    remedy: Said


@dataclass(frozen=True, slots=True)
class ConditionSaid:
    """What is said of a condition where data passed by it or fell for want of it, and what the sender can do."""

    met: Said
    unmet: Said
    remedy: Said


@dataclass(frozen=True, slots=True)
class UnitSaid:
    """A unit with its article; German in nominative, dative and accusative."""

    de: tuple[str, str, str]
    en: str

    def spoken(self, language: Language) -> tuple[str, str, str]:
        """Return nominative, dative and accusative; English has one form."""
        return self.de if language is Language.DE else (self.en, self.en, self.en)


@dataclass(frozen=True, slots=True)
class Sentences:
    """All sentences, by the codes of the catalogue's rows."""

    codes: Mapping[tuple[str, str, str], CodeSaid]
    """By code, gate and variant."""
    conditions: Mapping[str, ConditionSaid]
    duties: Mapping[str, Said]
    gates: Mapping[str, Said]
    units: Mapping[str, UnitSaid]
    names: Mapping[str, Mapping[str, str]]
    """English names: of ``purpose``, ``category``, ``declaration``, ``switch`` and ``duty``, by code."""
    titles: Mapping[str, Said]
    frames: Mapping[str, Said]
    modes: Mapping[str, Said]


@cache
def sentences() -> Sentences:
    """Read all sentences, once a process. Raises `KeyError` or `tomllib.TOMLDecodeError` where a file is damaged."""
    files = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml"))}
    names = files["names"]
    frames = files["frames"]
    return Sentences(
        codes=MappingProxyType(
            {
                (row["code"], gate, row.get("variant", USUAL)): CodeSaid(_said(row), _said(row, "do_"))
                for file in ("codes", "consents")
                for row in files[file]["code"]
                for gate in row["gates"]
            }
        ),
        conditions=_keyed(
            files["conditions"]["condition"],
            "code",
            lambda row: ConditionSaid(_said(row, "met_"), _said(row, "unmet_"), _said(row, "do_")),
        ),
        duties=_keyed(files["duties"]["duty"], "code", _said),
        gates=_keyed(files["gates"]["gate"], "gate", _said),
        units=_keyed(files["units"]["unit"], "code", lambda row: UnitSaid(tuple(row["de"]), row["en"])),
        names=MappingProxyType({kind: _keyed(rows, "code", lambda row: row["en"]) for kind, rows in names.items()}),
        titles=MappingProxyType({key: _said(row) for key, row in frames["title"].items()}),
        frames=MappingProxyType({key: _said(row) for key, row in frames["frame"].items()}),
        modes=MappingProxyType({key: _said(row) for key, row in frames["mode"].items()}),
    )


def _said(row: Mapping[str, Any], prefix: str = "") -> Said:
    return Said(row[f"{prefix}de"], row[f"{prefix}en"])


def _keyed(rows: list[dict[str, Any]], key: str, make: Any) -> Mapping[str, Any]:  # noqa: ANN401 - makes rows of any kind
    return MappingProxyType({row[key]: make(row) for row in rows})
