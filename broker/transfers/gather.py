"""Station 3: gather what the law may look at. All records of a batch are read with one query a table.

The rows of `subject_state` are locked first, so that an event about a person waits for the batch or the batch for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.attempts.repository import FRUITLESS, AttemptRow, answered, attempts_for, latest
from broker.bulk import Sql, fetch
from broker.consents.repository import ConsentRow, StandingStop, consents_by_ids, releases_for, standing_stops, to_law
from broker.errors import ProblemError
from broker.lifecycle.models import Transfer
from broker.procedures.counter import Counter
from broker.procedures.repository import ProcedureRow, Route, fitting, procedures_for
from broker.requests.repository import ErsuchenRow, ersuchen_by_ids
from broker.subjects.models import StopKind
from broker.subjects.repository import FoundBy, StopRow, stops_for
from broker.subjects.state import Key, lock_shared
from broker.transfers.counting import counter_of
from broker.transfers.seek import Sought
from broker.transfers.submission import Submitted
from consent.consents import Consent, GivenBy
from consent.facts import FirstCollection, Item, Objection, ObjectionScope, Party, PersonFacts, TransferFacts
from consent.gates.necessity import OF_SEVERAL
from schemas.declarations import Declarations, RegisteredProcedure
from schemas.identifiers import DataCategory, Mode
from schemas.message import Person

ADDRESSES = frozenset({DataCategory.ANSCHRIFT, DataCategory.SCHUTZANSCHRIFT})
ON_REQUEST = frozenset({Mode.ERSUCHEN, Mode.ABRUF})


#: Whether any consent, and any stop, is found by one of the keys (exact, near, cases); mostly there is none.
ANYTHING = Sql(
    """SELECT
    EXISTS (SELECT 1 FROM consents WHERE pseudonym = ANY($1::text[]))
    OR EXISTS (SELECT 1 FROM consent_near WHERE near = ANY($2::text[]))
    OR EXISTS (SELECT 1 FROM consents WHERE case_key = ANY($3::text[])) AS any_consent,
    EXISTS (SELECT 1 FROM stops WHERE pseudonym = ANY($1::text[]))
    OR EXISTS (SELECT 1 FROM stop_near WHERE near = ANY($2::text[]))
    OR EXISTS (SELECT 1 FROM stops WHERE case_key = ANY($3::text[])) AS any_stop""",
    """SELECT
    EXISTS (SELECT 1 FROM consents WHERE pseudonym IN (SELECT value FROM json_each(?1)))
    OR EXISTS (SELECT 1 FROM consent_near WHERE near IN (SELECT value FROM json_each(?2)))
    OR EXISTS (SELECT 1 FROM consents WHERE case_key IN (SELECT value FROM json_each(?3))) AS any_consent,
    EXISTS (SELECT 1 FROM stops WHERE pseudonym IN (SELECT value FROM json_each(?1)))
    OR EXISTS (SELECT 1 FROM stop_near WHERE near IN (SELECT value FROM json_each(?2)))
    OR EXISTS (SELECT 1 FROM stops WHERE case_key IN (SELECT value FROM json_each(?3))) AS any_stop""",
)


Thread = tuple[str, str, str]
"""Recipient of its first message, agency of that one's sender, its message id: ids are each sender's own."""


@dataclass(frozen=True, slots=True)
class Records:
    """What is on record for all transfers of a batch, on one day."""

    consents: Mapping[str, ConsentRow]
    releases: Sequence[ConsentRow]
    """Releases from secrecy in force on the day."""
    standing: Sequence[StandingStop]
    stops: Sequence[StopRow]
    ersuchen: Mapping[str, ErsuchenRow]
    numbers: Mapping[Key, int]
    attempts: Sequence[AttemptRow]
    """First-collection attempts of those who ask."""
    procedures: Mapping[Route, Sequence[ProcedureRow]]
    counter: Counter | None
    """Where transfers are decided on for the first time, or some that nobody counted then need it now."""
    threads: Mapping[Thread, str]
    """First message of a thread → order key: a reply uses its thread's first key."""

    def order_key(self, sought: Sought) -> str:
        """Return the key that keeps the order of a case."""
        thread = (sought.sender, _agency(sought.recipient), sought.reply_to or "")
        return self.threads.get(thread, sought.own_order_key)

    def numbers_of(self, sought: Sought) -> dict[str, int]:
        """Return the numbers of `subject_state` that a decision about `sought` saw."""
        return {key: self.numbers[owner, key] for owner, key in sought.state_keys()}


async def load_records(connection: AsyncConnection, batch: Sequence[Sought], on: date, *, lock: bool = True) -> Records:
    """Lock, then read everything that may matter for the batch. Without `lock` it is locked already."""
    keys = [key for sought in batch for key in sought.state_keys()]
    numbers = await lock_shared(connection, keys) if lock else {}
    exact = [key for sought in batch for key in sought.all_exact()]
    near = [key for sought in batch for key in sought.all_near()]
    cases = [key for sought in batch for key in sought.case_keys.values()]
    named = [consent for sought in batch for consent in sought.named_consents]
    asked = [sought.ersuchen for sought in batch if sought.ersuchen]
    routes = {sought.route for sought in batch if sought.procedure}
    procedures = await procedures_for(connection, routes) if routes else {}
    some = (await fetch(connection, ANYTHING, exact, near, cases)).one()
    return Records(
        consents={row.id: row for row in await consents_by_ids(connection, named)} if named else {},
        releases=await releases_for(connection, exact, on) if some.any_consent else (),
        standing=await standing_stops(connection, exact, near, cases, on) if some.any_consent else (),
        stops=await stops_for(connection, exact, near, cases, on) if some.any_stop else (),
        ersuchen={row.id: row for row in await ersuchen_by_ids(connection, asked)},
        numbers=numbers,
        attempts=await _attempts(connection, batch) if asked else (),
        procedures=procedures,
        counter=await counter_of(connection, batch, procedures, on, lock=lock),
        threads=await _threads(connection, batch),
    )


async def _attempts(connection: AsyncConnection, batch: Sequence[Sought]) -> list[AttemptRow]:
    """Read how the recipients that ask have first asked the persons."""
    asking = [sought for sought in batch if sought.ersuchen]
    exact = [key for sought in asking for key in sought.exact_keys(sought.recipient)]
    cases = [sought.case_keys[sought.recipient] for sought in asking if sought.recipient in sought.case_keys]
    return await attempts_for(connection, exact, cases)


def _agency(instance: str) -> str:
    return instance.partition(":")[0]


async def _threads(connection: AsyncConnection, batch: Sequence[Sought]) -> dict[Thread, str]:
    replied = [sought.reply_to for sought in batch if sought.reply_to]
    if not replied:
        return {}
    columns = (Transfer.sender, Transfer.recipient, Transfer.message_id, Transfer.order_key)
    rows = await connection.execute(select(*columns).where(Transfer.message_id.in_(replied)))
    return {(row.recipient, _agency(row.sender), row.message_id): row.order_key for row in rows}


def facts_of(submitted: Submitted, sought: Sought, records: Records, on: date) -> TransferFacts:
    """Return the facts of a submission.

    Raises the problems ``unknown-consent`` and ``unknown-ersuchen`` where the message names what it may not rely on.
    """
    payload = submitted.payload
    head = payload.head
    other = payload.declarations.anderer_traeger
    base = TransferFacts(
        sender=Party(submitted.sender, head.sender.unit),
        recipient=Party(submitted.recipient, head.recipient.unit),
        purpose=head.purpose,
        mode=head.mode,
        persons=tuple(_person(person, on) for person in payload.persons),
        items=tuple(Item(b.id, b.person, b.category, b.part, b.marks, b.contested, b.received) for b in payload.blocks),
        declarations=replace(payload.declarations, anderer_traeger=True if submitted.other_traeger else other),
        transfer_id=submitted.transfer_id,
        payload_digest=payload.digest,
    )
    return complete(base, sought, records, on)


def complete(base: TransferFacts, sought: Sought, records: Records, on: date) -> TransferFacts:
    """Add what is on record today: consents, stops, protected addresses, first collection, registered procedure."""
    base = replace(base, declarations=_represented(base.declarations, sought, records))
    declared = [*_named(sought, records), *_released(sought, records), *_standing(sought, records)]
    found = Found(declared, _near_withdrawals(sought, records), [])
    carries_address = any(item.category in ADDRESSES for item in base.items)
    for stop in records.stops:
        _add_stop(stop, sought, found, carries_address=carries_address)
    # The sender's own record first: what rests on it may be shown to the sender in full.
    shelter = min(found.shelters, key=lambda controller: controller != sought.sender, default=None)
    in_register = True if shelter else base.declarations.schutzanschrift_im_register
    persons = _persons_in_30_days(base, sought, records)
    ersuchen = _ersuchen(base.mode, sought, records, on)
    return replace(
        base,
        consents=tuple(found.consents),
        objections=tuple(found.objections),
        shelter_recorded_by=shelter,
        declarations=replace(
            base.declarations,
            schutzanschrift_im_register=in_register,
            verfahren=_procedure(sought, records, on, persons or 0),
            anzahl_personen=persons,
        ),
        first_collection=_collected(ersuchen, sought, records, on) if ersuchen else None,
        requested=frozenset(DataCategory(c) for c in ersuchen.categories) if ersuchen else None,
    )


def _persons_in_30_days(base: TransferFacts, sought: Sought, records: Records) -> int | None:
    """Return the persons of route and purpose, those of this transfer included; None where nobody counted.

    They are counted when a transfer is first decided on: it is not the one too many because others came after it. Where
    its outcome did not hang on the number then and does now (its procedure has ended), they are counted now.
    """
    known = base.declarations.anzahl_personen  # of its first decision: no message can say it
    if known is not None or sought.procedure is None or records.counter is None:
        return known
    return records.counter.persons(sought.route, sought.keys_at_sender)


def _procedure(sought: Sought, records: Records, on: date, persons: int) -> RegisteredProcedure | None:
    """Return what the register says on the day; what a sender may declare of it counts for nothing."""
    if sought.procedure is None:
        return None
    found = fitting(records.procedures.get(sought.route, ()), sought.procedure, on, persons)
    return found.to_law(on, persons) if found else None


def _person(person: Person, on: date) -> PersonFacts:
    age = None if person.identity is None else full_years(person.identity.birth_date, on)
    return PersonFacts(person.ref, age, is_child=person.role == "kind", german=person.german)


def full_years(born: date, on: date) -> int:
    """Return the age in full years on a day (§ 187 Abs. 2 Satz 2 BGB: the birthday itself counts)."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _named(sought: Sought, records: Records) -> list[Consent]:
    """Return the consents that the message names; each must be the record of one side, about one of its persons."""
    found = []
    for consent_id in sought.named_consents:
        row = records.consents.get(consent_id)
        person = _person_of(row, sought) if row and row.recorded_by in (sought.sender, sought.recipient) else None
        if row is None or person is None:
            raise ProblemError(
                "unknown-consent",
                "Eine genannte Einwilligung gibt es für diese Stellen und diese Personen nicht.",
                field="einwilligungen/einwilligungId",
            )
        found.append(to_law(row, person))
    return found


def _represented(said: Declarations, sought: Sought, records: Records) -> Declarations:
    """Return the declarations as far as what was proven when the consents were taken does not say otherwise.

    Joint custody, a Betreuer without the task, or a member of the household who has not consented, on one of them
    counts for all; the contrary where all say it.
    """
    rows = [row for consent in sought.named_consents if (row := records.consents.get(consent)) is not None]
    custody = {row.custody for row in rows}
    covers = {row.carer_covers for row in rows if row.given_by is GivenBy.BETREUER}
    if "gemeinsam" in custody:
        said = replace(said, sorge="gemeinsam")
    elif custody == {"allein"} and said.sorge is None:
        said = replace(said, sorge="allein")
    if False in covers:
        said = replace(said, betreuer_aufgabenkreis=False)
    elif covers == {True} and said.betreuer_aufgabenkreis is None:
        said = replace(said, betreuer_aufgabenkreis=True)
    agreed = {row.household_agreed for row in rows if not OF_SEVERAL.isdisjoint(row.categories)}
    if False in agreed:
        said = replace(said, haushaltsmitglieder_eingewilligt=False)
    elif agreed == {True} and said.haushaltsmitglieder_eingewilligt is None:
        said = replace(said, haushaltsmitglieder_eingewilligt=True)
    return said


def _released(sought: Sought, records: Records) -> list[Consent]:
    """Return the sender's own releases from secrecy for this purpose and recipient; it need not name them.

    The recipient's own count where the message names them: the sender shall not learn by an answer that there are some.
    """
    found = []
    for row in records.releases:
        fits = row.purpose == sought.purpose and sought.recipient in row.recipients
        person = _person_of(row, sought) if fits and row.recorded_by == sought.sender else None
        if person is not None and row.id not in sought.named_consents:
            found.append(to_law(row, person))
    return found


def _person_of(row: ConsentRow, sought: Sought) -> str | None:
    return next(
        (ref for (ref, owner), keys in sought.keys.items() if owner == row.recorded_by and row.pseudonym in keys.exact),
        None,
    )


def _standing(sought: Sought, records: Records) -> list[Consent]:
    """Return refusals and withdrawals on record for this person or case, purpose and recipient (settled reading 13)."""
    found = []
    for stop in records.standing:
        if stop.consent.id in sought.named_consents or not _same_matter(stop, sought):
            continue
        found += [stop.to_law(person) for person in _surely_about(stop, sought)]
    return found


def _surely_about(stop: StandingStop, sought: Sought) -> list[str]:
    """Return whom a stop is about: the persons it names, or, found by the Aktenzeichen alone, everybody of the case."""
    cases = tuple(sought.case_keys.values())
    how = {person: stop.found_for(sought.person_keys(person), cases) for person in sought.persons}
    named = [person for person, found in how.items() if found is FoundBy.EXACT]
    return named or [person for person, found in how.items() if found is FoundBy.CASE]


def _same_matter(stop: StandingStop, sought: Sought) -> bool:
    return stop.consent.purpose == sought.purpose and sought.recipient in stop.recipients


def _near_withdrawals(sought: Sought, records: Records) -> list[Objection]:
    """Return near matches of refusals and withdrawals as objections that a human has to look at."""
    return [
        _near_objection(stop.consent.changed[0], stop.consent.given_by, person, stop.consent.recorded_by)
        for stop in records.standing
        if _same_matter(stop, sought) and stop.consent.id not in sought.named_consents
        for person in sought.persons
        if stop.found_for(sought.person_keys(person), tuple(sought.case_keys.values())) is FoundBy.NEAR
    ]


def _near_objection(dated: date, by: GivenBy, person: str, recorded_by: str) -> Objection:
    return Objection(dated, ObjectionScope.ALLE, by, person, recorded_by, near=True)


@dataclass(slots=True)
class Found:
    """What the stops on record are for the law."""

    consents: list[Consent]
    objections: list[Objection]
    shelters: list[str]
    """Controllers that hold a protected address of a person."""


def _add_stop(stop: StopRow, sought: Sought, found: Found, *, carries_address: bool) -> None:
    """Add one stop where it is about a person or case of the transfer."""
    for person in sought.persons:
        how = stop.found_for(sought.person_keys(person), tuple(sought.case_keys.values()))
        if how is FoundBy.NEAR and _matters(stop, sought, carries_address=carries_address):
            near = stop.objection(person, near=True)
            found.objections.append(near or _near_objection(stop.dated, stop.given_by, person, stop.controller))
        elif how is None or how is FoundBy.NEAR:
            continue
        elif stop.kind is StopKind.SCHUTZANSCHRIFT:
            found.shelters.append(stop.controller)
        elif (refusal := stop.refusal(person)) is not None:
            found.consents.append(refusal)
        elif (objection := stop.objection(person if how is FoundBy.EXACT else None)) is not None:
            found.objections.append(objection)


def _matters(stop: StopRow, sought: Sought, *, carries_address: bool) -> bool:
    """Whether a stop that only nearly matches would stop this transfer, if it were the same person."""
    if stop.kind is StopKind.SCHUTZANSCHRIFT:
        return carries_address
    if stop.kind is StopKind.VERWEIGERUNG:
        return (stop.purpose, stop.recipient) == (sought.purpose, sought.recipient)
    return True


def _ersuchen(mode: Mode, sought: Sought, records: Records, on: date) -> ErsuchenRow | None:
    """Return the ersuchen that the message names; only the recipient's own record certifies for it."""
    if mode not in ON_REQUEST:
        return None
    row = records.ersuchen.get(sought.ersuchen or "")
    if row is None or not row.open_for(sought.sender, sought.recipient, sought.purpose, on) or not _fits(row, sought):
        raise ProblemError(
            "unknown-ersuchen",
            "Das genannte Ersuchen gibt es zwischen diesen Stellen, zu diesem Zweck und diesen Personen nicht.",
            field="grundlage/ersuchenId",
        )
    return row


def _collected(ersuchen: ErsuchenRow, sought: Sought, records: Records, on: date) -> FirstCollection:
    """Return how the person was asked first: by the recipient's last attempt on record, else as the Ersuchen says.

    What is on record counts more than what the Ersuchen declares: a person who has answered was not asked in vain.
    """
    first = ersuchen.first_collection
    if first.status != FRUITLESS:
        return first
    about = [row for row in records.attempts if row.recorded_by == sought.recipient and _alike(row, ersuchen, sought)]
    wanted = (ersuchen.purpose, ersuchen.categories, on)
    attempt = answered(about, *wanted) or latest(about, *wanted)
    return attempt.to_law(on) if attempt else first


def _alike(attempt: AttemptRow, ersuchen: ErsuchenRow, sought: Sought) -> bool:
    """Whether an attempt is about the person, or where one of them names none the case, of an Ersuchen."""
    if attempt.pseudonym is None or ersuchen.pseudonym is None:
        return attempt.case_key is not None and attempt.case_key == ersuchen.case_key
    return any({attempt.pseudonym, ersuchen.pseudonym} <= set(keys.exact) for keys in sought.keys.values())


def _fits(row: ErsuchenRow, sought: Sought) -> bool:
    """Whether the ersuchen is about a person, or the case, of the transfer."""
    if row.pseudonym is not None:
        return row.pseudonym in sought.exact_keys(sought.recipient)
    return row.case_key is not None and row.case_key == sought.case_keys.get(sought.recipient)
