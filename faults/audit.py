"""The evidence of a round: sealed to its end, exported, and verified by the product's commands with every promise."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from faults.checks import Finding
from faults.commands import Ended, amtsbruecke
from faults.deployment import Deployment

SEALING_SECONDS = 30.0
LOG, PROMISES = "audit-export", "promises.txt"


def verified(deployment: Deployment, promises: Sequence[str]) -> list[Finding]:
    """Wait for the seal, export the log, verify it with all promises and the log's own key; return what is wrong."""
    left = _unsealed(deployment)
    findings = (
        [Finding("audit", f"{left} entries are not sealed {SEALING_SECONDS:.0f} s after the last")] if left else []
    )
    log, told = deployment.folder / LOG, deployment.folder / PROMISES
    told.write_text("".join(f"{promise}\n" for promise in promises))
    key = _run(deployment, "key")
    export = _run(deployment, "export", "--to", str(log))
    known = [word for line in key.said.split() for word in ("--key", line)]
    verify = _run(deployment, "verify", str(log), *known, "--promise", str(told))
    for name, done in (("key", key), ("export", export), ("verify", verify)):
        if done.code:
            findings.append(Finding("audit", f"audit {name} ended with {done.code}: {done.said.strip()[-800:]}"))
    return findings


def _run(deployment: Deployment, *words: str) -> Ended:
    done = amtsbruecke(deployment.settings("admin"), "audit", *words)
    (deployment.folder / f"audit-{words[0]}.txt").write_text(done.said)
    return done


def _unsealed(deployment: Deployment) -> int:
    """Wait until every entry is sealed; return how many are not."""

    async def count(connection: Any) -> int:  # noqa: ANN401 - asyncpg's connection
        return int(await connection.fetchval("SELECT count(*) FROM audit_pending"))

    end = time.monotonic() + SEALING_SECONDS
    while (left := int(deployment.cluster.administer(count, deployment.database))) and time.monotonic() < end:
        time.sleep(0.3)
    return left
