"""``amtsbruecke run --demo`` as a person sees it."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from broker.demo.play import FOLDER, MARK
from broker.demo.story import STORY, Step, Then
from broker.demo.table import ALLOWED, REDUCED, REFUSED, TURNED_AWAY, WIDTH
from tests.broker.demo.program import LONGEST, ROOT, environment, free_port, run, staying

WORDS = {"PERMIT": ALLOWED, "PERMIT_REDUCED": REDUCED, "DENY": REFUSED, "": TURNED_AWAY}
A_DOZEN = 12
#: The last step, with an answer that the gateway will not give; the officer looks at the first.
WRONG = """
from dataclasses import replace
from broker.demo import play, scenes, story
scenes.SETTLE_SECONDS = 1.0
first = story.STORY[0]
play.LOOK_AT = 1
play.STORY = (first, replace(story.STORY[5], expected=first.expected))
play.run_demo(stay=False)
"""


def cells(output: str, number: int) -> str:
    """Return the text of one row of the table, cell after cell, on one line."""
    match = re.search(rf"^ ?{number}  \S.*?(?=^[─-]{{20}}|^{ALLOWED} {{3}})", output, re.MULTILINE | re.DOTALL)
    assert match, output
    lines = [re.split(r" {2,}", line.strip()) for line in match[0].splitlines()]
    return " ".join(cell for line in lines for cell in line)


def test_the_day_is_played_twice_with_the_expected_answers(tmp_path: Path) -> None:
    """Each run exits 0, shows a row for each step with its answer in words, at 100 columns, without colour codes."""
    for _ in range(2):
        result = run(tmp_path, "--demo", "--exit")
        assert result.returncode == 0, result.stdout + result.stderr
        assert f"{len(STORY)} Übermittlungen, davon" in " ".join(result.stdout.split())
        assert "jede Antwort war die erwartete." in " ".join(result.stdout.split())
        assert "die Einsicht steht selbst im Protokoll" in " ".join(result.stdout.split())
        assert "\x1b" not in result.stdout
        table = result.stdout[result.stdout.index("Nr") :]
        assert max(len(line) for line in table.splitlines()) <= WIDTH
        for number, step in enumerate(STORY, start=1):
            row = cells(result.stdout, number)
            assert f" {WORDS[step.expected.outcome]} " in f"{row} ", row
            assert step.expected.code in row


def test_the_story_shows_every_situation() -> None:
    """The situations that a visitor has to see are all in the story; leaving one out is noticed."""
    assert len(STORY) >= A_DOZEN
    codes = {step.expected.code for step in STORY}
    assert codes >= {"ERSTERHEBUNG_FEHLT", "PAR65", "EINWILLIGUNG_WIDERRUFEN", "KEIN_GRUND", "UEBERHANG"}
    assert codes >= {"message-conflict", "wrong-instance", "NICHT_ZULAESSIG"}
    ends = {step.expected.end for step in STORY}
    assert ends >= {"processed", "acknowledged", "delivered", "withdrawn", "recalled"}
    assert {step.then for step in STORY} == set(Then)
    permits = [step for step in STORY if step.expected.outcome == "PERMIT"]
    assert any(step.consent == "none" for step in permits)
    assert any(step.consent == "given" for step in permits)
    assert any(step.expected.outcome == "PERMIT_REDUCED" and not step.check for step in STORY)
    assert any(step.check for step in STORY)
    assert any(step.expected.repeated for step in STORY)
    assert any(step.expected.kind == "gap" for step in STORY)


def test_the_persons_of_the_story_are_not_mixed_up() -> None:
    """A person's stops and withdrawals are found by person: who has one is in no other step of that recipient."""
    stopped = [s for s in STORY if s.objection or s.consent == "withdrawn" or s.then is Then.WITHDRAW]
    for step in stopped:
        others: list[Step] = [s for s in STORY if s is not step and s.recipient == step.recipient]
        assert step.person not in [other.person for other in others]


def test_an_answer_that_is_not_the_expected_one_fails_the_play(tmp_path: Path) -> None:
    """Exit status 1, and the text says which step, what was expected and what was answered."""
    result = subprocess.run(
        [sys.executable, "-c", WRONG],
        cwd=ROOT,
        env=environment(tmp_path, free_port()),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert "Nr. 2: status: erwartet 202, geantwortet 403" in result.stdout, result.stdout + result.stderr
    assert "Nr. 2: outcome: erwartet 'PERMIT', geantwortet 'DENY'" in result.stdout
    assert "jede Antwort war die erwartete" not in result.stdout
    assert result.returncode == 1


def test_afterwards_the_service_can_be_used_as_it_says(tmp_path: Path) -> None:
    """The printed command gives a token, the printed files are messages, and Ctrl-C ends it all with status 0."""
    with staying(tmp_path, "--demo", "--stay", ready="Strg-C") as running:
        assert f"{running.url}/docs" in running.text
        assert str(tmp_path / FOLDER) in running.text
        command = re.search(r"TOKEN=\$\((.+)\)$", running.text, re.MULTILINE)
        assert command
        environ = environment(tmp_path, free_port())
        printed = subprocess.run(
            shlex.split(command[1]), cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=True
        )
        kept = (tmp_path / FOLDER / "token").read_text(encoding="utf-8")
        for token in (printed.stdout.strip(), kept.strip()):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/xml"}
            answers = [
                httpx.post(f"{running.url}{path}", content=Path(file).read_bytes(), headers=headers, trust_env=False)
                for file, path in re.findall(rf"--data-binary @(\S+) {running.url}(\S+)", running.text)
            ]
            assert [answer.status_code for answer in answers] == [403, 202]
        status, rest = running.interrupt()
    assert "Beendet." in rest
    assert status == 0


def test_a_taken_port_is_said_and_nothing_is_touched(tmp_path: Path) -> None:
    """The text names the variable to set; data of an earlier demonstration are still there."""
    kept = tmp_path / FOLDER / "kept"
    kept.parent.mkdir()
    (kept.parent / MARK).touch()
    kept.touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(tmp_path, "--demo", "--exit", port=taken.getsockname()[1])
    assert result.returncode == 1
    assert "AMTSBRUECKE_PORT=" in result.stderr
    assert "belegt" in result.stderr
    assert kept.exists()


def test_a_folder_that_is_not_the_demonstrations_is_left_alone(tmp_path: Path) -> None:
    """Only a folder with the demonstration's mark is ever deleted."""
    other = tmp_path / FOLDER / "amtsbruecke.db"
    other.parent.mkdir()
    other.write_text("echte Daten", encoding="utf-8")
    result = run(tmp_path, "--demo", "--exit")
    assert result.returncode == 1
    assert "nicht von einer Vorführung" in result.stderr
    assert other.read_text(encoding="utf-8") == "echte Daten"
