"""The engine and a second implementation of the law's tables, in Cedar, answer 100,000 requests alike.

What the second one covers, and what it does not, says `tests.consent.second`. ``make second`` asks as many others.
"""

from __future__ import annotations

from itertools import islice

import pytest

from consent.catalogue import RULES, read_catalogue
from tests.consent.second.compare import BATCH, PART, all_policies, compared, rounded

PARTS = 10
SEEN = {
    *("permit", "permit, reduced", "G3 KEINE_AUFGABE", "G4 a PAR65", "G4 b PAR76", "G4 c PAR64_2", "G4 e PAR203"),
    *("G4 d SCHUTZINTERESSE", "G5 KEIN_GRUND", "G5 PAR68", "G5 ANORDNUNG_FEHLT", "G5 ERSUCHEN_VERALTET"),
    *("G5 PAR74_MAHNUNG", "G5 VERPFLICHTUNG_FEHLT", "G5 NICHT_ERFORDERLICH", "G6 NICHT_ERFORDERLICH"),
    *("G7 ERSTERHEBUNG_FEHLT", "G7 ERSTERHEBUNG_FRIST", "G8 SCHUTZINTERESSE", "G9 VERFAHREN_NICHT_REGISTRIERT"),
    *("G0 KEIN_GRUND", "G2 UNVOLLSTAENDIG", "G4 EMPFANGEN LOESCHPFLICHT", "G4 EMPFANGEN PAR76"),
}
"""What each part meets; a part that does not compares less than it says."""


@pytest.mark.parametrize("part", range(PARTS))
def test_both_answer_alike(part: int) -> None:
    """Of 10,000 requests the same items pass in both, and permits and refusals of every kind are among them."""
    tally = compared(part, PART)
    assert tally.differences[:1] == []
    assert tally.requests == PART
    assert tally.outcomes.keys() >= SEEN
    assert min(tally.outcomes["permit"], tally.outcomes["permit, reduced"]) > PART / 20
    assert len(tally.decided) > len(all_policies()) / 2


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("necessity.toml", "valid_to = 2020-06-30", "valid_to = 2020-06-29"),
        ("necessity.toml", '"SORGERECHT", "KINDESWOHL"', '"KINDESWOHL"'),
        ("grounds.toml", 'modes = ["UNAUFGEFORDERT"]', 'modes = ["ERSUCHEN"]'),
        ("units.toml", 'controller = "UVG"', 'controller = "SGB8"'),
        ("locks.toml", 'purposes = ["ERSTATTUNG"]', 'purposes = ["UMZUG"]'),
        ("procedures.toml", "approved = true", "approved = false"),
    ],
)
def test_an_engine_that_reads_one_row_otherwise_is_seen(file: str, before: str, after: str) -> None:
    """Where the engine has one value of one row wrong, the two differ."""
    content = {path.name: path.read_bytes() for path in RULES.glob("*.toml")}
    assert before.encode() in content[file]
    content[file] = content[file].replace(before.encode(), after.encode())
    assert any(part.differences for part in islice(rounded(0, read_catalogue(content)), PART // BATCH))
