"""Play the steps of the story through the API, and note what was answered: nothing here knows an answer beforehand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from broker.demo.actors import Client, PlayStopped, answer_in_folder, now
from broker.demo.story import ASKED, DEADLINE, GRANTED, LOOK_REASON, MUST_BE_ON_RECORD, Answer, Consent, Step, Then
from schemas.compose import AnyBlock, BlockSpec, compose_uebermittlung
from schemas.identifiers import Mode, Ueberhang

SETTLE_SECONDS = 30.0
"""How long the last states are waited for: a quittung in a folder counts after it was left alone for some seconds."""
ANSWER_DAYS = 30
REFUSED = 403
ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class Stage:
    """The offices of the play, the folder of the one that has no inbox, and the day."""

    offices: Mapping[str, Client]
    folder: Path
    today: date


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent and can be sent again."""

    message_id: str
    content: bytes
    purpose: str


@dataclass(frozen=True, slots=True)
class Played:
    """A step that was played: the answer as it came, and what of it is compared."""

    step: Step
    sent: Sent
    body: Mapping[str, Any]
    answer: Answer

    @property
    def transfer_id(self) -> str:
        """The transfer that the answer opened, empty where it opened none."""
        return str(self.body.get("transfer_id", ""))

    def differences(self) -> list[str]:
        """Say where the answer is not the one that the story expects."""
        pairs = (
            (f.name, getattr(self.step.expected, f.name), getattr(self.answer, f.name)) for f in fields(self.answer)
        )
        return [f"{name}: erwartet {wanted!r}, geantwortet {got!r}" for name, wanted, got in pairs if wanted != got]


@dataclass(frozen=True, slots=True)
class Looked:
    """What the officer saw: the events about one transfer, and whether the look itself is on record."""

    titles: tuple[str, ...]
    missing: tuple[str, ...]
    look_recorded: bool


async def play(stage: Stage, story: Sequence[Step]) -> list[Played]:
    """Play all steps in their order, then wait for the states they end in."""
    played: list[Played] = []
    for step in story:
        played.append(await play_step(stage, step, [p.sent for p in played]))
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        ended = [await with_end(stage, p) for p in played]
        if all(p.answer.end == p.step.expected.end for p in ended) or time.monotonic() > end:
            return ended
        await asyncio.sleep(0.2)


async def play_step(stage: Stage, step: Step, earlier: Sequence[Sent]) -> Played:
    """Prepare, send, and do what comes after."""
    consent_id = await record_consent(stage, step)
    ersuchen_id = await ask(stage, step)
    if step.objection:
        await object_at_recipient(stage, step)
    sent = earlier[step.again - 1] if step.again else write(stage, step, consent_id, ersuchen_id, earlier)
    speaker = stage.offices[step.speaker or step.sender]
    response = await speaker.send(sent.content, check=step.check)
    played = Played(step, sent, response.json(), understood(response))
    if response.status_code == ACCEPTED:
        await afterwards(stage, played, consent_id)
    return played


async def record_consent(stage: Stage, step: Step) -> str | None:
    """Record the consent of the step's person at the sender; withdraw it again where the story says so."""
    if step.consent is Consent.NONE:
        return None
    sender = stage.offices[step.sender]
    body = {
        "person": step.person.body(stage.today),
        "erklaert_von": step.given_by,
        "erteilt_am": (stage.today - timedelta(days=GRANTED)).isoformat(),
        "zweck": step.purpose,
        "empfaenger": [step.recipient],
        "kategorien": categories(step.blocks),
        "form": "schriftlich",
        "hinweise": ["zweck", "folgen_der_verweigerung", "widerruf"],
        "freiwillig": True,
        "nachweis": {"wortlaut_version": "vorfuehrung-1", "aufgenommen_von": "FM-3"},
    }
    consent_id = str((await sender.post("/v1/consents", body, 201))["id"])
    if step.consent is Consent.WITHDRAWN:
        await sender.post(f"/v1/consents/{consent_id}/withdrawal", {}, 200)
    return consent_id


async def ask(stage: Stage, step: Step) -> str | None:
    """Let the recipient ask for the data, and say how it asked the person first."""
    if not step.collection:
        return None
    first = {
        "status": step.collection,
        "gefragt_am": (stage.today - timedelta(days=ASKED)).isoformat(),
        "frist": (stage.today - timedelta(days=DEADLINE)).isoformat(),
    }
    body = {
        "an": step.sender,
        "zweck": step.purpose,
        "norm": step.norm,
        "kategorien": categories(step.blocks),
        "person": step.person.body(stage.today),
        "ersterhebung": first if step.collection == "VERSUCHT_FRUCHTLOS" else {"status": step.collection},
        "frist": (stage.today + timedelta(days=ANSWER_DAYS)).isoformat(),
    }
    return str((await stage.offices[step.recipient].post("/v1/ersuchen", body, 201))["id"])


async def object_at_recipient(stage: Stage, step: Step) -> None:
    """Let the person object at the recipient (Art. 21 DSGVO)."""
    body = {
        "art": "WIDERSPRUCH_ART21",
        "person": step.person.body(stage.today),
        "datum": (stage.today - timedelta(days=GRANTED)).isoformat(),
        "erklaert_von": "betroffene Person",
    }
    await stage.offices[step.recipient].post("/v1/objections", body, 201)


def write(stage: Stage, step: Step, consent_id: str | None, ersuchen_id: str | None, earlier: Sequence[Sent]) -> Sent:
    """Write the step's message as the sender's software would."""
    message_id = earlier[step.same_id_as - 1].message_id if step.same_id_as else str(uuid4())
    content = compose_uebermittlung(
        message_id=message_id,
        sender=step.sender,
        recipient=step.recipient,
        purpose=step.purpose,
        blocks=step.blocks,
        persons=[step.person.spec(stage.today)],
        mode=Mode.ERSUCHEN if ersuchen_id else Mode.UNAUFGEFORDERT,
        created_at=now(),
        case_sender=f"VF-{len(earlier) + 1:02}",
        ersuchen=ersuchen_id,
        ueberhang=Ueberhang.ENTFERNEN if step.remove_excess else Ueberhang.ABLEHNEN,
        declarations=step.declarations,
        consents=[consent_id] if consent_id else [],
    )
    return Sent(message_id, content, step.purpose)


def categories(blocks: Sequence[AnyBlock]) -> list[str]:
    """Return the category of each block."""
    return [str(b.category if isinstance(b, BlockSpec) else b[0] if isinstance(b, tuple) else b) for b in blocks]


async def afterwards(stage: Stage, played: Played, consent_id: str | None) -> None:
    """Do what the story tells of the transfer after it was let through."""
    step, transfer_id = played.step, played.transfer_id
    sender, recipient = stage.offices[step.sender], stage.offices[step.recipient]
    match step.then:
        case Then.FETCH:
            item = await recipient.fetch(transfer_id)
            await recipient.quittung(item, "ANGENOMMEN")
            await recipient.quittung(item, "VERARBEITET")
        case Then.FOLDER:
            await answer_in_folder(stage.folder, transfer_id, "ANGENOMMEN")
        case Then.WITHDRAW:
            await sender.post(f"/v1/consents/{consent_id}/withdrawal", {}, 200)
            await recipient.get("/v1/inbox")
        case Then.RECALL:
            await sender.post(f"/v1/transfers/{transfer_id}/recall", {}, 200)
            await recipient.get("/v1/inbox")
        case Then.NOTHING:
            pass


def understood(response: httpx.Response) -> Answer:
    """Read from an answer what the story expects of it."""
    body = response.json()
    removed = tuple(sorted(block["category"] for block in body.get("removed", ())))
    repeated = response.headers.get("Idempotent-Replayed") == "true"
    if "decision" in body and response.status_code != REFUSED:
        return Answer(response.status_code, body["decision"]["outcome"], removed=removed, repeated=repeated)
    if "kind" in body:
        return Answer(response.status_code, "DENY", body["code"], body["kind"], removed, repeated=repeated)
    return Answer(response.status_code, code=str(body.get("type", "")).rpartition("/")[2])


async def with_end(stage: Stage, played: Played) -> Played:
    """Add the state that the transfer is in, as its sender sees it."""
    if not played.transfer_id:
        return played
    view = await stage.offices[played.step.sender].get(f"/v1/transfers/{played.transfer_id}")
    return replace(played, answer=replace(played.answer, end=view["state"]))


async def check_nothing_else_went_out(offices: Mapping[str, Client], played: Sequence[Played]) -> None:
    """Compare the senders' own feeds with the answers: what was not let through must appear in none.

    Raises `PlayStopped`.
    """
    let_through = {p.transfer_id for p in played if p.transfer_id}
    seen: set[str] = set()
    for instance in sorted({p.step.sender for p in played}):
        items = (await offices[instance].get("/v1/transfers", limit=500))["items"]
        seen |= {item["transfer_id"] for item in items}
    if seen != let_through:
        raise PlayStopped("Es sind andere Übermittlungen unterwegs als die zugelassenen.")


async def look(officer: Client, transfer_id: str) -> Looked:
    """Look into the evidence about one transfer, then for the look itself."""
    page = await officer.get("/v1/audit/events", reference=transfer_id, reason=LOOK_REASON)
    events = [(entry["event"], entry["title"]) for entry in page["items"]]
    looks = await officer.get("/v1/audit/events", event="audit.read", reason=LOOK_REASON)
    return Looked(
        titles=tuple(dict.fromkeys(title for _, title in events)),
        missing=tuple(sorted(MUST_BE_ON_RECORD - {event for event, _ in events})),
        look_recorded=any(transfer_id in str(entry["data"]) for entry in looks["items"]),
    )
