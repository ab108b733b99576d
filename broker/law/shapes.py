"""How a row of the catalogue looks over HTTP and in JSON."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from consent.book.entries import Entry
from consent.book.words import GRADES, cited

ROW_ID = "row.KITA_BEITRAG.alle.JUGENDAMT_KITA.2018-05-25"
TEXT = (
    "Von jeder Sozialbehörde an „Jugendamt (Kita-Stelle)“ darf übermittelt werden (KANN), was „Elternbeitrag für die "
    "Kita“ "
    "erfordert: Stammdaten, Leistungsbezug. Alles andere entfällt."
)


class RowField(BaseModel):
    """One field of a row: its name and value as in the catalogue, and both in German."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["necessary"])
    label: str = Field(description="deutscher Name", examples=["erforderlich"])
    value: Any = Field(description="Kürzel, Zahlen, Tage", examples=[["STAMMDATEN", "LEISTUNGSBEZUG"]])
    text: str = Field(description="dasselbe auf Deutsch", examples=["Stammdaten, Leistungsbezug"])


class Evidence(BaseModel):
    """How well a row was checked."""

    model_config = ConfigDict(extra="forbid")

    grade: str = Field(description="V, S oder K", examples=["S"])
    text: str = Field(description="was der Beleg bedeutet", examples=[GRADES["S"][1]])
    source: str = Field(examples=["Haufe, Datenschutz Kinder- und Jugendhilfe; Regeldossier 8, 9"])
    checked_on: date = Field(description="zuletzt geprüft", examples=["2026-11-22"])


class LawRow(BaseModel):
    """One row of the catalogue."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="Kennung; dieselbe in jedem Katalog mit dieser Zeile", examples=[ROW_ID])
    table: str = Field(examples=["row"])
    kind: str = Field(description="was die Zeile ist", examples=["Erforderlich auf einem Weg"])
    title: str = Field(examples=["„Elternbeitrag für die Kita“: jede Sozialbehörde → Jugendamt (Kita-Stelle)"])
    text: str = Field(description="was die Zeile entscheidet", examples=[TEXT])
    note: str = Field(description="Anmerkung, sonst leer", examples=[""])
    norms: list[str] = Field(examples=[["SGB VIII § 90 Abs. 4", "SGB X § 69 Abs. 1"]])
    norms_text: list[str] = Field(
        description="wie man sie zitiert", examples=[["§ 90 Abs. 4 SGB VIII", "§ 69 Abs. 1 SGB X"]]
    )
    valid_from: date = Field(examples=["2018-05-25"])
    valid_to: date | None = Field(description="letzter Tag; null: offen", examples=[None])
    counts: bool = Field(description="false: nur mit einem Schalter, der aus ist", examples=[True])
    evidence: Evidence
    fields: list[RowField]


class LawPage(BaseModel):
    """A page of rows; `next_cursor` is missing on the last."""

    model_config = ConfigDict(extra="forbid")

    fingerprint: str = Field(description="der Katalog; jede Entscheidung nennt ihren", examples=["c0f3f209bae78451…"])
    notice: str = Field(description="keine Rechtsberatung; wie geprüft wurde")
    items: list[LawRow]
    next_cursor: str | None = None


def law_row(entry: Entry) -> LawRow:
    """Return a row in its shape."""
    row = entry.row
    return LawRow(
        id=entry.id,
        table=entry.table,
        kind=entry.kind,
        title=entry.title,
        text=entry.text,
        note=row.note,
        norms=list(row.norms),
        norms_text=[cited(norm) for norm in row.norms],
        valid_from=row.valid.start,
        valid_to=row.valid.end,
        counts=not row.with_switch,
        evidence=Evidence(grade=row.grade, text=GRADES[row.grade][1], source=row.source, checked_on=row.checked_on),
        fields=[RowField(name=one.name, label=one.label, value=one.raw, text=one.text) for one in entry.fields],
    )


def entry_json(entry: Entry) -> dict[str, Any]:
    """Return a row as JSON values, in the same shape as over HTTP."""
    return law_row(entry).model_dump(mode="json")
