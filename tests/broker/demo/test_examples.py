"""docs/examples: the session by hand is run as it is written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.broker.demo.program import LONGEST, ROOT, environment, staying

PAGE = ROOT / "docs" / "examples" / "first-transfer.md"
WRITTEN_URL = "http://127.0.0.1:8080"


def test_the_first_transfer_works_as_written(tmp_path: Path) -> None:
    """All blocks of the page run in one shell without an error, and the transfer ends with its quittung."""
    bash = shutil.which("bash")
    assert bash, "the page is written for a shell"
    assert shutil.which("curl"), "the page is written for curl"
    program = tmp_path / "bin" / "amtsbruecke"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m broker "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    data = tmp_path / "data"
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    with staying(data, "--no-demo", ready="/docs") as running:
        script = "\n".join(["set -euo pipefail", *blocks, 'rm -r "$SESSION"']).replace(WRITTEN_URL, running.url)
        env = environment(data, int(running.url.rpartition(":")[2]))
        env |= {"PATH": f"{program.parent}:{env['PATH']}", "TMPDIR": str(tmp_path)}
        script = script.replace('PATH="$PWD/.venv/bin:$PATH"\n', "")
        result = subprocess.run(
            [bash, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    assert result.returncode == 0, result.stdout + result.stderr
    assert '"outcome":"PERMIT"' in result.stdout
    assert '"leased_until"' in result.stdout
    assert '"state":"acknowledged","repeated":false' in result.stdout
    assert "problems" not in result.stdout
