"""What no single row can show: unknown names across the tables, and rows that contradict each other on a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import combinations
from string import Formatter
from typing import Any, TypeVar

from consent import rows
from consent.catalogue_day import CatalogueDay, matching, precision
from consent.consents import AGE_UNKNOWN, ORDER
from consent.rowreader import CatalogueError, close
from consent.rows import ANY, Row
from schemas.identifiers import DataCategory, OriginMark, UnitCode

Tables = Mapping[str, tuple[Row, ...]]
R = TypeVar("R", bound=Row)

GATES = (
    *("G0", "G1", "G2", "G3", "G4 a", "G4 b", "G4 c", "G4 d", "G4 e", "G4 EMPFANGEN"),
    *("G5", "G6", "G7", "G8", "G9", "G10", "REST"),
)
VOCABULARY = ("unit", "category", "purpose", "condition", "code", "gate", "lock", "parameter", "declaration")
"""Tables whose rows must be there with every switch, too."""
DECLARATIONS = (
    *("kategorien_erklaert", "kategorien", "same_controller", "par64_2_erfolg_gefaehrdet", "fachkraft"),
    *("ursprungszweck", "alter", "gewichtige_anhaltspunkte", "ersuchen_vom", "leitung_entschieden", "norm"),
    *("richterliche_anordnung", "mahnung_am", "mahnung_mit_hinweis", "frist_bis", "verpflichtung_privat"),
    *("first_collection", "asked", "deadline", "reason_code"),
)
"""What a gate can name as missing."""
PARAMETERS = (
    "EINSICHT_ALTER",
    "VOLLJAEHRIG_ALTER",
    "EINWILLIGUNG_MONATE",
    "ERSTERHEBUNG_FRIST_TAGE",
    "MASSEN_PERSONEN",
    "ERSUCHEN_MONATE",
)
MOST = {"_MONATE": 1200, "_TAGE": 36_525, "_ALTER": 120}
"""Most that a figure may be, by the end of its code: a hundred years, and an age."""
CODES: Mapping[str, tuple[str, ...]] = {
    "ANORDNUNG_FEHLT": ("G5",),
    "ERSUCHEN_VERALTET": ("G5",),
    "PAR74_MAHNUNG": ("G5",),
    "UNVOLLSTAENDIG": ("G0", "G2", "G4 c", "G4 EMPFANGEN", "G5", "G6", "G7"),
    "KEINE_AUFGABE": ("G3",),
    "PAR65": ("G4 a", "G4 EMPFANGEN"),
    "PAR76": ("G4 b", "G4 EMPFANGEN"),
    "PAR203": ("G4 e",),
    "PAR64_2": ("G4 c",),
    "SCHUTZINTERESSE": ("G4 d", "G8"),
    "LOESCHPFLICHT": ("G4 EMPFANGEN",),
    "PAR78": ("G4 EMPFANGEN",),
    "PAR68": ("G4 EMPFANGEN", "G5"),
    "KEIN_GRUND": ("G5",),
    "VERPFLICHTUNG_FEHLT": ("G5",),
    "NICHT_ERFORDERLICH": ("G5", "G6"),
    "ERSTERHEBUNG_FEHLT": ("G7",),
    "ERSTERHEBUNG_FRIST": ("G7",),
    "WIDERSPRUCH": ("G8",),
    "VERFAHREN_NICHT_REGISTRIERT": ("G9",),
    **{code: ("G5", "G6") for code in ORDER if code != AGE_UNKNOWN},
}
"""Where each reason code can arise (settled reading G)."""

CASE_PLACES = frozenset({"kategorien", "fehlt", "absender", "empfaenger", "zweck"})
FIGURE_PLACES = frozenset({"wert"})
"""What can be filled in where a text leaves a place open, for a case and for a figure."""

_LOCKING = frozenset({OriginMark.ANVERTRAUT_65, OriginMark.ARZT_203, OriginMark.GUTACHTEN, OriginMark.BEISTAND})

_KEYS: Mapping[type[Row], Callable[[Any], Any]] = {
    rows.UnitRow: lambda row: row.code,
    rows.CategoryRow: lambda row: row.code,
    rows.PurposeRow: lambda row: row.code,
    rows.GroundRow: lambda row: (row.purpose, row.regime, row.recipient, row.basis),
    rows.ConsentOnlyRow: lambda row: row.name,
    rows.BarredRow: lambda row: (row.purpose, row.senders, row.recipients),
    rows.ProofRow: lambda row: (row.purpose, row.recipient, row.proof),
    rows.ProcedureRow: lambda row: (row.mode, row.regime),
    rows.DeclarationRow: lambda row: row.code,
    rows.DefaultMarkRow: lambda row: row.name,
    rows.LockRow: lambda row: row.mark,
    rows.KeyRow: lambda row: (row.lock, row.name),
    rows.DeletionRow: lambda row: row.purpose,
    rows.CollectionReasonRow: lambda row: row.code,
    rows.CollectionNormRow: lambda row: row.name,
    rows.ParameterRow: lambda row: row.code,
    rows.ConditionRow: lambda row: row.code,
    rows.GateRow: lambda row: row.gate,
    rows.DutyRow: lambda row: row.code,
    rows.SwitchRow: lambda row: row.code,
}


def key_of(row: Row) -> Any:  # noqa: ANN401  each table has its own kind of key
    """Return what a row is looked up by in its table."""
    return _KEYS[type(row)](row)


def check(tables: Tables) -> None:
    """Check the tables against each other. Raises `CatalogueError` naming the row."""
    for name, table in tables.items():
        if name == "row":
            _check_routes(table, tables["unit"])
        elif name == "code":
            _refuse_overlaps(table, lambda one, other: one.code == other.code and bool({*one.gates} & {*other.gates}))
        else:
            _refuse_overlaps(table, lambda one, other: key_of(one) == key_of(other))
    for row, field, value, known in _references(tables):
        if value not in known:
            raise CatalogueError(row.where, f"{field}: „{value}“ kennt der Katalog nicht{close(value, known)}")
    for needed in _of(tables, "row", rows.NecessityRow):
        _refuse_both(needed)
    _check_figures(tables)
    for row, text, open_places in _texts(tables):
        if unknown := sorted(_places(text, row) - open_places):
            raise CatalogueError(row.where, f"der Text lässt offen, was niemand einsetzt: {', '.join(unknown)}")


def check_complete(view: CatalogueDay, day: date) -> None:
    """Check that a day with necessity rows has every row that a decision can ask for. Raises `CatalogueError`."""
    if not view.purposes_with_rows:
        return
    wanted: tuple[tuple[str, set[Any], set[Any]], ...] = (
        ("units.toml", {*UnitCode}, {*view.units}),
        ("categories.toml", {*DataCategory}, {*view.categories}),
        ("purposes.toml", {*view.purposes_with_rows}, {*view.purposes}),
        ("parameters.toml", set(PARAMETERS), {*view.parameters}),
        ("gates.toml", set(GATES), {*view.gates}),
        ("codes.toml", {(code, gate) for code, gates in CODES.items() for gate in gates}, {*view.codes}),
        ("locks.toml", {*_LOCKING}, {*view.locks}),
        ("declarations.toml", {*DECLARATIONS}, {*view.declarations}),
        ("conditions.toml", {c for row in view.routes.values() for c in row.conditional.values()}, {*view.conditions}),
    )
    for file, needed, there in wanted:
        if lacking := sorted(str(name) for name in needed - there):
            raise CatalogueError(file, f"am {day.isoformat()} fehlt eine Zeile für {', '.join(lacking)}")


def _refuse_both(row: rows.NecessityRow) -> None:
    if both := sorted({*row.necessary} & {*row.conditional}):
        names = ", ".join(both)
        raise CatalogueError(row.where, f"„necessary“ und „conditional“ nennen beide: {names}; nur eines kann gelten")


def _check_figures(tables: Tables) -> None:
    for duty in _of(tables, "duty", rows.DutyRow):
        _check_term(duty)
    for figure in _of(tables, "parameter", rows.ParameterRow):
        _check_figure(figure)


def _check_term(duty: rows.DutyRow) -> None:
    if not duty.bound:
        raise CatalogueError(duty.where, "„bound“ ist leer; eine Pflicht trifft jemanden")
    if duty.lasts is not rows.Lasts.FRIST and (duty.months, duty.days) != (0, 0):
        raise CatalogueError(duty.where, '„months“ und „days“ nur mit lasts = "frist"')
    if min(duty.months, duty.days) < 0:
        raise CatalogueError(duty.where, "eine Frist ist nicht negativ")
    if duty.months > MOST["_MONATE"] or duty.days > MOST["_TAGE"]:
        raise CatalogueError(duty.where, "eine Frist von mehr als hundert Jahren ist keine")


def _check_figure(figure: rows.ParameterRow) -> None:
    """Refuse what no law says, and what no calendar holds: a decision could not be taken by it."""
    most = next((most for ending, most in MOST.items() if figure.code.endswith(ending)), None)
    if figure.value < 0 or (most is not None and figure.value > most):
        raise CatalogueError(figure.where, f"„value“ muss zwischen 0 und {most or 'unendlich'} liegen")


def _refuse_overlaps(table: Iterable[Row], same: Callable[[Any, Any], bool]) -> None:
    for one, other in combinations(table, 2):
        if one.valid.overlaps(other.valid) and same(one, other) and not one.excludes(other):
            raise CatalogueError(
                other.where,
                f"sagt für dieselben Tage dasselbe wie {one.where}; die ältere Zeile schließen (valid_to = ihr letzter "
                "Tag) und die neue am Tag danach beginnen lassen",
            )


def switches_of(tables: Tables, names: Iterable[str]) -> frozenset[str]:
    """Return the switches that rows of these tables name."""
    found = (row for name in names for row in tables[name])
    return frozenset(switch for row in found for switch in (row.with_switch, *row.without_switches) if switch)


def _check_routes(table: Iterable[Row], units: Iterable[Row]) -> None:
    known = {row.code: row for row in units if isinstance(row, rows.UnitRow)}

    def same(one: rows.NecessityRow, other: rows.NecessityRow) -> bool:
        return (
            one.purpose == other.purpose
            and precision(one) == precision(other)
            and _share(one.sender, other.sender, known)
            and _share(one.recipient, other.recipient, known)
        )

    _refuse_overlaps(table, same)


def _share(one: str, other: str, units: Mapping[UnitCode, rows.UnitRow]) -> bool:
    return not {*matching(one, units)}.isdisjoint(matching(other, units))


def _references(tables: Tables) -> Iterator[tuple[Row, str, str, frozenset[str]]]:
    """Every name in a row that must be known elsewhere: row, kind of name, name, and the names known."""
    known = {
        "unit": frozenset(row.code.value for row in _of(tables, "unit", rows.UnitRow)) | {ANY},
        "purpose": frozenset(row.code for row in _of(tables, "purpose", rows.PurposeRow)),
        "category": frozenset(row.code.value for row in _of(tables, "category", rows.CategoryRow)),
        "condition": frozenset(row.code for row in _of(tables, "condition", rows.ConditionRow)),
        "gate": frozenset(row.gate for row in _of(tables, "gate", rows.GateRow)),
        "code": frozenset(row.code for row in _of(tables, "code", rows.CodeRow)),
        "switch": frozenset(row.code for row in _of(tables, "switch", rows.SwitchRow)),
        "controller": frozenset(row.controller for row in _of(tables, "unit", rows.UnitRow)),
    }
    for row in (row for table in tables.values() for row in table):
        named = {**_NAMES.get(type(row), _nothing)(row), "switch": (row.with_switch, *row.without_switches)}
        for kind, names in named.items():
            yield from ((row, kind, name, known[kind]) for name in names if name)


def _texts(tables: Tables) -> Iterator[tuple[Row, str, frozenset[str]]]:
    """Every text of a row that is filled for a case, and what can be filled in."""
    yield from ((row, row.text, CASE_PLACES) for row in _of(tables, "code", rows.CodeRow))
    yield from ((row, text, CASE_PLACES) for row in _of(tables, "gate", rows.GateRow) for text in (row.text, row.idle))
    yield from ((row, row.text, FIGURE_PLACES) for row in _of(tables, "parameter", rows.ParameterRow))


def _places(text: str, row: Row) -> frozenset[str]:
    try:
        return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)
    except ValueError as error:
        raise CatalogueError(row.where, "im Text steht eine geschweifte Klammer zu viel oder zu wenig") from error


def _nothing(_: Row) -> dict[str, Iterable[str]]:
    return {}


_NAMES: Mapping[type[Row], Callable[[Any], dict[str, Iterable[str]]]] = {
    rows.NecessityRow: lambda row: {
        "purpose": [row.purpose],
        "unit": [row.sender, row.recipient],
        "category": [*row.necessary, *row.conditional],
        "condition": row.conditional.values(),
    },
    rows.GroundRow: lambda row: {"purpose": [row.purpose] if row.purpose != ANY else [], "unit": [row.recipient]},
    rows.ConsentOnlyRow: lambda row: {
        "purpose": [*row.except_purposes, *row.except_par64_nein],
        "unit": row.recipients,
        "code": [row.code],
    },
    rows.BarredRow: lambda row: {"purpose": [row.purpose], "unit": [*row.senders, *row.recipients]},
    rows.ProofRow: lambda row: {
        "purpose": [row.purpose],
        "unit": [row.recipient],
        "controller": row.except_controllers,
    },
    rows.DefaultMarkRow: lambda row: {"unit": [row.sender]},
    rows.LockRow: lambda row: {"code": [row.code]},
    rows.KeyRow: lambda row: {"code": [row.lock], "purpose": row.purposes},
    rows.DeletionRow: lambda row: {"purpose": [row.purpose]},
    rows.CollectionNormRow: lambda row: {"purpose": [row.purpose], "unit": [row.recipient]},
    rows.CodeRow: lambda row: {"gate": row.gates},
}
"""Names that a row refers to, by kind; an empty one is none."""


def _of(tables: Tables, name: str, kind: type[R]) -> tuple[R, ...]:
    return tuple(row for row in tables[name] if isinstance(row, kind))
