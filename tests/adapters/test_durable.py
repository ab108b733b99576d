"""Files that are there wholly or not at all: reading what is no file, and what the system's errors are called."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from adapters import durable
from adapters.base import DeliveryError


@pytest.mark.parametrize("number", [*durable.REASONS, errno.EIO, errno.ESTALE, None])
def test_every_error_of_the_system_can_be_retried(number: int | None) -> None:
    """Space, rights and mounts come back; the system's words, which hold names, do not go on."""
    with pytest.raises(DeliveryError) as caught, durable.repairable():
        raise OSError(number, "nein", "/srv/Schlömilch.xml")
    assert caught.value.retryable
    assert caught.value.reason_code.startswith("folder-")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    """Links, pipes and folders are passed over, without waiting for a writer."""
    (tmp_path / "echt").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "echt")
    (tmp_path / "ordner").mkdir()
    os.mkfifo(tmp_path / "rohr")
    with durable.directory(tmp_path) as where:
        assert [durable.read_file(where, name, 9) for name in ("link", "ordner", "rohr", "fehlt")] == [None] * 4
        found = durable.read_file(where, "echt", 5)
        assert found is not None
        assert found[1] == b"12345"
        too_large = durable.read_file(where, "echt", 4)
        assert too_large is not None
        assert too_large[1] is None


def test_a_leftover_is_replaced_and_a_link_not_written_through(tmp_path: Path) -> None:
    """Whatever lies under the hidden name gives way; what a link pointed to stays as it is."""
    (tmp_path / "opfer").write_bytes(b"bleibt")
    (tmp_path / ".neu").symlink_to(tmp_path / "opfer")
    with durable.directory(tmp_path) as where:
        durable.write_hidden(where, ".neu", b"neu")
    assert (tmp_path / "opfer").read_bytes() == b"bleibt"
    assert (tmp_path / ".neu").read_bytes() == b"neu"
    assert not (tmp_path / ".neu").is_symlink()
