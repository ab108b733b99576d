"""Large messages are validated in a process of their own, which can be ended where a thread could not.

A C call in a thread has no time limit. The process has: whoever runs into it is killed with it, and the next large
message gets a new one. It may use `MEMORY_BYTES` at most. Whatever ends it, the message is never taken for valid.
It talks over its standard streams: lengths of eight bytes, the message in, the answer (pickled, of our own code) out.
"""

from __future__ import annotations

import asyncio
import pickle
import resource
import sys
from typing import BinaryIO

from broker.errors import ProblemError
from schemas.errors import PayloadTooLarge, SchemasError, SchemaViolation, UnknownMessageType, Violation
from schemas.message import ValidatedPayload
from schemas.xml import validate, warm_up

MEMORY_BYTES = 1 << 30
START_SECONDS = 60.0
"""So long a process may take until it has read the XSDs."""
LENGTH = 8
READY = b"\0" * LENGTH
RETRY_AFTER = "1"
TOO_LONG = "AB-PRUEFDAUER"


class LargeMessages:
    """One process, started with the first large message; messages go through it one after the other."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: what one message may take, from the moment at which the process has it."""
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process that is there, if one is."""
        return self._process.pid if self._process else None

    async def validate(self, content: bytes) -> ValidatedPayload:
        """Understand a message as `schemas.xml.validate` does, and raise as it does.

        Raises `SchemaViolation` with rule AB-PRUEFDAUER where it takes too long, and the problem
        ``temporarily-unavailable`` where the process ended otherwise: then nothing is said about the message.
        """
        async with self._lock:
            try:
                process = await self._started()
                answer = await self._asked(process, content)
            except TimeoutError as late:
                await self.close()
                raise SchemaViolation((_too_long(self._seconds),)) from late
            except (OSError, EOFError) as gone:
                await self.close()
                detail = "Die Prüfung dieser Nachricht brach ab; über die Nachricht ist nichts entschieden."
                headers = {"Retry-After": RETRY_AFTER}
                raise ProblemError("temporarily-unavailable", detail, headers=headers) from gone
            except BaseException:
                await self.close()  # a caller that left: its answer would be taken for the next one's
                raise
        if isinstance(answer, ValidatedPayload):
            return answer
        kind, argument = answer
        raise kind(argument)

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            pipe = asyncio.subprocess.PIPE
            command = (sys.executable, "-m", "broker.large_xml")
            self._process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._read(self._process, LENGTH)
            except TimeoutError as late:
                raise EOFError from late  # slow to start: not the message's fault
        return self._process

    async def _asked(self, process: asyncio.subprocess.Process, content: bytes) -> ValidatedPayload | Refused:
        assert process.stdin is not None  # noqa: S101 - piped
        async with asyncio.timeout(self._seconds):
            process.stdin.write(len(content).to_bytes(LENGTH) + content)
            await process.stdin.drain()
            size = int.from_bytes(await self._read(process, LENGTH))
            answer: ValidatedPayload | Refused = pickle.loads(await self._read(process, size))  # noqa: S301 - our own code's
        return answer

    async def _read(self, process: asyncio.subprocess.Process, size: int) -> bytes:
        assert process.stdout is not None  # noqa: S101 - piped
        return await process.stdout.readexactly(size)

    async def close(self) -> None:
        """End the process, if one is there."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()


Refused = tuple[type[SchemasError], object]
"""The class of an error and what it is made of; the errors themselves cannot be pickled."""


def _too_long(seconds: float) -> Violation:
    text = (
        f"Die Prüfung dieser Nachricht dauerte länger als {seconds:g} Sekunden und wurde abgebrochen; bitte auf "
        "mehrere kleinere Nachrichten aufteilen."
    )
    return Violation("/", TOO_LONG, text)


def _answer(content: bytes) -> ValidatedPayload | Refused:
    try:
        return validate(content)
    except SchemaViolation as error:
        return SchemaViolation, error.violations
    except UnknownMessageType as error:
        return UnknownMessageType, error.allowed
    except PayloadTooLarge as error:
        return PayloadTooLarge, error.limit


def _serve(messages: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nothing more comes."""
    answers.write(READY)
    answers.flush()
    while size := int.from_bytes(messages.read(LENGTH)):
        packed = pickle.dumps(_answer(messages.read(size)))
        answers.write(len(packed).to_bytes(LENGTH) + packed)
        answers.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold persons
    warm_up()
    _serve(sys.stdin.buffer, sys.stdout.buffer)
