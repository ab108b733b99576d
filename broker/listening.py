"""Take an address to listen on before anything else is touched, and say what to do where it cannot be had."""

from __future__ import annotations

import errno
import socket

LAST_PORT = 65535


NOT_STARTED = 78
"""Exit status of what cannot start as it is configured (``EX_CONFIG``): to start it again does not help."""


class CannotStart(Exception):
    """The service cannot start here. The text is German and says what to do."""


def listen(host: str, port: int, prefix: str = "AMTSBRUECKE_") -> socket.socket:
    """Take an address; `prefix` is that of the two settings that name it. Raises `CannotStart`."""
    where = f"{host}:{port}"
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            other = port + 1 if port < LAST_PORT else 8080
            text = f"{where} ist schon belegt. Einen anderen Port nennen, z. B.: {prefix}PORT={other}"
            raise CannotStart(text) from exc
        text = f"Auf {where} kann nicht gelauscht werden ({exc.strerror}). {prefix}HOST und {prefix}PORT prüfen."
        raise CannotStart(text) from exc
