"""Explanations of all cases: whole sentences, true to the decision, and impersonal."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from consent.casefile import CaseRecord
from consent.catalogue import Catalogue
from consent.decision import Decision, Permit
from consent.engine import decide
from consent.explanation.argument import Section, Sentence, explain, reasons_of
from consent.explanation.sentences import USUAL, Language, Said, sentences
from consent.facts import FirstCollection
from schemas.identifiers import DataCategory
from tests.consent.explanation.page import PAGE, SHOWN, cases, explained, page

ALL = tuple(cases().values())
SHORT = FirstCollection("VERSUCHT_FRUCHTLOS", asked=date(2026, 3, 13), deadline=date(2026, 3, 15))
#: A sentence's text has no code of the API, no placeholder and nothing empty.
WRONG = re.compile(r"[{}]|None|\(\)|: \.|, \.|\b[A-Z]+_[A-Z0-9_]+\b|\.\.|  ")


def texts(sections: tuple[Section, ...]) -> list[str]:
    """Return the text of all sentences."""
    return [sentence.text for section in sections for sentence in section.sentences]


def section(sections: tuple[Section, ...], key: str) -> tuple[Sentence, ...]:
    """Return the sentences of a section; none where it is left out."""
    return next((one.sentences for one in sections if one.key == key), ())


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_each_case_is_explained(catalogue: Catalogue, case: CaseRecord, language: Language) -> None:
    """Every sentence is whole; what falls is named with a reason; a refusal says what helps and obliges to nothing."""
    decision, sections = explained(case, catalogue, language)
    for text in texts(sections):
        assert not WRONG.search(text), text
        assert text.endswith("."), text
    told = {c for sentence in section(sections, "removed") for c in sentence.categories}
    keys = [one.key for one in sections]

    assert told == {removed.category for removed in decision.removed}
    assert {"outcome", "duties", "switches"} <= set(keys)
    assert keys == sorted(keys, key=["wanted", "outcome", "grounds", "removed", "remedies", "duties", "switches"].index)
    if isinstance(decision, Permit):
        assert {sentence.code for sentence in section(sections, "duties")} == set(decision.duties)
        assert bool(section(sections, "remedies")) == bool(decision.removed)
    elif "wanted" in keys:
        assert section(sections, "remedies")
        assert decision.code in {sentence.code for sentence in section(sections, "outcome")}


def test_what_may_pass_and_what_falls_are_told_apart(catalogue: Catalogue) -> None:
    """No category that passes as a whole is named as fallen, and the other way round."""
    for case in ALL:
        decision, sections = explained(case, catalogue, Language.DE)
        if isinstance(decision, Permit) and decision.removed:
            kept = {item.category for item in case.facts.items if item.id in decision.kept}
            shown = [
                s
                for s in section(sections, "grounds")
                if re.match("Es darf (übermittelt|weitergegeben) werden: ", s.text)
            ]
            assert [set(sentence.categories) for sentence in shown] == [kept], case.id


def test_no_reference_of_a_person_is_in_it(catalogue: Catalogue) -> None:
    """Ids of persons, blocks and consents could be anything: none is repeated, and no age is told."""
    for case in ALL:
        facts = replace(
            case.facts,
            persons=tuple(replace(p, ref=f"ref-{n}-{p.ref}") for n, p in enumerate(case.facts.persons)),
        )
        marked = {p.ref: f"ref-{n}-{p.ref}" for n, p in enumerate(case.facts.persons)}
        facts = replace(
            facts,
            items=tuple(replace(i, person=marked.get(i.person, i.person), id=f"block-{i.id}") for i in facts.items),
            consents=tuple(
                replace(c, person=marked.get(c.person, c.person), id=f"cons-{c.id}") for c in facts.consents
            ),
            objections=tuple(replace(o, person=marked.get(o.person or "", o.person)) for o in facts.objections),
        )
        decision = decide(facts, catalogue, case.on)
        for text in texts(explain(reasons_of(decision, facts), catalogue, Language.DE)):
            assert "ref-" not in text, case.id
            assert "block-" not in text, case.id
            assert "cons-" not in text, case.id


def test_terms_are_days_once_the_content_has_gone(catalogue: Catalogue) -> None:
    """Before the hand-over a term is relative; after it, it has its day."""
    case = cases()["C001"]
    _, before = explained(case, catalogue, Language.DE)
    _, after = explained(case, catalogue, Language.EN, handed_over=date(2026, 3, 20))
    [inform] = [s for s in section(after, "duties") if s.code == "INFO_EMPFAENGER"]

    assert any("spätestens einen Monat nach der Übergabe" in s.text for s in section(before, "duties"))
    assert inform.due == date(2026, 4, 20)
    assert "on 20 April 2026 at the latest" in inform.text


def decided(catalogue: Catalogue, name: str, *switches: str) -> tuple[Decision, tuple[Section, ...]]:
    """Decide a case with switches, and explain it in German."""
    case = cases()[name]
    decision = decide(case.facts, catalogue, case.on, frozenset(switches))
    return decision, explain(reasons_of(decision, case.facts), catalogue, Language.DE)


def test_disputed_points_are_named(catalogue: Catalogue) -> None:
    """A decision that used another reading says which."""
    _, sections = decided(catalogue, "C001", "EINSICHT_AB_14")
    assert section(sections, "switches")[0].text == (
        "In einer streitigen Frage galt die andere Lesart: Einsicht wird ab 14 vermutet."
    )


#: Case → a part of what is said in it of why, or of what helps.
SAID = {
    "C035": "am 31.03.2026, erneut ersuchen",
    "C212": "muss mindestens bis 16.03.2026 laufen",
    "C205": "Oder warten Sie ab, bis das Jobcenter um die Daten ersucht.",
    "C204": "ohne Zeile gibt es keinen Grund",
    "C203": "ob sie trotz des Widerrufs geschieht, entscheidet ein Mensch",
    "C063": "Nehmen Sie diese Daten nicht in die Nachricht auf: Religion und Weltanschauung, ethnische Herkunft.",
    "C026": "Holen Sie von der Person, die die Daten anvertraut hat, eine Einwilligung ein.",
    "C050": "dass die Weitergabe den Erfolg einer Hilfe gefährdet",
    "D04": "es sei ungewiss",
    "D08": "die betroffenen Personen haben eingewilligt",
    "C120": "den Vermieter als Empfänger",
    "C214": "keine Übermittlung zwischen zwei Verantwortlichen",
    "PR20": "Über eine Übermittlung nach § 68 SGB X entscheidet die Leitung",
    "PR21": "nur auf Ersuchen übermittelt",
    "PR22": "ein Ersuchen im Einzelfall zu beantworten",
    "PR34": "wo § 87 AufenthG dazu verpflichtet",
    "PR40": "keine Norm und keine Einwilligung trägt sie",
    "KS03": "Gewichtige Anhaltspunkte für die Gefährdung eines Kindes liegen nach der Erklärung",
    "V99": "Gesundheitsdaten gehen nicht allein auf eine Einwilligung hin",
    "Q13": "Diese Daten betreffen auch andere Mitglieder des Haushalts",
    "Q11": "Steuer-Identifikationsnummer",
    "W07": "Das registrierte Verfahren umfasst diese Daten nicht",
    "PR17": "Das Ersuchen ist älter als 6 Monate",
    "C210": "Holen Sie auch die Einwilligung des anderen Elternteils ein.",
}


@pytest.mark.parametrize(("name", "part"), SAID.items())
def test_the_sentence_that_fits_is_said(catalogue: Catalogue, name: str, part: str) -> None:
    """Of a code with several sentences the one is said that says what was the matter."""
    _, sections = decided(catalogue, name)
    assert part in " ".join(texts(sections))


def pattern(said: Said) -> re.Pattern[str]:
    """Return what finds a sentence, whatever it is filled with."""
    parts = re.split(r"\{\w+\}", said.de)
    return re.compile(".+?".join(re.escape(part.removesuffix(".")) for part in parts))


def test_every_reason_is_said_of_some_case(catalogue: Catalogue) -> None:
    """No sentence is there for nothing: each code, in each variant, and each condition explains a case."""
    undeclared = replace(cases()["B35"].facts.declarations, bedingungen=frozenset())
    more = (
        replace(cases()["B35"], facts=replace(cases()["B35"].facts, declarations=undeclared)),
        replace(
            cases()["KS52"], facts=replace(cases()["KS52"].facts, first_collection=FirstCollection("NICHT_VERSUCHT"))
        ),
        replace(cases()["KS52"], facts=replace(cases()["KS52"].facts, first_collection=SHORT)),
    )
    heard = "\n".join({text for case in (*ALL, *more) for text in texts(explained(case, catalogue, Language.DE)[1])})
    said = sentences()
    reasons = {key: code.why for key, code in said.codes.items()}
    reasons |= {(code, "unmet", ""): told.unmet for code, told in said.conditions.items()}
    reasons |= {(code, "met", ""): told.met for code, told in said.conditions.items()}

    unheard = {key for key, why in reasons.items() if not pattern(why).search(heard)}
    assert unheard == {("KEIN_GRUND", "G5", USUAL)}, "it is there for what no variant fits"


def test_a_concealed_reason_is_not_told(catalogue: Catalogue) -> None:
    """Where a record of another controller took data out, the category is told, and neither reason nor remedy."""
    case = cases()["C060"]
    decision = decide(case.facts, catalogue, case.on)
    hidden = tuple(f for f in decision.findings if f.gate != "G4 b")
    reasons = replace(reasons_of(decision, case.facts), findings=hidden, concealed=True)
    sections = explain(reasons, catalogue, Language.DE)
    [about] = [s for s in section(sections, "removed") if s.categories == (DataCategory.GESUNDHEIT,)]

    assert "die Datenschutzbeauftragten können ihn einsehen" in about.text
    assert (about.code, about.norms) == (None, ())
    assert not [text for text in texts(sections) if "§ 76" in text or "Schweigepflicht" in text]


def test_the_page_is_what_decisions_say_today(catalogue: Catalogue) -> None:
    """docs/law/explanations.md shows ten outcomes, word for word."""
    assert len(SHOWN) == len(set(SHOWN.values())) == 10
    assert PAGE.read_text(encoding="utf-8") == page(catalogue), "run: make law-docs"
