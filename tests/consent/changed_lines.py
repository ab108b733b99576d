"""Which lines have changed, since when, as git says: of the commits that a branch adds, or else of the last ones."""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path

COMMITS = 50
"""So far is looked back where there is no branch to compare with and no version was tagged."""
UPSTREAM = ("origin/HEAD", "origin/main")
_FILE = re.compile(r"\+\+\+ b/(.+)")
_HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")


class NoHistory(Exception):
    """There is no git here, or no commit to compare with."""


def changed_lines(root: Path) -> tuple[str, dict[str, set[int]]]:
    """Return the commit compared with, and the lines that are new since, by file. Raises `NoHistory`."""
    base = base_of(root)
    lines: dict[str, set[int]] = defaultdict(set)
    name = ""
    for line in git(root, "diff", "--unified=0", "--no-color", "--no-ext-diff", base).splitlines():
        if file := _FILE.fullmatch(line):
            name = file[1]
        elif hunk := _HUNK.match(line):
            start = int(hunk[1])
            lines[name].update(range(start, start + int(hunk[2] or 1)))
    return base, dict(lines)


def base_of(root: Path) -> str:
    """Return the commit to compare with. Raises `NoHistory`.

    The one that ``BASE`` names; else where this branch left the one it came from; else the last tag before this commit;
    else the oldest of the last `COMMITS`, as far as a shallow clone has them.
    """
    if named := os.environ.get("BASE"):
        return git(root, "rev-parse", "--verify", f"{named}^{{commit}}")
    head = git(root, "rev-parse", "--verify", "HEAD")
    found = [quietly(root, "merge-base", "HEAD", upstream) for upstream in UPSTREAM]
    found.append(
        quietly(root, "rev-list", "-n", "1", quietly(root, "describe", "--tags", "--abbrev=0", "HEAD^") or "-")
    )
    found.append(git(root, "rev-list", "--first-parent", "-n", str(COMMITS), "HEAD").splitlines()[-1])
    base = next((commit for commit in found if commit not in ("", head)), None)
    if base is None:
        raise NoHistory("the history here has one commit alone, and changed lines are not to be known")
    return base


def quietly(root: Path, *words: str) -> str:
    """Ask git what it may not know; nothing where it does not."""
    try:
        return git(root, *words)
    except NoHistory:
        return ""


def git(root: Path, *words: str) -> str:
    """Ask git. Raises `NoHistory` where it cannot answer."""
    try:
        done = subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True, text=True)  # noqa: S607 - the git of the machine
    except (OSError, subprocess.CalledProcessError) as exc:
        raise NoHistory(f"git cannot answer here ({words[0]})") from exc
    return done.stdout.strip()
