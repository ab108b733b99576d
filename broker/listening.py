"""Take an address to listen on before anything else is touched, and say what to do where it cannot be had."""

from __future__ import annotations

import errno
import logging
import socket
import time

log = logging.getLogger(__name__)

LAST_PORT = 65535
PATIENCE_SECONDS = 12.0
"""Longer than workers take to end whose keeper was killed."""
LOOK_SECONDS = 0.1

NOT_STARTED = 78
"""Exit status of what cannot start as it is configured (``EX_CONFIG``): to start it again does not help."""


NOT_YET = 69
"""Exit status of what cannot start since something it needs does not answer (``EX_UNAVAILABLE``): start it again."""


class CannotStart(Exception):
    """The service cannot start here. The text is German and says what to do."""

    status = NOT_STARTED


class NotYet(CannotStart):
    """It cannot start now: what it needs does not answer. To start it again later helps."""

    status = NOT_YET


def listen(host: str, port: int, prefix: str = "AMTSBRUECKE_", *, patience: float = 0.0) -> socket.socket:
    """Take an address; `prefix` is that of the two settings that name it. Raises `CannotStart`.

    `patience`: so many seconds it waits for an address that is taken, since a process that was killed may have left
    others behind which are about to let it go.
    """
    until = time.monotonic() + patience
    waited = False
    while True:
        try:
            return _taken(host, port)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE or time.monotonic() > until:
                raise _told(exc, host, port, prefix) from exc
        if not waited:
            log.warning("waits for its port, which is taken")
            waited = True
        time.sleep(LOOK_SECONDS)


def _taken(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.create_server((host, port), family=family, backlog=2048)
    # Connections inherit it; asyncio sets it only on sockets that were made with their protocol. Without it the second
    # part of an answer waits for the acknowledgement of the first: 40 ms for each request on a kept connection.
    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return taken


def _told(exc: OSError, host: str, port: int, prefix: str) -> CannotStart:
    where = f"{host}:{port}"
    if exc.errno == errno.EADDRINUSE:
        other = port + 1 if port < LAST_PORT else 8080
        return CannotStart(f"{where} ist schon belegt. Einen anderen Port nennen, z. B.: {prefix}PORT={other}")
    text = f"Auf {where} kann nicht gelauscht werden ({exc.strerror}). {prefix}HOST und {prefix}PORT prüfen."
    return CannotStart(text)
