"""What to look up for a transfer: the keys of its persons and cases at each owner of records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from broker.keys import Keys
from broker.procedures.models import Kind
from broker.procedures.repository import Route
from broker.subjects.pseudonym import SubjectKeys, pseudonyms_at, short
from broker.subjects.repository import SHELTER_REGISTER
from broker.subjects.state import Key
from broker.transfers.submission import Submitted
from consent.facts import TransferFacts
from schemas.identifiers import Mode

PROCEDURES = {Mode.ABRUF: Kind.ABRUF}
"""Mode → kind of procedure that it needs. Any other needs a REGELMAESSIG one, or beyond 50 persons (reading C 20)."""

PersonAt = tuple[str, str]
"""(person reference, owner of records)."""


@dataclass(frozen=True, slots=True)
class Sought:
    """The look-up of one transfer. Owners: sender, recipient, and the register of protected addresses."""

    transfer_id: str
    sender: str
    recipient: str
    purpose: str
    keys: Mapping[PersonAt, SubjectKeys]
    case_keys: Mapping[str, str]
    named_consents: tuple[str, ...]
    ersuchen: str | None
    own_order_key: str
    reply_to: str | None = None
    categories: frozenset[str] = frozenset()
    """What it carries."""
    procedure: Kind | None = None
    """What kind of registered procedure is looked for; None: none is, it was recorded when its mode was not counted."""
    counted: bool = False
    """Whether the persons of its route were counted when it was decided on first."""

    @property
    def route(self) -> Route:
        """The route and purpose."""
        return self.sender, self.recipient, self.purpose

    @property
    def keys_at_sender(self) -> list[tuple[str, ...]]:
        """The exact keys of each person at the sender."""
        return [keys.exact for (_, owner), keys in self.keys.items() if owner == self.sender]

    @property
    def persons(self) -> tuple[str, ...]:
        """Person references, in the message's order."""
        return tuple(dict.fromkeys(person for person, _ in self.keys))

    @property
    def references(self) -> dict[str, Any]:
        """What a later decision has to look up again by id."""
        found = {"consents": list(self.named_consents), "ersuchen": self.ersuchen}
        return found | ({"procedure": self.procedure.value} if self.procedure else {})

    def exact_keys(self, owner: str) -> list[str]:
        """Return the pseudonyms at an owner."""
        return [key for (_, at), keys in self.keys.items() if at == owner for key in keys.exact]

    def state_keys(self) -> Iterable[Key]:
        """Return the rows of `subject_state` to be locked."""
        for (_, owner), keys in self.keys.items():
            yield from ((owner, key) for key in keys.exact)
        yield from self.case_keys.items()

    def all_exact(self) -> list[str]:
        """Return the exact keys at all owners."""
        return [key for keys in self.keys.values() for key in keys.exact]

    def all_near(self) -> list[str]:
        """Return the near keys at all owners."""
        return [key for keys in self.keys.values() for key in keys.near]

    def person_keys(self, person: str) -> SubjectKeys:
        """Return all keys of one person."""
        own = [keys for (ref, _), keys in self.keys.items() if ref == person]
        return SubjectKeys(
            tuple(key for keys in own for key in keys.exact), tuple(key for keys in own for key in keys.near)
        )

    def subject_row(self) -> dict[str, Any]:
        """Return the row from which this look-up can be made again."""
        persons = [[person, owner, keys.exact, keys.near] for (person, owner), keys in self.keys.items()]
        return {"transfer_id": self.transfer_id, "persons": persons, "cases": self.case_keys}

    def lookup_rows(self) -> list[dict[str, Any]]:
        """Return the rows under which stops find the transfer."""
        found = {short(key) for keys in self.keys.values() for key in (*keys.exact, *keys.near)}
        found |= {short(key) for key in self.case_keys.values()}
        return [{"key": key, "transfer_id": self.transfer_id} for key in found]


def seek(keys: Keys, submitted: Submitted) -> Sought:
    """Make the look-up of a submission; every person has an identity by now."""
    head = submitted.payload.head
    sender, recipient = submitted.sender, submitted.recipient
    owners = (sender, recipient, SHELTER_REGISTER)
    found = {
        (person.ref, owner): at_owner
        for person in submitted.payload.persons
        if person.identity is not None
        for owner, at_owner in zip(owners, pseudonyms_at(keys, owners, person.identity), strict=True)
    }
    case_keys = {sender: keys.case_key(sender, head.case_sender)}
    if head.case_recipient is not None:
        case_keys[recipient] = keys.case_key(recipient, head.case_recipient)
    return Sought(
        transfer_id=submitted.transfer_id,
        sender=sender,
        recipient=recipient,
        purpose=head.purpose,
        keys=found,
        case_keys=case_keys,
        named_consents=tuple(submitted.payload.consents),
        ersuchen=head.ersuchen,
        own_order_key=keys.case_key(f"{sender}>{head.recipient.agency}", head.case_sender),
        reply_to=head.reply_to,
        categories=frozenset(block.category for block in submitted.payload.blocks),
        procedure=PROCEDURES.get(head.mode, Kind.REGELMAESSIG),
    )


def seek_again(recorded: Row[Any], facts: TransferFacts) -> Sought:
    """Make the look-up of a recorded transfer from what was kept of it: its row with subject and first decision."""
    references = recorded.detail["references"]
    return Sought(
        transfer_id=recorded.id,
        sender=recorded.sender,
        recipient=recorded.recipient,
        purpose=recorded.purpose,
        keys={
            (person, owner): SubjectKeys(tuple(exact), tuple(near)) for person, owner, exact, near in recorded.persons
        },
        case_keys=recorded.cases,
        named_consents=tuple(references["consents"]),
        ersuchen=references["ersuchen"],
        own_order_key=recorded.order_key,
        categories=frozenset(item.category for item in facts.items),
        procedure=Kind(references["procedure"]) if references.get("procedure") else None,
        counted=facts.declarations.anzahl_personen is not None,
    )
