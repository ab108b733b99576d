"""Checking the law against case files: decide each case, compare, say what differs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from consent.casefields import UnreadableCase
from consent.casefile import CaseRecord, read_cases
from consent.catalogue import Catalogue, load_catalogue
from consent.decision import Decision, Finding, Outcome, Permit
from consent.engine import decide
from consent.explanation.argument import explain as explain_decision
from consent.explanation.argument import reasons_of
from consent.explanation.sentences import Language
from consent.norm import same_paragraph

PASSED, FAILED, UNREADABLE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case and its answer. `differences` empty = passed; `norms_differ` is a remark unless norms are strict."""

    case: CaseRecord
    answer: Decision
    differences: tuple[str, ...]
    norms_differ: bool


def check_file(path: Path, catalogue: Catalogue) -> list[CaseResult]:
    """Decide every case of a file by the catalogue of its day. Raises `UnreadableCase`."""
    return [check_case(case, catalogue) for case in read_cases(path)]


def run_check(
    paths: Iterable[Path],
    *,
    strict_norms: bool = False,
    explain: str | None = None,
    catalogue: Catalogue | None = None,
    out: TextIO | None = None,
) -> int:
    """Check case files and print a line for each case that differs, then ``N passed, M failed``.

    Gives the exit status: 0 all passed, 1 some failed, 2 a file or case cannot be read (file, case id and field are
    printed). With `explain` the whole trace of the case with that id and its explanation are printed, too; 2 where
    there is none.
    """
    out = out or sys.stdout
    catalogue = catalogue or load_catalogue()
    try:
        results = [result for path in paths for result in check_file(Path(path), catalogue)]
    except UnreadableCase as error:
        out.write(f"{error}\n")
        return UNREADABLE
    if explain is not None:
        chosen = [result for result in results if result.case.id == explain]
        if not chosen:
            out.write(f"{explain}: kein Fall dieser Dateien heißt so\n")
            return UNREADABLE
        for result in chosen:
            out.write("\n".join([*_trace(result), *_told(result, catalogue)]) + "\n")
    failed = [result for result in results if result.differences or (strict_norms and result.norms_differ)]
    for result in results:
        if result in failed or result.norms_differ:
            out.write(_line(result, failed=result in failed) + "\n")
    out.write(f"{len(results) - len(failed)} passed, {len(failed)} failed\n")
    return FAILED if failed else PASSED


def outcome(answer: Decision) -> str:
    """Name the answer in the words of the case files."""
    if isinstance(answer, Permit):
        return "PERMIT_REDUCED" if answer.removed else "PERMIT"
    return "DENY"


def deciding(answer: Decision) -> Finding:
    """Return the finding that decided: what stopped a refusal; of a permit the first removal, or the last finding."""
    if not isinstance(answer, Permit):
        return answer.deciding
    return next((found for found in answer.findings if found.outcome is Outcome.REMOVE), answer.findings[-1])


def check_case(case: CaseRecord, catalogue: Catalogue) -> CaseResult:
    """Decide one case by the catalogue of its day, and compare."""
    answer = decide(case.facts, catalogue, case.on)
    differences = tuple(_differences(case, answer))
    named = {norm for finding in answer.findings for norm in finding.norms}
    met = any(same_paragraph(expected, norm) for expected in case.norms for norm in named)
    return CaseResult(case, answer, differences, norms_differ=bool(case.norms) and not met)


def _differences(case: CaseRecord, answer: Decision) -> Iterable[str]:
    expected, answered = case.expected, outcome(answer)
    if answered != expected.outcome:
        yield "outcome"
        return
    if isinstance(answer, Permit):
        if {removed.category.value for removed in answer.removed} != expected.remove:
            yield "remove"
        if not expected.duties <= set(answer.duties):
            yield "duties"
        return
    if expected.code not in {None, answer.code}:
        yield "code"
    if expected.kind not in {None, answer.kind.value}:
        yield "kind"


def _words(name: str, parts: Sequence[str | None]) -> str:
    rest = " ".join(part for part in parts if part)
    return f"{name} {rest}".strip()


def _line(result: CaseResult, *, failed: bool) -> str:
    expected, answer = result.case.expected, result.answer
    wanted = _words(expected.outcome, [expected.code, expected.kind, ",".join(sorted(expected.remove))])
    if isinstance(answer, Permit):
        lacking = sorted(expected.duties - set(answer.duties))
        wanted = _words(wanted, [f"mit {','.join(lacking)}" if lacking else None])
        given = _words(outcome(answer), [",".join(sorted(r.category.value for r in answer.removed))])
    else:
        given = _words("DENY", [answer.code, answer.kind.value])
    differs = [*result.differences, *(["norms"] if result.norms_differ else [])]
    head = result.case.id if failed else f"Bemerkung {result.case.id}"
    return f"{head} ({', '.join(differs)}): erwartet {wanted}; beantwortet {given}; {_finding(deciding(answer))}"


def _finding(finding: Finding) -> str:
    """One line of a trace: gate, outcome, code, items, norms and text."""
    items = f" [{', '.join(finding.items)}]" if finding.items else ""
    lacks = "".join(f" (fehlt: {lack.field}, {lack.by})" for lack in finding.missing)
    code = f" {finding.code}" if finding.code else ""
    return f"{finding.gate} {finding.outcome.value}{code}{items}: {finding.text}{lacks} [{'; '.join(finding.norms)}]"


def _told(result: CaseResult, catalogue: Catalogue) -> list[str]:
    """Explain the answer in German sentences."""
    sections = explain_decision(reasons_of(result.answer, result.case.facts), catalogue, Language.DE)
    return [f"{one.title}: {' '.join(sentence.text for sentence in one.sentences)}" for one in sections]


def _trace(result: CaseResult) -> list[str]:
    case, answer = result.case, result.answer
    lines = [
        f"{case.id} am {case.on.isoformat()}, Katalog {answer.basis.catalogue[:12]}",
        *map(_finding, answer.findings),
    ]
    if isinstance(answer, Permit):
        return [*lines, f"→ {outcome(answer)}, Pflichten: {', '.join(answer.duties)}"]
    return [*lines, f"→ DENY {answer.code} ({answer.kind.value})"]
