"""``amtsbruecke``: the command."""

from __future__ import annotations

import sys

import schemas


def main() -> None:
    """Run the command line. Refuses to start where the package ``schemas`` is somebody else's."""
    if getattr(schemas, "PROJECT", None) != "amtsbruecke":
        sys.exit("amtsbruecke: ein fremdes Paket „schemas“ steht im Pfad; bitte in einer eigenen Umgebung installieren")
    from broker.cli.main import app  # noqa: PLC0415 - after the check of what it imports

    app()


if __name__ == "__main__":
    main()
