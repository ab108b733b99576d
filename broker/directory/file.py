"""Read a directory file: the agencies of a Kreis and its towns, and how each of them receives.

::

    kreis: {id, name, ags, agencies: [{id, name, kind, units, dms?, branches?}]}
    towns: [{id, name, ags, dms?}]
    town_agencies: [{id: "sozialamt-{town}", kind, units, name?}]       # one in each town
    adapters:
      kinds: {sozialamt: {channel: inbox}}                              # what holds for a kind
      agencies: {sozialamt-marl: {channel: folder, path: folders/marl}} # what differs at one agency

``branches`` is a list of towns or ``per-town``. What an adapter reads is told by `adapters.settings`. An agency that
names a channel of its own takes nothing from its kind. A relative path lies below the data directory; in a path
``{agency}`` stands for the agency's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.registry import DIALECTS, adapter_for
from adapters.settings import AdapterSettingsError
from broker.directory.document import AgencyEntry, Branch, DirectoryDocument
from broker.directory.nodes import DirectoryFileError, Item, read_nodes
from schemas.identifiers import AGENCY_ID, AgencyId, UnitCode

AGS = re.compile(r"[0-9]{5}([0-9]{3})?")
ID_LENGTH = 64
NAME_LENGTH = 200
DMS_LENGTH = 64
TOWN = "{town}"
AGENCY = "{agency}"
PER_TOWN = "per-town"
DEFAULT_CHANNEL = "inbox"
KIND_NAMES: Mapping[str, str] = {"jobcenter": "Jobcenter", "sozialamt": "Sozialamt", "jugendamt": "Jugendamt"}
"""What an agency of a town is called where the file gives no name."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The Kreis or a town."""

    id: str
    name: str
    ags: str
    dms: str | None


@dataclass(frozen=True, slots=True)
class _Context:
    """What the agencies of a file share."""

    towns: Mapping[str, _Place]
    kinds: Mapping[str, Item]
    overrides: Mapping[str, Item]
    data_dir: Path


def read_directory(path: Path, data_dir: Path) -> DirectoryDocument:
    """Read and check a directory file; relative paths of channels lie below `data_dir`.

    Touches no folder and no network. Raises `DirectoryFileError` with file, line and field.
    """
    top = read_nodes(path).fields(("kreis",), ("towns", "town_agencies", "adapters"))
    kreis_fields = top["kreis"].fields(("id", "name", "ags", "agencies"))
    kreis = _place(kreis_fields)
    towns: dict[str, _Place] = {}
    for entry in top["towns"].entries() if "towns" in top else []:
        town = _town(entry, kreis)
        if town.id in towns:
            raise entry.error(f"der Ort „{town.id}“ steht zweimal")
        towns[town.id] = town
    kinds, overrides = _adapters(top.get("adapters"))
    context = _Context(towns, kinds, overrides, data_dir.resolve())
    templates = top["town_agencies"].entries() if "town_agencies" in top else []
    found = [(entry, _kreis_agency(entry, kreis, context)) for entry in kreis_fields["agencies"].entries()]
    found += [(entry, _town_agency(entry, town, context)) for town in towns.values() for entry in templates]
    _refuse_clashes(found, overrides)
    return DirectoryDocument(tuple(agency for _, agency in found))


def _town(entry: Item, kreis: _Place) -> _Place:
    fields = entry.fields(("id", "name", "ags"), ("dms",))
    town = _place(fields)
    if not town.ags.startswith(kreis.ags):
        raise fields["ags"].error(f"der AGS des Ortes beginnt mit dem des Kreises ({kreis.ags})")
    return town


def _place(fields: Mapping[str, Item]) -> _Place:
    ags = fields["ags"].text()
    if not AGS.fullmatch(ags):
        raise fields["ags"].error('der AGS hat fünf (Kreis) oder acht Ziffern (Ort), z. B. "05562024"')
    return _Place(_identifier(fields["id"], fields["id"].text()), _name(fields["name"]), ags, _dms(fields))


def _identifier(item: Item, text: str) -> str:
    if not AGENCY_ID.fullmatch(text) or len(text) > ID_LENGTH:
        raise item.error(
            f"Kleinbuchstaben a–z, Ziffern und Bindestriche, höchstens {ID_LENGTH} Zeichen, z. B. sozialamt-marl"
        )
    return text


def _name(item: Item) -> str:
    return _bounded(item, NAME_LENGTH)


def _dms(fields: Mapping[str, Item]) -> str | None:
    return _bounded(fields["dms"], DMS_LENGTH) if "dms" in fields else None


def _bounded(item: Item, length: int) -> str:
    text = item.text()
    if len(text) > length:
        raise item.error(f"höchstens {length} Zeichen")
    return text


def _adapters(item: Item | None) -> tuple[Mapping[str, Item], Mapping[str, Item]]:
    sections = item.fields((), ("kinds", "agencies")) if item else {}
    kinds = sections["kinds"].fields((), sorted(DIALECTS)) if "kinds" in sections else {}
    overrides = sections["agencies"].members() if "agencies" in sections else {}
    return kinds, overrides


def _kreis_agency(entry: Item, kreis: _Place, context: _Context) -> AgencyEntry:
    fields = entry.fields(("id", "name", "kind", "units"), ("dms", "branches"))
    agency_id = _identifier(fields["id"], fields["id"].text())
    return _agency(entry, fields, agency_id, _name(fields["name"]), kreis, context)


def _town_agency(entry: Item, town: _Place, context: _Context) -> AgencyEntry:
    fields = entry.fields(("id", "kind", "units"), ("name", "dms"))
    template = fields["id"].text()
    if TOWN not in template:
        raise fields["id"].error(f"in der Kennung steht {TOWN} für den Ort, z. B. sozialamt-{TOWN}")
    agency_id = _identifier(fields["id"], template.replace(TOWN, town.id))
    kind = fields["kind"].text()
    if "name" in fields:
        name = _name(fields["name"]).replace(TOWN, town.name)
    elif kind in KIND_NAMES:
        name = f"{KIND_NAMES[kind]} {town.name}"
    else:
        raise entry.error(f'die Angabe „name“ fehlt, z. B. "Wohngeldstelle {TOWN}"')
    return _agency(entry, fields, agency_id, name, town, context)


def _agency(
    entry: Item, fields: Mapping[str, Item], agency_id: str, name: str, place: _Place, context: _Context
) -> AgencyEntry:
    kind = fields["kind"].text()
    if kind not in DIALECTS:
        raise fields["kind"].error(f"unbekannte Art von Behörde; erlaubt: {', '.join(sorted(DIALECTS))}")
    units = _units(fields["units"])
    branches = _branches(fields.get("branches"), context.towns)
    settings, marks = _settings(agency_id, kind, context)
    if branches:
        settings["branches"] = _branch_targets(settings.get("branches"), branches, marks)
    elif "branches" in settings:
        raise marks["branches"].error("diese Behörde hat keine Außenstellen; zuerst `branches` an der Behörde angeben")
    try:
        adapter_for(kind, units, settings)
    except AdapterSettingsError as exc:
        raise _at(exc, marks, {**fields, "": entry}) from exc
    return AgencyEntry(
        AgencyId(agency_id), name, kind, place.ags, _dms(fields) or place.dms, place.name,
        units, branches, str(settings["channel"]), settings,
    )  # fmt: skip


def _units(item: Item) -> tuple[UnitCode, ...]:
    units: list[UnitCode] = []
    for entry in item.entries():
        code = entry.text()
        if code not in UnitCode.__members__:
            raise entry.error(f"unbekannte Einheit; erlaubt: {', '.join(UnitCode.__members__)}")
        if UnitCode(code) in units:
            raise entry.error("die Einheit steht zweimal")
        units.append(UnitCode(code))
    if not units:
        raise item.error("mindestens eine Einheit angeben, z. B. [JOBCENTER]")
    return tuple(units)


def _branches(item: Item | None, towns: Mapping[str, _Place]) -> tuple[Branch, ...]:
    if item is None:
        return ()
    if item.value() == PER_TOWN:
        return tuple(Branch(town.id, town.name) for town in towns.values())
    found: dict[str, Branch] = {}
    for entry in item.entries():
        town = towns.get(entry.text())
        if town is None or town.id in found:
            raise entry.error(f"ein Ort aus `towns`, jeder einmal, oder {PER_TOWN} statt der Liste")
        found[town.id] = Branch(town.id, town.name)
    return tuple(found.values())


def _settings(agency_id: str, kind: str, context: _Context) -> tuple[dict[str, Any], dict[str, Item]]:
    """Return the settings of an agency, and where each stands.

    Its own go before those of its kind; one that names a channel of its own takes nothing from its kind.
    """
    settings: dict[str, Any] = {"channel": DEFAULT_CHANNEL}
    marks: dict[str, Item] = {}
    own = context.overrides[agency_id].members() if agency_id in context.overrides else {}
    general = context.kinds[kind].members() if kind in context.kinds and "channel" not in own else {}
    for name, member in {**general, **own}.items():
        settings[name] = member.value()
        marks |= dict(_marks(name, member))
    path = settings.get("path")
    if isinstance(path, str):
        path = path.replace(AGENCY, agency_id)
        if ".." in Path(path).parts:
            raise marks["path"].error("der Pfad enthält „..“; er liegt unter dem Datenverzeichnis oder ist vollständig")
        settings["path"] = str(context.data_dir / path)
    return settings, marks


def _marks(name: str, item: Item) -> Iterator[tuple[str, Item]]:
    yield name, item
    try:
        members = item.members()
    except DirectoryFileError:
        return
    for key, member in members.items():
        yield f"{name}.{key}", member


def _branch_targets(given: object, branches: tuple[Branch, ...], marks: Mapping[str, Item]) -> dict[str, Any]:
    """Return branch → place on the channel; without an own mapping both have the same name."""
    ids = [branch.id for branch in branches]
    if given is None:
        return dict(zip(ids, ids, strict=True))
    if not isinstance(given, dict) or set(given) != set(ids):
        raise marks["branches"].error(f"eine Zuordnung mit einer Ablage für jede Außenstelle: {', '.join(ids)}")
    return given


def _at(exc: AdapterSettingsError, marks: Mapping[str, Item], fields: Mapping[str, Item]) -> DirectoryFileError:
    """Find the place of an adapter's error: the longest known part of its field."""
    known = {**fields, **marks}
    name = exc.field
    while name and name not in known:
        name = name.rpartition(".")[0]
    item = known[name]
    missing = f"{exc.field}: " if name != exc.field else ""
    return DirectoryFileError(item.file, item.line, item.field, missing + exc.text)


def _refuse_clashes(found: list[tuple[Item, AgencyEntry]], overrides: Mapping[str, Item]) -> None:
    """Refuse an id or a folder of two agencies (one would read the other's Sozialdaten), and settings of nobody."""
    ids: set[str] = set()
    folders: dict[Path, str] = {}
    for entry, agency in found:
        if agency.id in ids:
            raise entry.error(f"die Behörde „{agency.id}“ steht zweimal")
        ids.add(agency.id)
        if "path" not in agency.settings:
            continue
        folder = Path(agency.settings["path"])
        for other, owner in folders.items():
            if folder == other or folder in other.parents or other in folder.parents:
                place = overrides.get(agency.id) or overrides.get(owner) or entry
                raise place.error(
                    f"die Ordner von „{owner}“ und „{agency.id}“ sind derselbe oder liegen ineinander; "
                    f"jede Behörde braucht ihren eigenen (§ 35 Abs. 1 Satz 2 SGB I), z. B. mit {AGENCY} im Pfad"
                )
        folders[folder] = agency.id
    for agency_id, item in overrides.items():
        if agency_id not in ids:
            raise item.error(f"die Behörde „{agency_id}“ steht nicht in dieser Datei")
