"""Settings from the directory file: what is read, and which error a wrong entry gives."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hours import WORKING_HOURS, Hours
from adapters.registry import DIALECTS, adapter_for
from adapters.settings import AdapterSettingsError, read_settings
from schemas.identifiers import UnitCode

FOLDER = {"channel": "folder", "path": "/srv/marl"}
JUGENDAMT = list(DIALECTS["jugendamt"].units or ())
SOZIALAMT = list(DIALECTS["sozialamt"].units or ())


def test_an_agency_without_settings_has_the_defaults_of_its_kind() -> None:
    """An empty entry is an office that fetches, with a place for each unit."""
    settings = read_settings(DIALECTS["jugendamt"], JUGENDAMT, {})
    assert settings.targets[UnitCode.JUGENDAMT_ASD] == "asd"
    assert settings.hours == WORKING_HOURS
    assert settings.accepts == DIALECTS["jugendamt"].accepts
    assert not adapter_for("jugendamt", JUGENDAMT, {}).pushes
    assert adapter_for("jugendamt", JUGENDAMT, FOLDER).pushes


def test_only_the_agencys_own_units_have_a_place() -> None:
    """The Kreissozialamt has SGB XII alone."""
    settings = read_settings(DIALECTS["sozialamt"], [UnitCode.SOZIALAMT_SGBXII], {})
    assert dict(settings.targets) == {UnitCode.SOZIALAMT_SGBXII: "sgb-xii"}


def test_two_units_of_a_sozialamt_may_share_a_place() -> None:
    """One Fachverfahren can serve two laws; its quittungen may then come from either."""
    given_targets = {"targets": {"SOZIALAMT_ASYLBLG": "open", "SOZIALAMT_SGBXII": "open"}}
    served = read_settings(DIALECTS["sozialamt"], SOZIALAMT, given_targets).served()
    assert served["open"] == {UnitCode.SOZIALAMT_ASYLBLG, UnitCode.SOZIALAMT_SGBXII}
    assert served["wohngeld"] == {UnitCode.WOHNGELDSTELLE}


def test_per_town_makes_a_branch_of_each_town() -> None:
    """The Jobcenter of the Kreis has a Bezirksstelle in each town."""
    units = [UnitCode.JOBCENTER]
    settings = read_settings(DIALECTS["jobcenter"], units, {"branches": "per-town"}, ["marl", "oer-erkenschwick"])
    assert dict(settings.branches) == {"marl": "marl", "oer-erkenschwick": "oer-erkenschwick"}
    assert settings.served() == dict.fromkeys(["zentrale", "marl", "oer-erkenschwick"], frozenset(units))


def test_hours_and_versions_as_written() -> None:
    """What the entry says goes before the kind's defaults."""
    entry = {
        "hours": {"days": ["mo", "so"], "from": "07:30", "to": "12:00"},
        "accepts": {"uebermittlung": ["1.0", "1.1"]},
    }
    settings = read_settings(DIALECTS["jobcenter"], [UnitCode.JOBCENTER], entry)
    assert settings.hours == Hours(frozenset({0, 6}), time(7, 30), time(12))
    assert settings.accepts == {("uebermittlung", "1.0"), ("uebermittlung", "1.1")}
    assert read_settings(DIALECTS["jobcenter"], [UnitCode.JOBCENTER], {"hours": "always"}).hours is None


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"chanel": "inbox"}, "chanel"),
        ({"channel": "fax"}, "channel"),
        ({"channel": ["folder"]}, "channel"),
        ({"channel": "inbox", "path": "/srv"}, "path"),
        ({"channel": "folder"}, "path"),
        ({"channel": "folder", "path": "srv/marl"}, "path"),
        ({"channel": "folder", "path": "/srv/../etc"}, "path"),
        ({"channel": "folder", "path": "/srv/\0"}, "path"),
        ({**FOLDER, "message_max_bytes": 0}, "message_max_bytes"),
        ({**FOLDER, "quittung_max_bytes": "1 MB"}, "quittung_max_bytes"),
        ({**FOLDER, "quiet_seconds": True}, "quiet_seconds"),
        ({"targets": ["asd"]}, "targets"),
        ({"targets": {"JOBCENTER": "x"}}, "targets.JOBCENTER"),
        ({"targets": {"JUGENDAMT_ASD": "../asd"}}, "targets.JUGENDAMT_ASD"),
        ({"targets": {"JUGENDAMT_ASD": ".uebergeben"}}, "targets.JUGENDAMT_ASD"),
        ({"targets": {"JUGENDAMT_ASD": "a" * 65}}, "targets.JUGENDAMT_ASD"),
        ({"targets": {"JUGENDAMT_ASD": "wjh"}}, "targets"),
        ({"branches": ["marl"]}, "branches"),
        ({"branches": "everywhere"}, "branches"),
        ({"branches": [7]}, "branches"),
        ({"accepts": {}}, "accepts"),
        ({"accepts": {"uebermittlung": [1.0]}}, "accepts.uebermittlung"),
        ({"hours": "nie"}, "hours"),
        ({"hours": {"from": "06:00", "to": "20:00", "holidays": True}}, "hours.holidays"),
        ({"hours": {"days": [], "from": "06:00", "to": "20:00"}}, "hours.days"),
        ({"hours": {"days": ["mon"], "from": "06:00", "to": "20:00"}}, "hours.days"),
        ({"hours": {"from": "06:00", "to": 1200}}, "hours.to"),
        ({"hours": {"from": "20:00", "to": "06:00"}}, "hours.to"),
        ({"hours": {"to": "06:00"}}, "hours.from"),
    ],
)
def test_a_wrong_entry_is_named(entry: dict[str, Any], field: str) -> None:
    """The error names the field as a path into the entry, and says in German what to write."""
    with pytest.raises(AdapterSettingsError) as caught:
        adapter_for("jugendamt", JUGENDAMT, entry)
    assert caught.value.field == field
    assert len(caught.value.text) > 20


def test_the_branch_list_is_not_for_a_jugendamt() -> None:
    """Places inside an agency are the Jobcenter's; elsewhere a branch would mix units."""
    with pytest.raises(AdapterSettingsError, match="keine Außenstellen"):
        read_settings(DIALECTS["jugendamt"], JUGENDAMT, {"branches": ["marl"]})


@pytest.mark.parametrize(("kind", "field"), [("polizei", "kind"), ("sozialamt", "units")])
def test_kind_and_units_must_fit(kind: str, field: str) -> None:
    """A kind that nobody knows, and a unit that the kind does not have, are refused."""
    with pytest.raises(AdapterSettingsError) as caught:
        adapter_for(kind, [UnitCode.JOBCENTER], {})
    assert caught.value.field == field


@given(
    st.dictionaries(
        st.sampled_from(["channel", "path", "hours", "targets", "branches", "accepts", "quiet_seconds"]) | st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["folder", "per-town", "/srv"]),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
            max_leaves=5,
        ),
    )
)
def test_any_entry_is_read_or_refused(entry: dict[str, Any]) -> None:
    """Whatever YAML yields, there is an adapter or an `AdapterSettingsError`, never another error."""
    try:
        made = adapter_for("jobcenter", [UnitCode.JOBCENTER], entry)
    except AdapterSettingsError:
        return
    assert made.pushes == (entry.get("channel") == "folder")
