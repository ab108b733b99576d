"""The evidence of a round: sealed to its end, exported, and verified by the product's commands with every promise."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faults.checks import Finding
from faults.commands import amtsbruecke
from faults.deployment import Deployment

SEALING_SECONDS = 30.0
LOG, PROMISES = "audit-export", "promises.txt"


def verified(settings: Mapping[str, str], folder: Path, promises: Sequence[str], left: int) -> list[Finding]:
    """Export the log, verify it with all promises and the log's own key; return what is wrong.

    All is sealed, so that no promise may be put off to when it is due.

    `settings`: of the operator; `folder`: for export and reports; `left`: how many entries are not sealed.
    """
    findings = (
        [Finding("audit", f"{left} entries are not sealed {SEALING_SECONDS:.0f} s after the last")] if left else []
    )
    log, told = folder / LOG, folder / PROMISES
    told.write_text("".join(f"{promise}\n" for promise in promises))
    key = amtsbruecke(settings, "audit", "key")
    export = amtsbruecke(settings, "audit", "export", "--to", str(log))
    known = [word for line in key.said.split() for word in ("--key", line)]
    verify = amtsbruecke(settings, "audit", "verify", str(log), *known, "--promise", str(told))
    for name, done in (("key", key), ("export", export), ("verify", verify)):
        (folder / f"audit-{name}.txt").write_text(done.said)
        if done.code:
            findings.append(Finding("audit", f"audit {name} ended with {done.code}: {done.said.strip()[-800:]}"))
    told_all = f"{len(set(promises))} gehalten, 0 noch nicht fällig"
    if promises and not verify.code and told_all not in verify.said:
        findings.append(Finding("audit", f"of {len(set(promises))} promises some were not looked for: {verify.said}"))
    return findings


def unsealed(deployment: Deployment) -> int:
    """Wait until every entry is sealed; return how many are not."""

    async def count(connection: Any) -> int:  # noqa: ANN401 - asyncpg's connection
        return int(await connection.fetchval("SELECT count(*) FROM audit_pending"))

    end = time.monotonic() + SEALING_SECONDS
    while (left := int(deployment.cluster.administer(count, deployment.database))) and time.monotonic() < end:
        time.sleep(0.3)
    return left
