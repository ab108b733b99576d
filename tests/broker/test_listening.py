"""Taking an address: at once where it is free, after a moment where it is just being let go, and never for long."""

from __future__ import annotations

import socket
import threading
from time import monotonic

import pytest

from broker.listening import CannotStart, listen

HOST = "127.0.0.1"


def test_a_port_that_is_let_go_is_taken() -> None:
    """Whoever waits has it as soon as the one before has gone."""
    before = listen(HOST, 0)
    port = before.getsockname()[1]
    threading.Timer(0.3, before.close).start()
    with listen(HOST, port, patience=20) as taken:
        assert taken.getsockname()[1] == port


@pytest.mark.parametrize("patience", [0.0, 0.5])
def test_a_port_that_stays_taken_is_told(patience: float) -> None:
    """After the patience, and not before, the text says what to do."""
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        began = monotonic()
        with pytest.raises(CannotStart, match=f"{HOST}:{port} ist schon belegt"):
            listen(HOST, port, patience=patience)

    assert patience <= monotonic() - began < patience + 10


def test_an_address_that_is_not_ours_is_told_at_once() -> None:
    """No patience helps there."""
    began = monotonic()
    with pytest.raises(CannotStart, match="kann nicht gelauscht werden"):
        listen("192.0.2.1", 8080, patience=60)

    assert monotonic() - began < 30


def test_answers_are_not_held_back() -> None:
    """A connection sends the second part of an answer without waiting for the acknowledgement of the first."""
    with listen(HOST, 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
