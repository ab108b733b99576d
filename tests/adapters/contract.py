"""What each adapter must do, stated once; the test class of each kind and channel inherits it."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.base import AgencyAdapter, Delivery, DeliveryError
from adapters.registry import DIALECTS
from schemas.identifiers import UnitCode
from tests.adapters import interrupted
from tests.adapters.examples import CONTENT, MARKER, NOON, STATEMENT, TRANSFER, adapter, delivery, every_name, visible

REPOSITORY = Path(__file__).parents[2]
DEADLINE = 60


class AdapterContract:
    """What holds for every adapter, whether the broker brings or the office fetches."""

    kind: str
    unit: UnitCode
    branch: str | None = None

    @pytest.fixture
    def share(self) -> Path | None:
        """Return the agency's share, where its channel has one."""
        return None

    @pytest.fixture
    def office(self, share: Path | None) -> AgencyAdapter:
        """Return the adapter under test, its places made ready."""
        made = adapter(self.kind, share)
        made.prepare()
        return made

    def message(self, **more: object) -> Delivery:
        """Return a delivery to this office."""
        return delivery(self.unit, branch=self.branch, **more)  # type: ignore[arg-type]

    def refusal(self, office: AgencyAdapter, message: Delivery) -> DeliveryError:
        """Hand over what must be refused and return the error, in whose whole trace the marker may not stand."""
        with pytest.raises(DeliveryError) as caught:
            office.deliver(message)
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.args)
        assert MARKER not in told
        return caught.value

    def test_a_version_that_the_office_cannot_read_is_refused_for_good(self, office: AgencyAdapter) -> None:
        """Trying again does not teach the office's software a new version."""
        error = self.refusal(office, self.message(version="99.0"))
        assert (error.retryable, error.reason_code) == (False, "message-version-not-accepted")

    def test_accepts_says_what_deliver_does(self, office: AgencyAdapter) -> None:
        """The broker can ask beforehand which versions the office reads."""
        assert office.accepts("uebermittlung", "1.0")
        assert not office.accepts("uebermittlung", "99.0")

    def test_a_unit_of_another_house_is_refused_for_good(self, office: AgencyAdapter) -> None:
        """No place is made up for a unit that the agency does not have."""
        error = self.refusal(office, delivery(UnitCode.POLIZEI))
        assert (error.retryable, error.reason_code) == (False, "no-target-for-unit")

    def test_an_unknown_branch_is_refused_for_good(self, office: AgencyAdapter) -> None:
        """A branch that is not in the directory does not become a folder."""
        error = self.refusal(office, delivery(self.unit, branch="../atlantis"))
        assert (error.retryable, error.reason_code) == (False, "unknown-branch")

    @pytest.mark.parametrize("bad", ["", ".", "..", "../x", "a/b", "/etc/x", ".versteckt", "x\n", "a\0b", "x" * 200])
    def test_an_id_that_is_no_file_name_is_refused(self, office: AgencyAdapter, share: Path | None, bad: str) -> None:
        """An id cannot lead out of its folder, and nothing is written for it."""
        before = every_name(share) if share else []
        error = self.refusal(office, self.message(transfer_id=bad))
        assert (error.retryable, error.reason_code) == (False, "malformed-transfer-id")
        assert (every_name(share) if share else []) == before

    def test_nothing_that_is_shown_repeats_the_payload(self, office: AgencyAdapter) -> None:
        """A repr lands in logs sooner or later."""
        message = self.message()
        package = DIALECTS[self.kind].plan(message, office.settings)  # type: ignore[attr-defined]
        assert MARKER not in repr(message) + repr(package) + repr(office)

    def test_there_is_nothing_to_collect_or_tidy_at_first(self, office: AgencyAdapter) -> None:
        """A new office has no quittungen and nothing that is past its time."""
        assert list(office.collect(NOON)) == []
        assert office.tidy(NOON) == 0


class PushContract(AdapterContract):
    """What holds where the broker brings the message into a folder."""

    target: str
    names: tuple[str, ...]
    """How the visible files end, after the transfer id, where something was taken out of the message."""

    @pytest.fixture
    def share(self, tmp_path: Path) -> Path:
        """Return an empty share."""
        share = tmp_path / "share"
        share.mkdir()
        return share

    def assert_whole(self, share: Path, content: bytes = CONTENT) -> None:
        """See to it that the office sees the transfer, wholly and once, and nothing is left hidden."""
        seen = visible(share, self.target)
        assert sorted(seen) == sorted(f"{TRANSFER}{ending}" for ending in self.names)
        assert seen[f"{TRANSFER}-1.xml"] == content
        assert seen[f"{TRANSFER}-3.json"] == STATEMENT
        assert not [name for name in every_name(share) if name.endswith(".teil")]

    def interrupt(self, happening: str, root: Path) -> tuple[list[int], str]:
        """Hand over in another process that something happens to; return its exit codes and reason codes."""
        words = [sys.executable, "-m", "tests.adapters.interrupted", happening, str(root), self.kind, self.unit.value]
        done = subprocess.run(
            [*words, self.branch or ""], cwd=REPOSITORY, capture_output=True, text=True, timeout=DEADLINE, check=True
        )
        return json.loads(done.stdout), done.stderr

    def test_it_arrives(self, office: AgencyAdapter, share: Path) -> None:
        """The files lie in the unit's place, readable for the group whatever the umask, and the result names them."""
        umask = os.umask(0o077)
        try:
            done = office.deliver(self.message())
        finally:
            os.umask(umask)
        self.assert_whole(share)
        assert (done.repeated, done.reference) == (False, f"folder:{self.target}/{TRANSFER}-1.xml")
        assert sorted(done.files) == sorted(visible(share, self.target))
        for name in done.files:
            assert stat.S_IMODE((share / self.target / name).stat().st_mode) == 0o640

    def test_without_a_reduction_there_is_no_statement(self, office: AgencyAdapter, share: Path) -> None:
        """What was not shortened comes without a statement."""
        office.deliver(self.message(statement=None))
        assert f"{TRANSFER}-3.json" not in visible(share, self.target)

    def test_a_second_hand_over_writes_nothing(self, office: AgencyAdapter, share: Path) -> None:
        """The same transfer again is a success, and the file stays the one that it was."""
        office.deliver(self.message())
        before = (share / self.target / f"{TRANSFER}-1.xml").stat()
        assert office.deliver(self.message()).repeated
        after = (share / self.target / f"{TRANSFER}-1.xml").stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)

    def test_what_the_office_took_away_does_not_come_again(self, office: AgencyAdapter, share: Path) -> None:
        """The office imports and deletes; a late retry must not make it import twice."""
        for name in office.deliver(self.message()).files:
            (share / self.target / name).unlink()
        assert office.deliver(self.message()).repeated
        assert visible(share, self.target) == {}

    def test_the_same_file_without_its_mark_is_a_success(self, office: AgencyAdapter, share: Path) -> None:
        """Where marks were lost (a restored share), equal bytes still are the same hand-over, others are not."""
        office.deliver(self.message())
        (share / ".uebergeben" / TRANSFER).unlink()
        assert office.deliver(self.message()).repeated
        assert not self.refusal(office, self.message(content=b"<anders/>")).retryable
        self.assert_whole(share)

    @pytest.mark.parametrize("taken", [False, True])
    def test_other_bytes_under_the_same_id_are_refused_for_good(
        self, office: AgencyAdapter, share: Path, taken: bool
    ) -> None:
        """An id stands for its bytes, also after the office took them; the first ones stay as they are."""
        done = office.deliver(self.message())
        for name in done.files if taken else ():
            (share / self.target / name).unlink()
        before = visible(share, self.target)
        error = self.refusal(office, self.message(content=CONTENT + b" "))
        assert (error.retryable, error.reason_code) == (False, "other-bytes-under-this-id")
        assert visible(share, self.target) == before

    def test_an_unreadable_mark_stops_for_good(self, office: AgencyAdapter, share: Path) -> None:
        """Whether it was handed over cannot be known then, and guessing could bring it twice."""
        (share / ".uebergeben" / TRANSFER).write_bytes(b"[]")
        error = self.refusal(office, self.message())
        assert (error.retryable, error.reason_code) == (False, "hand-over-mark-unreadable")

    def test_names_logs_and_marks_say_nothing(
        self, office: AgencyAdapter, share: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The payload stands in its own files only."""
        caplog.set_level(logging.DEBUG)
        done = office.deliver(self.message())
        assert MARKER not in repr(done) + caplog.text + "".join(every_name(share))
        holders = {path.name for path in share.rglob("*") if path.is_file() and MARKER.encode() in path.read_bytes()}
        assert holders == {f"{TRANSFER}-1.xml", f"{TRANSFER}-3.json"}

    def test_a_message_over_the_limit_is_refused_for_good(self, share: Path) -> None:
        """It does not get smaller by waiting."""
        office = adapter(self.kind, share, message_max_bytes=len(CONTENT) - 1)
        office.prepare()
        error = self.refusal(office, self.message())
        assert (error.retryable, error.reason_code) == (False, "message-too-large")

    @pytest.mark.parametrize("missing", ["share", "place"])
    def test_a_missing_folder_is_waited_for(self, office: AgencyAdapter, share: Path, missing: str) -> None:
        """An absent mount comes back; nothing is written beside it in the meantime."""
        gone = share if missing == "share" else share / self.target
        away = gone.rename(share.parent / "fort")
        error = self.refusal(office, self.message())
        assert (error.retryable, error.reason_code) == (True, "folder-missing")
        assert not gone.exists()
        away.rename(gone)
        office.deliver(self.message())
        self.assert_whole(share)

    def test_a_link_in_place_of_the_folder_is_not_followed(
        self, office: AgencyAdapter, share: Path, tmp_path: Path
    ) -> None:
        """Whoever may write to the share cannot lead a message elsewhere."""
        elsewhere = tmp_path / "woanders"
        (share / self.target).rename(elsewhere)
        (share / self.target).symlink_to(elsewhere)
        assert self.refusal(office, self.message()).reason_code == "folder-not-a-folder"
        assert not list(elsewhere.glob("*.xml"))

    @pytest.mark.parametrize(
        ("happening", "code"),
        [("kill", -signal.SIGKILL), ("kill-again", -signal.SIGKILL), ("disk-full", interrupted.FAILED_RETRYABLE)],
    )
    def test_struck_at_any_step_it_appears_wholly_or_not_at_all(
        self, tmp_path: Path, happening: str, code: int
    ) -> None:
        """After kill -9 or a full disk at each system call: never half, and the next attempt ends well, once."""
        codes, reasons = self.interrupt(happening, tmp_path)
        assert set(codes[:-1]) == {code}
        assert len(codes) > len(self.names) * 3, "the steps were not struck"
        assert set(reasons.split()) == ({"folder-full"} if code > 0 else set())
        for step in range(1, len(codes) + 1):
            self.assert_recovers(tmp_path / str(step))

    def assert_recovers(self, share: Path) -> None:
        """See to it that what is visible is whole, and that the next attempt brings what is not there yet."""
        seen = visible(share, self.target)
        there = f"{TRANSFER}-1.xml" in seen
        if there:
            self.assert_whole(share)
        office = adapter(self.kind, share)
        assert office.deliver(self.message()).repeated == there
        self.assert_whole(share)
        after = visible(share, self.target)
        assert all(after[name] == content for name, content in seen.items())

    def test_a_failed_attempt_leaves_no_trace(self, tmp_path: Path) -> None:
        """Where the disk is full, neither companions nor hidden bytes stay behind without the message."""
        codes, _ = self.interrupt("disk-full", tmp_path)
        for step in range(1, len(codes)):
            seen = visible(tmp_path / str(step), self.target)
            hidden = [name for name in every_name(tmp_path / str(step)) if name.endswith("-1.xml.teil")]
            assert f"{TRANSFER}-1.xml" in seen or (seen, hidden) == ({}, [])

    @pytest.mark.parametrize(
        ("happening", "code", "reason"),
        [
            ("file-limit", interrupted.FAILED_RETRYABLE, "folder-file-size-limit"),
            ("killed-by-limit", -signal.SIGXFSZ, ""),
            ("killed-while-writing", -signal.SIGKILL, ""),
        ],
    )
    def test_stopped_in_the_middle_of_a_file_nothing_is_visible(
        self, share: Path, happening: str, code: int, reason: str
    ) -> None:
        """A file that cannot be written to its end is not seen, and a failure of this kind is worth another try."""
        codes, reasons = self.interrupt(happening, share)
        assert (codes, reasons.strip()) == ([code], reason)
        assert visible(share, self.target) == {}
        adapter(self.kind, share).deliver(self.message())
        self.assert_whole(share)

    def test_a_read_only_folder_is_waited_for(self, open_folder: Path) -> None:
        """Rights can be given back: retryable, and nothing is visible."""
        codes, reasons = self.interrupt("no-rights", open_folder)
        assert (codes, reasons.strip()) == ([interrupted.FAILED_RETRYABLE], "folder-permission-denied")
        assert visible(open_folder, self.target) == {}

    @pytest.fixture
    def open_folder(self) -> Iterator[Path]:
        """Return a share that another user can reach (pytest's own folders are closed to others)."""
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            yield Path(name)
            for path in Path(name).iterdir():
                path.chmod(0o700)

    @pytest.mark.parametrize("content", [b"", b"\x00\xff\r\n", bytes(range(256)) * 9000], ids=["none", "odd", "many"])
    def test_any_bytes_arrive_as_they_are(self, office: AgencyAdapter, share: Path, content: bytes) -> None:
        """The message is carried, not interpreted."""
        office.deliver(self.message(content=content))
        self.assert_whole(share, content)
