"""Reading an agency's settings from the directory file: strict, with errors that say where and what to write instead.

Keys: ``channel`` (``inbox``), ``hours``, ``targets``, ``branches``, ``accepts`` and what the channel itself reads.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import time

from adapters.base import AdapterSettings, Dialect, MessageVersion
from adapters.hours import Hours
from schemas.identifiers import UnitCode

FIELDS = frozenset({"channel", "hours", "targets", "branches", "accepts"})
TARGET = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TARGET_LENGTH = 64
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
WEEKDAYS = ("mo", "di", "mi", "do", "fr", "sa", "so")


class AdapterSettingsError(ValueError):
    """A setting of an agency is wrong. `field` is a dotted path in its settings, `text` German and for the reader."""

    def __init__(self, field: str, text: str) -> None:
        """Carry the field, for example ``hours.from``, and what is wrong with it."""
        super().__init__(f"{field}: {text}")
        self.field = field
        self.text = text


def read_settings(
    dialect: Dialect, units: Collection[UnitCode], settings: Mapping[str, object], towns: Sequence[str] = ()
) -> AdapterSettings:
    """Read what the kind of office needs; `towns` is what ``branches: per-town`` stands for.

    Raises `AdapterSettingsError`.
    """
    targets = _targets(dialect, units, settings.get("targets", {}))
    branches = _branches(dialect, settings.get("branches", []), towns)
    accepts = _accepts(settings["accepts"]) if "accepts" in settings else dialect.accepts
    hours = _hours(settings["hours"]) if "hours" in settings else dialect.hours
    return AdapterSettings(targets, branches, accepts, hours)


def refuse_unknown(settings: Mapping[str, object], allowed: Collection[str], prefix: str = "") -> None:
    """Raise `AdapterSettingsError` for the first key that nobody reads."""
    for key in settings:
        if key not in allowed:
            raise AdapterSettingsError(f"{prefix}{key}", f"unbekannte Angabe; erlaubt: {', '.join(sorted(allowed))}")


def whole_number(settings: Mapping[str, object], field: str, default: int, lowest: int, highest: int) -> int:
    """Return a whole number within its bounds. Raises `AdapterSettingsError`."""
    value = settings.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise AdapterSettingsError(field, f"eine ganze Zahl von {lowest} bis {highest} angeben")
    return value


def _mapping(field: str, value: object, example: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise AdapterSettingsError(field, f"eine Zuordnung angeben, z. B. {example}")
    return value


def _place(field: str, value: object) -> str:
    if not isinstance(value, str) or not TARGET.fullmatch(value) or len(value) > TARGET_LENGTH:
        raise AdapterSettingsError(
            field, f"Kleinbuchstaben a–z, Ziffern und Bindestriche, höchstens {TARGET_LENGTH} Zeichen, z. B. sgb-xii"
        )
    return value


def _targets(dialect: Dialect, units: Collection[UnitCode], value: object) -> Mapping[UnitCode, str]:
    known = dialect.units
    for unit in units:
        if known is not None and unit not in known:
            raise AdapterSettingsError(
                "units",
                f"{unit.value} gehört zu keiner Behörde der Art {dialect.kind}; dort gibt es {', '.join(known)}",
            )
    given = _mapping("targets", value, "{SOZIALAMT_SGBXII: sgb-xii}")
    refuse_unknown(given, [unit.value for unit in units], "targets.")
    default = known or {unit: unit.value.lower().replace("_", "-") for unit in units}
    targets = {unit: _place(f"targets.{unit.value}", given.get(unit.value, default[unit])) for unit in sorted(units)}
    if dialect.separate and len(set(targets.values())) < len(targets):
        raise AdapterSettingsError(
            "targets",
            "zwei Einheiten haben dieselbe Ablage; hier braucht jede ihre eigene (§ 35 Abs. 1 Satz 2 SGB I)",
        )
    return targets


def _branches(dialect: Dialect, value: object, towns: Sequence[str]) -> Mapping[str, str]:
    if value == "per-town":
        value = list(towns)
    if isinstance(value, list):
        value = {_place("branches", entry): entry for entry in value}
    given = _mapping("branches", value, "[marl, herten] oder per-town")
    if given and not dialect.branches:
        raise AdapterSettingsError("branches", f"eine Behörde der Art {dialect.kind} hat keine Außenstellen")
    return {_place("branches", branch): _place(f"branches.{branch}", target) for branch, target in given.items()}


def _accepts(value: object) -> frozenset[MessageVersion]:
    given = _mapping("accepts", value, '{uebermittlung: ["1.0"]}')
    accepted: set[MessageVersion] = set()
    for message_type, versions in given.items():
        if not isinstance(versions, list) or not versions or not all(isinstance(entry, str) for entry in versions):
            raise AdapterSettingsError(
                f"accepts.{message_type}", 'Versionen als Liste in Anführungszeichen angeben, z. B. ["1.0"]'
            )
        accepted.update((message_type, version) for version in versions)
    if not accepted:
        raise AdapterSettingsError("accepts", "mindestens eine Nachricht mit Version angeben")
    return frozenset(accepted)


def _hours(value: object) -> Hours | None:
    if value == "always":
        return None
    given = _mapping("hours", value, 'always oder {days: [mo, fr], from: "06:00", to: "20:00"}')
    refuse_unknown(given, {"days", "from", "to"}, "hours.")
    days = given.get("days", list(WEEKDAYS[:5]))
    if not isinstance(days, list) or not days or not all(day in WEEKDAYS for day in days):
        raise AdapterSettingsError("hours.days", f"eine Liste aus {', '.join(WEEKDAYS)} angeben")
    opens, closes = _clock("hours.from", given.get("from")), _clock("hours.to", given.get("to"))
    if opens >= closes:
        raise AdapterSettingsError("hours.to", "das Ende liegt nicht nach dem Anfang")
    return Hours(frozenset(WEEKDAYS.index(day) for day in days), opens, closes)


def _clock(field: str, value: object) -> time:
    match = CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise AdapterSettingsError(field, 'eine Uhrzeit in Anführungszeichen angeben, z. B. "06:00"')
    return time(int(match[1]), int(match[2]))
