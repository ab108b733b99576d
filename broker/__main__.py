"""``amtsbruecke``: the command."""

from __future__ import annotations

import gc
import os
import sys

import schemas


def main() -> None:
    """Run the command line. Refuses to start where the package ``schemas`` is somebody else's."""
    if getattr(schemas, "PROJECT", None) != "amtsbruecke":
        sys.exit("amtsbruecke: ein fremdes Paket „schemas“ steht im Pfad; bitte in einer eigenen Umgebung installieren")
    gc.disable()  # what is loaded now stays to the end: looking through it again and again is a fifth of the start
    from broker.cli.main import app  # noqa: PLC0415 - after the check of what it imports
    from broker.config import FileUnreadable, WrongSettings, unread  # noqa: PLC0415 - the same
    from broker.keys import KeyFileError  # noqa: PLC0415 - the same
    from broker.listening import NOT_STARTED, CannotStart  # noqa: PLC0415 - the same

    gc.freeze()
    gc.enable()
    sys.stderr.writelines(f"amtsbruecke: WARNUNG: {text}\n" for text in unread(os.environ))
    try:
        app()
    except (CannotStart, FileUnreadable, KeyFileError, WrongSettings) as exc:
        sys.stderr.write(f"amtsbruecke: {exc}\n")
        sys.exit(exc.status if isinstance(exc, CannotStart) else NOT_STARTED)


if __name__ == "__main__":
    main()
