"""Show what was answered as a table that can be read in black and white, at 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.demo.scenes import ACCEPTED, Looked, Played
from broker.demo.story import OFFICES

WIDTH = 100
"""Columns where the output is no terminal, and the most that is used of one."""

#: State → what it says.
STATES: Mapping[str, str] = {
    "accepted": "angenommen",
    "publishing": "unterwegs",
    "published": "bereit",
    "handing_over": "übergeben",
    "delivered": "zugestellt",
    "acknowledged": "quittiert: angenommen",
    "processed": "quittiert: verarbeitet",
    "rejected": "vom Empfänger abgelehnt",
    "returned": "zurückgegeben",
    "withdrawn": "durch Widerruf beendet",
    "recalled": "zurückgerufen",
    "expired": "abgelaufen",
    "dead": "unzustellbar",
    "discarded": "verworfen",
}
SHOWN_NORMS = 2
TELLING = ("G4 a", "G4 b", "G7", "G6")
"""Gates whose finding tells most about a permit, where they had something to ask; the first of them is shown."""
NOT_SENT = "nichts gesendet"

ALLOWED, REDUCED, REFUSED, TURNED_AWAY = "zulässig", "gekürzt", "abgelehnt", "zurückgewiesen"
STYLES: Mapping[str, str] = {ALLOWED: "green", REDUCED: "yellow", REFUSED: "red", TURNED_AWAY: "magenta"}

LEGEND = (
    (ALLOWED, "Das Recht trägt alles; die Nachricht ist angenommen."),
    (REDUCED, "Was nicht sein darf, ist herausgenommen (signiert vermerkt); der Rest ist angenommen."),
    (REFUSED, "Das Recht trägt es nicht; Norm und Grund stehen dabei, nichts ist gesendet."),
    (TURNED_AWAY, "Die Anfrage selbst stimmt nicht (Kennung, Anmeldung); das Recht war nicht gefragt."),
)
KINDS: Mapping[str, str] = {
    "incomplete": "es fehlt etwas",
    "gap": "das Recht hat hier keine Zeile",
    "human": "ein Mensch entscheidet",
    "not_permitted": "",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A row of the table, as texts."""

    what: str
    way: str
    purpose: str
    word: str
    note: str
    why: str
    end: str


def console() -> Console:
    """Return the console: at most `WIDTH` columns, in colour only where a terminal shows it."""
    out = Console(highlight=False, soft_wrap=False)
    return Console(highlight=False, width=min(out.width, WIDTH) if out.is_terminal else WIDTH)


def word_of(played: Played) -> str:
    """Name the answer with one of four words."""
    if played.answer.outcome == "PERMIT":
        return ALLOWED
    if played.answer.outcome == "PERMIT_REDUCED":
        return REDUCED
    return REFUSED if played.answer.outcome == "DENY" else TURNED_AWAY


def shown(played: Played) -> Shown:
    """Put an answer into words; all of them are the API's, but for the four and the names of states."""
    step, answer = played.step, played.answer
    sender, recipient = OFFICES[step.sender][0], OFFICES[step.recipient][0]
    speaker = f"{OFFICES[step.speaker][0]} als " if step.speaker else ""
    return Shown(
        what=step.title,
        way=f"{speaker}{sender} → {recipient}",
        purpose=played.sent.purpose,
        word=word_of(played),
        note=note_of(played),
        why=reason(played.body, word_of(played)),
        end=STATES.get(answer.end, answer.end) if answer.end else NOT_SENT,
    )


def note_of(played: Played) -> str:
    """Say what is special about an answer, a few words."""
    if played.answer.repeated:
        return "schon beantwortet"
    if played.step.check:
        return "nur geprüft"
    if played.body.get("decision") and played.answer.status == ACCEPTED and played.body["decision"]["consents"]:
        return "mit Einwilligung"
    return KINDS.get(played.answer.kind, "")


def reason(body: Mapping[str, Any], word: str) -> str:
    """Return code, norm and short text, as the API answered them."""
    if word is ALLOWED:
        return _grounds(body["decision"])
    if word is REDUCED or body.get("removed"):
        fallen = ", ".join(f"{block['category']}" for block in body["removed"])
        codes = ", ".join(dict.fromkeys(block["code"] for block in body["removed"]))
        reasons = _norms(norm for block in body["removed"] for norm in block["norms"])
        return _joined(f"{body['code']}: {codes}" if "code" in body else codes, reasons, f"Zu viel: {fallen}.")
    if word is TURNED_AWAY:
        return _joined(f"HTTP {body['status']} {str(body['type']).rpartition('/')[2]}", "", str(body["detail"]))
    norms: list[str] = next((f["norms"] for f in body["findings"] if f["outcome"] == "deny"), [])
    return _joined(str(body["code"]), _norms(norms), _first_sentence(str(body["detail"])))


def _grounds(decision: Mapping[str, Any]) -> str:
    """Return the norms that carry the transfer, and the finding that tells most about it."""
    asked = {f["gate"]: f["text"] for f in decision["findings"] if f["norms"]}
    text = next((asked[gate] for gate in TELLING if gate in asked), "")
    return _joined("", _norms(decision["grounds"]), _first_sentence(text))


def _norms(norms: Iterable[str]) -> str:
    """Return the first norms; all of them are in the API's answer."""
    distinct = list(dict.fromkeys(norms))
    return ", ".join(distinct[:SHOWN_NORMS]) + (" u. a." if len(distinct) > SHOWN_NORMS else "")


def _joined(code: str, norms: str, text: str) -> str:
    return "\n".join(part for part in (code, norms, text) if part)


def _first_sentence(text: str) -> str:
    """Return the first sentence; a dot after an abbreviation or a number ends none."""
    for position, char in enumerate(text):
        rest = text[position + 1 :]
        word = text[:position].rpartition(" ")[2]
        ends = len(word) > 3 and word.isalpha()  # noqa: PLR2004 - Abs, Nr, Art, vgl are no ends
        if char == "." and rest.startswith(" ") and rest[1:2].isupper() and ends:
            return text[: position + 1]
    return text


def table_of(played: Sequence[Played]) -> Table:
    """Lay out the steps."""
    table = Table(box=box.HORIZONTALS, show_lines=True, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Nr", justify="right", width=2)
    table.add_column("was; wer → an wen; zu welchem Zweck", width=32, overflow="fold")
    table.add_column("Antwort", width=16, overflow="fold")
    table.add_column("warum: Kennwort, Norm, Befund", ratio=1, overflow="fold")
    table.add_column("am Ende", width=13, overflow="fold")
    for number, step in enumerate(played, start=1):
        row = shown(step)
        what = Text(row.what, style="bold").append(f"\n{row.way}\n{row.purpose}", style="not bold")
        answer = Text(row.word, style=f"bold {STYLES[row.word]}")
        if row.note:
            answer.append(f"\n{row.note}", style="not bold")
        table.add_row(str(number), what, answer, Text(row.why), Text(row.end))
    return table


def legend() -> Text:
    """Explain the four words."""
    text = Text()
    for word, meaning in LEGEND:
        text.append(f"{word:<15}", style=STYLES[word]).append(f"{meaning}\n")
    return text


def looked_text(number: int, seen: Looked) -> str:
    """Say what the officer saw."""
    own = "die Einsicht steht selbst im Protokoll" if seen.look_recorded else "die Einsicht fehlt im Protokoll"
    return f"Einsicht der Datenschutzbeauftragten zu Nr. {number}: {'; '.join(seen.titles)}. Und {own}."


def summary(played: Sequence[Played]) -> str:
    """Count the answers."""
    words = [word_of(p) for p in played]
    counted = ", ".join(f"{words.count(word)} {word}" for word in STYLES if word in words)
    return f"{len(played)} Übermittlungen, davon {counted};"
