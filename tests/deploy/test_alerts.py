"""The rules for Prometheus: in shape, on figures and labels that exist, and none is missing that an operator needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker import metrics
from tests.deploy.test_deploy import DEPLOY, FIGURE
from tests.house.source import ROOT

PROMETHEUS = DEPLOY / "prometheus"
MANUAL = ROOT / "docs" / "operations.md"
#: Shown to understand what a rule has found; by themselves they ask nobody to do anything.
TO_LOOK_AT = {
    *("amtsbruecke_batch_size", "amtsbruecke_batcher_queued_bytes", "amtsbruecke_deliveries_waiting"),
    *("amtsbruecke_outbox_waiting", "amtsbruecke_problems_total", "amtsbruecke_requests_open"),
    *("amtsbruecke_station_seconds", "amtsbruecke_submissions_total", "amtsbruecke_transfers_total"),
}
#: What Prometheus itself adds to each sample.
ADDED = {"instance", "job", "role"}
SELECTOR = re.compile(r"\b(amtsbruecke_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')
SPAN = re.compile(r"[1-9][0-9]*[smhd]")
ENDS = re.compile(r"_(bucket|sum|count)$")
WARNINGS = {"warning", "error", "critical", "exception"}


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    """Return the rules of all groups."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    assert all(set(group) == {"name", "rules"} for group in groups)
    return [rule for group in groups for rule in group["rules"]]


def figures() -> dict[str, tuple[str, set[str]]]:
    """Return name → type and labels of each figure, from the page that a test keeps equal to the code."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(amtsbruecke_\w+)` \| (\w+) \| ([^|]*) \|", page, re.MULTILINE)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def selected(expr: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Give each figure of an expression with its matchers: label, operator, value."""
    for name, inside in SELECTOR.findall(expr):
        yield name if name in figures() else ENDS.sub("", name), MATCHER.findall(inside)


def calls(path: Path) -> Iterator[ast.Call]:
    """Give each call in a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def checks() -> dict[str, bool]:
    """Return each readiness check of the source by name, and whether it may be one that only warns."""
    found = {}
    for call in chain.from_iterable(calls(path) for path in (ROOT / "broker").rglob("*.py")):
        if getattr(call.func, "id", "") == "Check" and isinstance(call.args[0], ast.Constant):
            found[str(call.args[0].value)] = len(call.args) > 3 or bool(call.keywords)
    return found


def logged() -> set[str]:
    """Return each message that the program logs at `warning` and above."""
    return {
        ast.literal_eval(call.args[0])
        for call in chain.from_iterable(calls(path) for path in (ROOT / "broker").rglob("*.py"))
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in WARNINGS
        and getattr(call.func.value, "id", "") == "log"
    }


def test_rules_have_their_shape(rules: list[dict[str, Any]]) -> None:
    """No member is misspelt, names differ, spans are spans, brackets close: Prometheus would refuse the whole file."""
    for rule in rules:
        assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}, rule
        assert SPAN.fullmatch(rule.get("for", "1m")), rule
        assert set(rule["labels"]) == {"severity"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary"}
        assert all(rule["expr"].count(left) == rule["expr"].count(right) for left, right in ("()", "[]", "{}"))
        assert re.search(r" (>|==|<) [0-9.]+$", rule["expr"]), rule["expr"]
    assert len({rule["alert"] for rule in rules}) == len(rules)


def test_summaries_name_labels_that_are_left(rules: list[dict[str, Any]]) -> None:
    """A label that the expression sums away would be empty in the text."""
    for rule in rules:
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        kept = {label for by in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in by.split(", ")}
        assert named <= (kept or ADDED), rule


def test_rules_ask_for_labels_and_values_that_exist(rules: list[dict[str, Any]]) -> None:
    """A matcher on a label or value that no sample has never fires, or always (routes: `test_metrics.py`)."""
    known = figures()
    for rule in rules:
        by = {label for part in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in part.split(", ")}
        names = [name for name, _ in selected(rule["expr"])]
        assert by <= ADDED | {"le"} | {label for name in names for label in known[name][1]}, rule
        for name, matchers in selected(rule["expr"]):
            for label, operator, value in matchers:
                values = value.split("|") if "~" in operator else [value]
                assert label in known[name][1], rule
                if label != "route":
                    assert set(values) <= set(checks() if label == "check" else metrics.allowed(label) or ()), rule


def test_counters_are_asked_for_their_growth(rules: list[dict[str, Any]]) -> None:
    """A counter by itself says how old a process is; a gauge has no rate."""
    for rule in rules:
        grown = set(re.findall(r"(?:rate|increase)\((amtsbruecke_[a-z_]+)", rule["expr"]))
        for name in FIGURE.findall(rule["expr"]):
            kind = figures().get(name, ("histogram", set()))[0]
            assert (name in grown) is (kind != "gauge"), rule


def test_every_figure_has_its_rule_or_is_there_to_look_at(rules: list[dict[str, Any]]) -> None:
    """A new figure makes somebody say whether an operator must act on it."""
    asked = {name for rule in rules for name, _ in selected(rule["expr"])}

    assert asked & TO_LOOK_AT == set()
    assert asked | TO_LOOK_AT == set(figures())


def test_every_warning_of_readiness_has_a_rule_of_its_own(rules: list[dict[str, Any]]) -> None:
    """What only warns takes no work away: the critical rule leaves it out, and each has another; sealing its age."""
    may_warn = {name for name, warns in checks().items() if warns}
    asked = [(name, matchers) for rule in rules for name, matchers in selected(rule["expr"])]
    matched = [matcher for name, matchers in asked if name == "amtsbruecke_ready" for matcher in matchers]

    assert [value for _, operator, value in matched if operator == "!~"] == ["|".join(sorted(may_warn))]
    assert {value for _, operator, value in matched if operator == "="} == may_warn - {"sealing"}


def test_every_alert_has_its_line_in_the_manual(rules: list[dict[str, Any]]) -> None:
    """docs/operations.md says for each alert where to look first, in the order of the rules."""
    told = re.findall(r"^\| (Amtsbruecke\w+) \|", MANUAL.read_text(encoding="utf-8"), re.MULTILINE)

    assert [rule["alert"] for rule in rules] == told


def test_every_warning_in_the_log_has_its_line_in_the_manual() -> None:
    """docs/operations.md says what to do about each message at `warning` and above, and lists no other."""
    section = MANUAL.read_text(encoding="utf-8").partition("\n## Logs\n")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `([^`]+)`(?: \(critical\))? \|", section, re.MULTILINE)

    assert len(told) == len(set(told))
    assert set(told) == logged()


def test_example_scrapes_every_port_of_operations() -> None:
    """The example names the job that the rules want, their file, and each port of deploy/systemd with its role."""
    given = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    [job] = given["scrape_configs"]
    scraped = {one["labels"]["role"]: one["targets"] for one in job["static_configs"]}
    ports = {
        path.stem: f"127.0.0.1:{found[1]}"
        for path in (DEPLOY / "systemd").glob("*.env")
        if (found := re.search(r"^AMTSBRUECKE_OPS_PORT=(\d+)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    }

    assert given["rule_files"] == ["alerts.yml"]
    assert job["job_name"] == "amtsbruecke"
    assert scraped == {role: [port] for role, port in ports.items()}
