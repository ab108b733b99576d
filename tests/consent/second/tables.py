"""What the rows of the law say, as conditions of Cedar. Nothing here comes from `consent`: the files are read anew."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

RULES = Path(__file__).parents[3] / "consent" / "rules"
Row = dict[str, Any]
ANYONE = "*"
MEDICAL = ("ARZT_203", "GUTACHTEN")
IDENTITY = ("STAMMDATEN", "ORDNUNGSMERKMAL")
OF_SEVERAL = ("HAUSHALT", "UNTERHALT")

INTERNAL = """(if context has same then context.same
    else principal != resource && !context.other_body && principal.controller == resource.controller)"""
NAMED = "context.consented.contains(context.key)"
RELEASED = f"(context.released && {NAMED})"
REQUESTED = '["ERSUCHEN", "ABRUF"].contains(context.mode)'

KEY_CONDITIONS: Mapping[str, Callable[[Tables, str, Row], str]] = {
    "erklaert": lambda _, __, key: f"context.key_65 == {quoted(key['name'])}",
    "einwilligung_anvertrauer": lambda *_: f"({NAMED} && context.entrusted_by_person)",
    "hinweis_rechtzeitig": lambda *_: "context.noticed_76",
    "kein_widerspruch": lambda *_: "true",
    "entbindung": lambda *_: RELEASED,
    "entbindung_nach_widerspruch": lambda *_: RELEASED,
    "par69": lambda tables, purpose, _: tables.under_69(purpose),
    "gleicher_zweck": lambda _, purpose, __: f"context.origin_purpose == {quoted(purpose)}",
    "fachkraft": lambda *_: "context.fachkraft",
    "gewichtige_anhaltspunkte": lambda *_: 'context.signs == "ja"',
    "dringend": lambda *_: "context.urgent",
    "gefahrrelevant": lambda *_: "context.relevant.contains(context.category)",
    "nachweis": lambda *_: "context.proves",
}
"""What the conditions of the table of keys mean; no objection is ever asked."""

PROOFS: Mapping[str, Callable[[Tables], str]] = {
    "richterliche_anordnung": lambda _: "context.ordered",
    "ersuchen_68": lambda tables: (
        f'context has asked && {tables.fresh()} && context.head && context.mode == "ERSUCHEN"'
    ),
    "mahnung_74": lambda _: "context.court || (context.reminded && context.noticed_74 && context.deadline_over)",
    "ersuchen_oder_87": lambda tables: (
        f'if context.mode == "UNAUFGEFORDERT" then context.duty_87 else (!(context has asked) || {tables.fresh()})'
    ),
    "gewichtige_anhaltspunkte": lambda _: 'context.signs == "ja"',
}
"""What the proofs of a ground mean."""


def quoted(text: str) -> str:
    """Write a string of Cedar."""
    return json.dumps(text, ensure_ascii=False)


def a_set(names: Iterable[str]) -> str:
    """Write a set of strings of Cedar."""
    return f"[{', '.join(quoted(name) for name in names)}]"


def one_of(terms: Iterable[str]) -> str:
    """Join with or; of nothing, nothing holds."""
    asked = [term for term in terms if term != "false"]
    return "true" if "true" in asked else " || ".join(f"({term})" for term in asked) or "false"


def all_of(*terms: str) -> str:
    """Join with and; of nothing, all holds."""
    asked = [term for term in terms if term != "true"]
    return "false" if "false" in asked else " && ".join(f"({term})" for term in asked) or "true"


def no(term: str) -> str:
    """Turn a condition round."""
    return {"true": "false", "false": "true"}.get(term, f"!({term})")


def number(day: date) -> int:
    """Write a day as a number that grows with it."""
    return day.year * 10000 + day.month * 100 + day.day


def in_force(row: Row) -> str:
    """Whether a row counts on the day, with the switches that are on."""
    terms = [f"context.day >= {number(row['valid_from'])}"]
    if "valid_to" in row:
        terms.append(f"context.day <= {number(row['valid_to'])}")
    if "with_switch" in row:
        terms.append(f"context.switches.contains({quoted(row['with_switch'])})")
    if row.get("without_switches"):
        terms.append(f"!context.switches.containsAny({a_set(row['without_switches'])})")
    return all_of(*terms)


def counts(row: Row, day: date, switches: Iterable[str]) -> bool:
    """Tell the same of a unit's or a category's row, which become entities and attributes."""
    begun = row["valid_from"] <= day <= row.get("valid_to", date.max)
    on = "with_switch" not in row or row["with_switch"] in switches
    return begun and on and not {*switches} & {*row.get("without_switches", ())}


def side(who: str, unit: str) -> str:
    """Whether a side is the unit of a row; ``*`` is any social authority."""
    return f"{who}.social" if unit == ANYONE else f'{who} == Unit::"{unit}"'


def route(row: Row) -> str:
    """Whether a necessity row is in force and matches both sides."""
    return all_of(in_force(row), side("principal", row["sender"]), side("resource", row["recipient"]))


def precision(row: Row) -> int:
    """Count the units that a necessity row names."""
    return (row["sender"] != ANYONE) + (row["recipient"] != ANYONE)


@dataclass(frozen=True)
class Tables:
    """All rows by table, as the files have them."""

    rows: Mapping[str, list[Row]]

    @classmethod
    def read(cls, folder: Path = RULES) -> Tables:
        """Read every file of the folder."""
        found: dict[str, list[Row]] = {}
        for path in sorted(folder.glob("*.toml")):
            for name, rows in tomllib.loads(path.read_text("utf-8")).items():
                found.setdefault(name, []).extend(rows)
        return cls(found)

    @cached_property
    def purposes(self) -> list[str]:
        """Every purpose, in the order of the file."""
        return list(dict.fromkeys(row["code"] for row in self.rows["purpose"]))

    @cached_property
    def row_switches(self) -> list[str]:
        """Every switch that a row names."""
        rows = [row for table in self.rows.values() for row in table]
        return sorted({s for row in rows for s in (row.get("with_switch"), *row.get("without_switches", ())) if s})

    def of(self, table: str, purpose: str) -> list[Row]:
        """Return the rows of a purpose in a table."""
        return [row for row in self.rows[table] if row["purpose"] == purpose]

    def counting(self, row: Row) -> str:
        """Whether a necessity row matches and none that names more units does."""
        closer = [other for other in self.of("row", row["purpose"]) if precision(other) > precision(row)]
        return all_of(route(row), no(one_of(map(route, closer))))

    def any_route(self, purpose: str) -> str:
        """Whether any necessity row of the purpose matches."""
        return one_of(map(route, self.of("row", purpose)))

    def flag(self, purpose: str, name: str) -> str:
        """Whether the purpose has a property on that day."""
        return one_of(in_force(row) for row in self.rows["purpose"] if row["code"] == purpose and row.get(name))

    def figure(self, parameter: str, compared: str) -> str:
        """Whether a value, compared with a figure of the law, is as said."""
        rows = (row for row in self.rows["parameter"] if row["code"] == parameter)
        return one_of(all_of(in_force(row), f"{compared} {row['value']}") for row in rows)

    def fresh(self) -> str:
        """Whether a request is of the day or before it, and not too old."""
        return all_of("context.asked >= 0", self.figure("ERSUCHEN_MONATE", "context.asked <="))

    def only_consent(self, purpose: str, *, strict: bool = False) -> str:
        """Whether the statute does not carry here; `strict`: whether one item that no consent names stops the case."""
        found = []
        for row in self.rows["consent_only"]:
            if purpose in row.get("except_purposes", ()) or (strict and row["code"] == "KEIN_GRUND"):
                continue
            here = "true" if ANYONE in row["recipients"] else one_of(side("resource", r) for r in row["recipients"])
            nein = 'context.par64 != "nein"' if purpose in row.get("except_par64_nein", ()) else "true"
            mode = f"{a_set(row['modes'])}.contains(context.mode)"
            found.append(all_of(in_force(row), side("principal", row["sender"]), here, mode, nein))
        return one_of(found)

    def by_consent(self, purpose: str) -> str:
        """Whether consent alone can carry."""
        return one_of([self.only_consent(purpose), self.flag(purpose, "nur_einwilligung")])

    def ground(self, row: Row) -> str:
        """Whether a ground is in force for the sender's law and the recipient, none naming the recipient before it."""
        alike = ("purpose", "regime", "basis")
        closer = (
            other
            for other in self.rows["ground"]
            if row["recipient"] == ANYONE != other["recipient"] and all(other[name] == row[name] for name in alike)
        )
        others = one_of(all_of(in_force(other), side("resource", other["recipient"])) for other in closer)
        here = "true" if row["recipient"] == ANYONE else side("resource", row["recipient"])
        return all_of(in_force(row), f"principal.regime == {quoted(row['regime'])}", here, no(others))

    def grounds(self, purpose: str, basis: str) -> list[Row]:
        """Return the grounds of a purpose by statute or by consent."""
        return [row for row in self.of("ground", purpose) if row["basis"] == basis]

    def under_69(self, purpose: str) -> str:
        """Whether it is a transfer under § 69 SGB X."""
        rows = [
            row
            for row in self.grounds(purpose, "gesetz")
            if any(f"{norm} ".startswith("SGB X § 69 ") for norm in row["norms"])
        ]
        return all_of(self.any_route(purpose), no(self.by_consent(purpose)), one_of(map(self.ground, rows)))

    def collected(self, purpose: str) -> str:
        """Whether the recipient's record of the first collection lets it ask elsewhere."""
        days = self.figure("ERSTERHEBUNG_FRIST_TAGE", "context.answer_days >=")
        tried = all_of('context.status == "VERSUCHT_FRUCHTLOS"', "context.answer_over", days)
        reasons = one_of(
            all_of(in_force(row), f"context.reason == {quoted(row['code'])}") for row in self.rows["collection_reason"]
        )
        norms = []
        for row in self.rows["collection_norm"]:
            where = "true" if row.get("purpose") == purpose else side("resource", row.get("recipient", "-"))
            norms.append(all_of(in_force(row), where, f"context.norm == {quoted(row['norms'][0])}"))
        task = one_of([self.flag(purpose, "schutzauftrag"), 'resource.controller == "SGB8"', "!principal.par35"])
        return one_of(
            [
                tried,
                all_of('context.status == "UNVERHAELTNISMAESSIG"', reasons),
                all_of('context.status == "RECHTSNORM"', one_of(norms)),
                all_of('context.status == "AUFGABENART"', task),
            ]
        )

    def marked(self, mark: str) -> str:
        """Whether an item bears a mark: declared, else by default."""
        default = self.by_default(mark, received=False)
        return one_of([f"context.marks.contains({quoted(mark)})", all_of("context.marks == []", default)])

    def travelling(self, mark: str) -> str:
        """Whether a received item came under a mark."""
        default = self.by_default(mark, received=True)
        came = f"if context has origin_mark then context.origin_mark == {quoted(mark)} else ({default})"
        return one_of(['context.marks.contains("BEISTAND")', came]) if mark == "BEISTAND" else came

    def by_default(self, mark: str, *, received: bool) -> str:
        """Whether a row gives the mark to items of this category from this unit."""
        found = []
        for row in self.rows["default_mark"]:
            if row["mark"] != mark or (row.get("received_only") and not received):
                continue
            kinds = [f"{a_set(row['categories'])}.contains(context.category)"] if row.get("categories") else []
            kinds += [f"{a_set(row['classes'])}.contains(context.klass)"] if row.get("classes") else []
            unit = f"context.origin == {quoted(row['sender'])}" if received else side("principal", row["sender"])
            found.append(
                all_of(in_force(row), "true" if row["sender"] == ANYONE else unit, one_of(kinds) if kinds else "true")
            )
        return one_of(found)

    def opened(self, purpose: str, lock: str, mark: str | None) -> str:
        """Whether a key opens the lock of a mark (None: the lock has none)."""
        found = []
        for key in self.rows["key"]:
            fits = key["lock"] == lock and (mark is None or mark in key.get("marks", ()))
            if fits and (not key.get("purposes") or purpose in key["purposes"]):
                here = one_of(side("resource", unit) for unit in key["recipients"]) if key.get("recipients") else "true"
                asked = (KEY_CONDITIONS[condition](self, purpose, key) for condition in key["conditions"])
                found.append(all_of(in_force(key), here, *asked))
        return one_of(found)
