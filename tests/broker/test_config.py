"""Settings: what is wrong with them is said at the start, in a sentence that names them and quotes nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from broker.config import Settings, WrongSettings, unread
from broker.listening import NOT_STARTED, NOT_YET
from tests.deployment import surroundings

ROOT = Path(__file__).parents[2]
PASSWORD = "gar-nicht-geheim"


def told(monkeypatch: pytest.MonkeyPatch, **given: str) -> str:
    """Return what is said about settings of the environment; nothing where they are right."""
    with monkeypatch.context() as patch:
        for name, value in given.items():
            patch.setenv(f"AMTSBRUECKE_{name}", value)
        try:
            Settings()
        except WrongSettings as exc:
            return str(exc)
    return ""


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("PORT", "abc", "ganze Zahl"),
        ("PORT", "65536", "höchstens 65535"),
        ("PAYLOAD_DAYS", "0", "mindestens 1"),
        ("SEAL_SECONDS", "0", "mehr als 0"),
        ("RELAY_SECONDS", "0,5", "Punkt"),
        ("EMBEDDED_ROLES", "jein", "true oder false"),
        ("KAFKA_SECURITY", "SASL", "'SASL_PLAINTEXT' oder 'SASL_SSL'"),
        ("KAFKA_SECURITY", "SASL_SSL", "AMTSBRUECKE_KAFKA_PASSWORD_FILE"),
        ("LOG_ORIGIN", "zwei Wörter", "passt"),
        ("DATABASE_URL", f"mysql://x:{PASSWORD}@127.0.0.1/x", "postgresql+asyncpg://"),
        ("DATABASE_URL", f"postgresql://x:{PASSWORD}@127.0.0.1/x", "postgresql+asyncpg://"),
        ("DATABASE_URL", PASSWORD, "postgresql+asyncpg://"),
        ("DATABASE_URL", f"postgresql+asyncpg://x:{PASSWORD}@127.0.0.1:port/x", "postgresql+asyncpg://"),
    ],
)
def test_a_wrong_setting_is_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str, wanted: str) -> None:
    """The sentence names the setting and what it wants, and nothing that somebody may have written into it."""
    text = told(monkeypatch, **{name: value})

    assert text.startswith(f"AMTSBRUECKE_{name}")
    assert wanted in text
    assert PASSWORD not in text


def test_all_wrong_settings_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each, and none for what is wrong only since another one is."""
    text = told(monkeypatch, PORT="abc", DEDUP_DAYS="viele")

    assert [line.split()[0] for line in text.splitlines()] == ["AMTSBRUECKE_PORT", "AMTSBRUECKE_DEDUP_DAYS"]


def test_a_password_beside_a_wrong_setting_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What concerns several settings quotes none of the others."""
    url = f"postgresql+asyncpg://x:{PASSWORD}@127.0.0.1/x"

    assert PASSWORD not in told(monkeypatch, KAFKA_SECURITY="SASL_SSL", DATABASE_URL=url)


def test_a_mistyped_setting_is_named() -> None:
    """A period that nobody reads would keep data longer than whoever set it believes."""
    names = ["AMTSBRUECKE_SIDE_DAY", "amtsbruecke_side_days", "AMTSBRUECKE_PORT", "AMTSBRUECKE_TEST_POSTGRES", "PATH"]
    texts = unread(names)

    assert len(texts) == 1
    assert all(name in texts[0] for name in ("AMTSBRUECKE_SIDE_DAY ", "AMTSBRUECKE_SIDE_DAYS."))


def test_what_no_setting_has_is_named_though_it_looks_like_none() -> None:
    """Whoever sets a period by another product's name is told that it has no effect, and what comes nearest."""
    [text] = unread(["AMTSBRUECKE_RETENTION_DAYS", "AMTSBRUECKE_XOEV_DIR"])

    assert "AMTSBRUECKE_RETENTION_DAYS liest niemand" in text
    assert re.search(r"Am ähnlichsten ist AMTSBRUECKE_[A-Z_]+;", text)


def test_no_setting_looks_like_another_mistyped() -> None:
    """What is set is never warned of."""
    assert unread([f"AMTSBRUECKE_{name.upper()}" for name in Settings.model_fields]) == []


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"AMTSBRUECKE_PORT": "abc"}, NOT_STARTED),
        ({"AMTSBRUECKE_DATA_DIR": "/proc/none"}, NOT_STARTED),
        ({"AMTSBRUECKE_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/none"}, NOT_YET),
    ],
)
def test_the_status_says_whether_to_start_again(tmp_path: Path, given: dict[str, str], status: int) -> None:
    """Settings have to be changed first; a database that does not answer may do so in a moment. No traceback."""
    environment = surroundings() | {"AMTSBRUECKE_DATA_DIR": str(tmp_path)} | given
    done = subprocess.run(
        [sys.executable, "-m", "broker", "seal"], cwd=ROOT, env=environment, capture_output=True, check=False
    )

    assert done.returncode == status
    assert done.stderr.decode().startswith("amtsbruecke: ")
    assert len(done.stderr.splitlines()) == 1
