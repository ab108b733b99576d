"""What a row decides, in plain German: one text for each row, true to it and to how the gates use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from consent import rows
from consent.book import words
from consent.book.names import ANYBODY, Names
from consent.book.words import listed, opened
from consent.rows import ANY, Regime, Row

_SOCIAL_REGIMES = frozenset(Regime) - {Regime.KEINES}


def sentence(row: Row, names: Names) -> str:
    """Say what a row decides, and with which switch of a disputed point it counts."""
    return f"{_SENTENCES[type(row)](row, names)} {switched(row)}".strip()


def switched(row: Row) -> str:
    """Say with or without which switch a row counts; empty where it hangs on none."""
    if row.with_switch:
        return f"Diese Zeile zählt nur mit dem Schalter {row.with_switch}; er ist aus, sie zählt also nicht."
    if row.without_switches:
        off = "er ist aus" if len(row.without_switches) == 1 else "sie sind aus"
        return f"Mit dem Schalter {listed(row.without_switches, 'oder')} zählte diese Zeile nicht; {off}."
    return ""


def _unit(row: rows.UnitRow, names: Names) -> str:
    kind = "eine Stelle nach § 35 SGB I" if row.par35 else "keine Stelle nach § 35 SGB I"
    private = "; sie ist privat" if row.private else ""
    others = [name for name in names.together[row.controller] if name != row.name]
    same = f" Mit {listed(others)} derselben Behörde ist sie ein Verantwortlicher." if others else ""
    sends = (
        f"Übermittelt diese Stelle, so {words.REGIMES[row.regime]}."
        if row.social
        else "Sie kann hier nur empfangen, und nur wo ein Zweck sie nennt."
    )
    return f"„{row.name}“ ist {kind}{private}. {sends}{same}"


def _category(row: rows.CategoryRow, _: Names) -> str:
    return f"Die Datenkategorie „{row.name}“ gehört zur Klasse {row.klass.value}: {words.CLASSES[row.klass]}."


def _purpose(row: rows.PurposeRow, names: Names) -> str:
    if row.ohne_aufgabe:
        return f"Zum Zweck „{row.name}“ hat der Empfänger keine Aufgabe; jede Übermittlung wird abgelehnt."
    if row.nur_intern:
        return (
            f"„{row.name}“ ist keine Übermittlung: Der Zweck gilt nur, wo Absender und Empfänger ein Verantwortlicher "
            "sind; "
            "zwischen zwei Verantwortlichen trägt er nichts."
        )
    parts = [f"Zum Zweck „{row.name}“ {_may(bound=row.pflicht)}."]
    if row.nur_einwilligung:
        parts.append("Kein Gesetz trägt ihn: Jedes Datum braucht eine wirksame Einwilligung, die es nennt.")
    if row.nur_auf_ersuchen:
        parts.append("Unaufgefordert wird zu diesem Zweck nichts übermittelt.")
    if row.schutzauftrag:
        parts.append(
            "Er dient dem Schutz eines Kindes: § 64 Abs. 2 SGB VIII wird nicht gefragt, schutzwürdige Interessen und "
            "Widersprüche halten ihn nicht auf."
        )
    return " ".join([*parts, _kern(row.kern, names)])


def _may(*, bound: bool) -> str:
    if bound:
        return "muss übermittelt werden (MUSS); Widerspruch, Verweigerung und Widerruf halten das nicht auf"
    return "darf übermittelt werden (KANN)"


def _kern(kern: Iterable[str], names: Names) -> str:
    carried = ", ".join(names.category_names(kern))
    if not carried:
        return (
            "Muss etwas entfernt werden und bleiben nur Stammdaten und Ordnungsmerkmale übrig, so wird die ganze "
            "Übermittlung abgelehnt."
        )
    return (
        f"Es kommt an auf: {carried}. Muss etwas entfernt werden und bleibt davon nichts übrig, so wird die ganze "
        "Übermittlung abgelehnt."
    )


def _necessity(row: rows.NecessityRow, names: Names) -> str:
    if row.purpose in names.closed:
        return (
            f"Zum Zweck {names.purpose(row.purpose)} hat der Empfänger keine Aufgabe; diese Zeile lässt nichts durch."
        )
    way = f"Von {_from(row.sender, names)} an {_to(row.recipient, names)}"
    bound = row.pflicht or row.purpose in names.bound
    said = [
        (
            f"{way} {_may(bound=bound)}, was {names.purpose(row.purpose)} erfordert: "
            f"{', '.join(names.category_names(row.necessary)) or 'nichts ohne Bedingung'}."
        )
    ]
    if row.conditional:
        items = [
            f"{names.categories.get(category, category)} ({names.conditions.get(code, code)})"
            for category, code in row.conditional.items()
        ]
        said.append(f"Nur unter der genannten Bedingung: {'; '.join(items)}.")
    said.append("Alles andere entfällt.")
    if row.nur_auf_ersuchen:
        said.append("Unaufgefordert wird auf diesem Weg nichts übermittelt.")
    if row.kern:
        said.append(_kern(row.kern, names))
    return " ".join(said)


def _from(code: str, names: Names) -> str:
    return "jeder Sozialbehörde" if code == ANY else f"„{names.unit(code)}“"


def _to(code: str, names: Names, everybody: str = "jede Sozialbehörde") -> str:
    return everybody if code == ANY else f"„{names.unit(code)}“"


def _several(codes: Iterable[str], names: Names, one: Callable[[str, Names], str]) -> str:
    return listed([one(code, names) for code in codes], "oder")


def _anybody(code: str, names: Names) -> str:
    return _to(code, names, ANYBODY)


def _ground(row: rows.GroundRow, names: Names) -> str:
    sender = words.SENDERS[row.regime]
    norms = words.cited_all(row.norms)
    if row.basis == "einwilligung":
        return f"Übermittelt {sender} auf Einwilligung, so beruht das auf: {norms}."
    if row.recipient == ANY:
        return (
            f"Übermittelt {sender} zum Zweck {names.purpose(row.purpose)} auf einem seiner Wege, so trägt das: {norms}."
        )
    way = f"zum Zweck {names.purpose(row.purpose)} an {_to(row.recipient, names)}"
    return f"Übermittelt {sender} {way}, so trägt das allein: {norms}."


def _consent_only(row: rows.ConsentOnlyRow, names: Names) -> str:
    modes = listed([words.MODES[mode] for mode in row.modes], "oder")
    said = [
        (
            f"Übermittelt „{names.unit(row.sender)}“ {modes} an {_several(row.recipients, names, _anybody)}, so trägt "
            "das Gesetz "
            f"nicht: Jedes Datum braucht eine wirksame Einwilligung, die es nennt; sonst wird mit {row.code} abgelehnt."
        )
    ]
    if row.except_purposes:
        said.append(f"Ausgenommen: {listed([names.purpose(code) for code in row.except_purposes])}.")
    if row.except_par64_nein:
        said.append(
            f"Ausgenommen ist auch {listed([names.purpose(code) for code in row.except_par64_nein])}, wenn das "
            "Jugendamt nach "
            "§ 64 Abs. 2 SGB VIII erklärt hat, dass der Erfolg keiner Hilfe gefährdet ist."
        )
    return " ".join(said)


def _barred(row: rows.BarredRow, names: Names) -> str:
    senders, recipients = _several(row.senders, names, _from), _several(row.recipients, names, _to)
    return (
        f"Von {senders} an {recipients} trägt den Zweck {names.purpose(row.purpose)} kein Gesetz und keine "
        "Einwilligung; "
        "die Übermittlung wird abgelehnt."
    )


def _proof(row: rows.ProofRow, names: Names) -> str:
    said = (
        f"Zum Zweck {names.purpose(row.purpose)} an {_to(row.recipient, names)} wird nur übermittelt, wenn vorliegt: "
        f"{words.PROOFS[row.proof]}."
    )
    if not {*row.regimes} >= _SOCIAL_REGIMES:
        said += f" Gefragt wird das, wenn {listed([words.SENDERS[one] for one in row.regimes], 'oder')} übermittelt."
    exempt = [name for controller in row.except_controllers for name in names.together.get(controller, ())]
    return said + (f" Nicht gefragt wird das bei {listed(exempt)} als Absender." if exempt else "")


def _procedure(row: rows.ProcedureRow, _: Names) -> str:
    approved = "genehmigtes, " if row.approved else ""
    return (
        f"Übermittelt {words.SENDERS[row.regime]} {words.MODES[row.mode]}, so braucht das ein registriertes, aktives, "
        f"{approved}der Aufsicht (LDI) angezeigtes Verfahren; Datenkategorien, die es nicht nennt, entfallen."
    )


def _declaration(row: rows.DeclarationRow, _: Names) -> str:
    return f"Angabe {row.code}: Fehlt sie und fragt eine Prüfung nach ihr, so heißt es: Es fehlt {row.name}."


def _default_mark(row: rows.DefaultMarkRow, names: Names) -> str:
    of_classes = [name for klass in row.classes for name in names.classes.get(klass.value, ())]
    what = ", ".join(dict.fromkeys([*names.category_names(row.categories), *of_classes])) or "alle Datenkategorien"
    who = "jeder Stelle" if row.sender == ANY else f"„{names.unit(row.sender)}“"
    came = "Ist zu Daten, die von einer anderen Stelle empfangen wurden," if row.received_only else "Ist zur Herkunft"
    declared = f"{came} keine weitere Herkunft erklärt" if row.received_only else f"{came} nichts erklärt"
    return f"{declared}, so gilt von {who} als „{words.MARKS[row.mark]}“: {what}."


def _lock(row: rows.LockRow, _: Names) -> str:
    return (
        f"Daten der Herkunft „{words.MARKS[row.mark]}“ sind gesperrt. Öffnet kein Schlüssel, so entfallen sie mit "
        f"{row.code}. "
        f"In der Reihenfolge der Sperren steht diese an Stelle {row.rank}."
    )


def _key(row: rows.KeyRow, names: Names) -> str:
    data = listed([f"„{words.MARKS[mark]}“" for mark in row.marks], "oder")
    only = [f"bei Daten der Herkunft {data}"] if row.marks else []
    only += [f"zum Zweck {listed([names.purpose(code) for code in row.purposes], 'oder')}"] if row.purposes else []
    only += [f"an {_several(row.recipients, names, _to)}"] if row.recipients else []
    where = f", nur {', '.join(only)}" if only else ""
    several = len(row.conditions) > 1
    asked = [words.KEY_CONDITIONS[condition] for condition in row.conditions]
    needs = "; ".join(f"({place}) {one}" if several else one for place, one in enumerate(asked, start=1))
    together = "wenn zugleich" if several else "wenn"
    return (
        f"Der Schlüssel „{row.name}“ öffnet die {words.LOCKS.get(row.lock, row.lock)}{where}, {together} gilt: {needs}."
    )


def _deletion(row: rows.DeletionRow, names: Names) -> str:
    return (
        f"Was zum Zweck {names.purpose(row.purpose)} übermittelt wurde, ist danach zu löschen und darf zu keinem "
        "anderen "
        "Zweck weitergegeben werden, auch nicht bei demselben Verantwortlichen."
    )


def _reason(row: rows.CollectionReasonRow, _: Names) -> str:
    return (
        "Von der Erhebung bei der Person darf der Empfänger wegen unverhältnismäßigen Aufwands absehen, wenn dies der "
        f"Grund ist: {row.name}."
    )


def _collection_norm(row: rows.CollectionNormRow, names: Names) -> str:
    where = (
        f"Zum Zweck {names.purpose(row.purpose)}"
        if row.purpose
        else f"Als Empfänger darf „{names.unit(row.recipient)}“"
    )
    rest = "darf der Empfänger " if row.purpose else ""
    return (
        f"{where} {rest}die Daten bei einer anderen Stelle statt bei der Person erheben: {words.cited(row.norms[0])}."
    )


def _parameter(row: rows.ParameterRow, _: Names) -> str:
    return row.text.format(wert=row.value)


def _condition(row: rows.ConditionRow, _: Names) -> str:
    fulfilled = f"Bedingung „{row.name}“: Sie ist erfüllt, wenn {words.FULFILLED[row.how]}"
    part = listed([words.PARTS[one] for one in row.part], "oder")
    if not part:
        return f"{fulfilled}."
    if row.how is rows.Fulfilled.ELEMENT:
        return f"{fulfilled}: {part}."
    return (
        f"{fulfilled}, oder das Datum in einem eigenen Element der Nachricht steht, das nichts weiter enthält: {part}."
    )


def _code(row: rows.CodeRow, names: Names) -> str:
    gates = listed([f"{gate} ({names.gates.get(gate, gate)})" for gate in row.gates], "oder")
    return f"Art: {words.KINDS[row.kind]}. Geprüft an {gates}. Der Befund lautet: „{opened(row.text)}“"


def _gate(row: rows.GateRow, _: Names) -> str:
    if row.text == row.idle:
        return f"{row.gate}, {row.name}: „{opened(row.text)}“"
    return f"{row.gate}, {row.name}. Bestanden: „{opened(row.text)}“ Nichts zu fragen: „{opened(row.idle)}“"


def _duty(row: rows.DutyRow, _: Names) -> str:
    when = words.OCCASIONS[row.when]
    arises = f"Sie entsteht{',' if when.startswith('wenn') else ''} {when}"
    whom = listed([words.BOUND[one] for one in row.bound])
    return f"Pflicht „{row.name}“: {arises}. Sie trifft {whom}; {_term(row)}."


def _term(row: rows.DutyRow) -> str:
    if row.lasts is not rows.Lasts.FRIST:
        return words.LASTS[row.lasts]
    months = ["einem Kalendermonat" if row.months == 1 else f"{row.months} Kalendermonaten"] if row.months else []
    days = ["einem Tag" if row.days == 1 else f"{row.days} Tagen"] if row.days else []
    within = listed([*months, *days])
    return (
        f"zu erfüllen ist sie binnen {within} nach der Aushändigung"
        if within
        else "zu erfüllen ist sie spätestens am Tag der Aushändigung"
    )


def _switch(row: rows.SwitchRow, _: Names) -> str:
    off = "das Gateway entscheidet stets mit allen Schaltern aus"
    return f"Streitpunkt: {row.name}. Das gilt nur, wenn der Schalter an ist; {off}."


_SENTENCES: Mapping[type[Row], Callable[[Any, Names], str]] = MappingProxyType(
    {
        rows.UnitRow: _unit,
        rows.CategoryRow: _category,
        rows.PurposeRow: _purpose,
        rows.NecessityRow: _necessity,
        rows.GroundRow: _ground,
        rows.ConsentOnlyRow: _consent_only,
        rows.BarredRow: _barred,
        rows.ProofRow: _proof,
        rows.ProcedureRow: _procedure,
        rows.DeclarationRow: _declaration,
        rows.DefaultMarkRow: _default_mark,
        rows.LockRow: _lock,
        rows.KeyRow: _key,
        rows.DeletionRow: _deletion,
        rows.CollectionReasonRow: _reason,
        rows.CollectionNormRow: _collection_norm,
        rows.ParameterRow: _parameter,
        rows.ConditionRow: _condition,
        rows.CodeRow: _code,
        rows.GateRow: _gate,
        rows.DutyRow: _duty,
        rows.SwitchRow: _switch,
    }
)
