"""A day in the Kreis Recklinghausen: who sends what to whom, and what the gateway has to answer.

Every person is made up. Days are counted from the day of the play, so that it is the same play on any day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from schemas.compose import AnyBlock, BlockSpec, PersonSpec
from schemas.identifiers import DataCategory as C
from schemas.identifiers import OriginMark
from schemas.message import PersonRole

JOBCENTER = "jobcenter-kreis-re:JOBCENTER"
SOZIALAMT_MARL = "sozialamt-marl:SOZIALAMT_SGBXII"
SOZIALAMT_RE = "sozialamt-recklinghausen:SOZIALAMT_SGBXII"
WOHNGELD_RE = "sozialamt-recklinghausen:WOHNGELDSTELLE"
ASD_MARL = "jugendamt-marl:JUGENDAMT_ASD"
ASD_RE = "jugendamt-recklinghausen:JUGENDAMT_ASD"
KITA_MARL = "jugendamt-marl:JUGENDAMT_KITA"
OFFICER_AGENCY = "jobcenter-kreis-re"

#: Instance → how the table names it, and the name of its key file.
OFFICES: Mapping[str, tuple[str, str]] = {
    JOBCENTER: ("Jobcenter", "jobcenter"),
    SOZIALAMT_MARL: ("Sozialamt Marl", "sozialamt-marl"),
    SOZIALAMT_RE: ("Sozialamt RE", "sozialamt-recklinghausen"),
    WOHNGELD_RE: ("Wohngeld RE", "wohngeld-recklinghausen"),
    ASD_MARL: ("ASD Marl", "asd-marl"),
    ASD_RE: ("ASD RE", "asd-recklinghausen"),
    KITA_MARL: ("Kita Marl", "kita-marl"),
}

DAYS_OF_A_YEAR = 365.25
ASKED, DEADLINE, GRANTED = 40, 12, 20
"""Days ago: the person was asked, could answer until then, gave the consent."""


class Then(StrEnum):
    """What happens to a transfer after the gateway's answer."""

    NOTHING = "nothing"
    FETCH = "fetch"
    """The recipient fetches it from its inbox and answers with two quittungen."""
    FOLDER = "folder"
    """It appears in the recipient's folder, and a quittung is left beside it."""
    RECALL = "recall"
    """The sender calls it back before the recipient has looked into its inbox."""
    WITHDRAW = "withdraw"
    """The person withdraws the consent before the recipient has looked into its inbox."""


class Consent(StrEnum):
    """The consent that the message relies on, recorded by the sender."""

    NONE = "none"
    GIVEN = "given"
    WITHDRAWN = "withdrawn"
    """Given, and withdrawn before the message is sent."""


@dataclass(frozen=True, slots=True)
class Invented:
    """A made-up person; `years` is the age on the day of the play."""

    family: str
    given: str
    years: int
    role: PersonRole = "betroffene_person"

    def spec(self, today: date) -> PersonSpec:
        """Return the person for a message."""
        return PersonSpec(role=self.role, family=self.family, given=self.given, birth=self.birth(today))

    def body(self, today: date) -> dict[str, str]:
        """Return the person for a JSON request."""
        born = self.birth(today).isoformat()
        return {"familienname": self.family, "vornamen": self.given, "geburtsdatum": born}

    def birth(self, today: date) -> date:
        """Return a birth date half a year after the birthday that makes the age."""
        return today - timedelta(days=int((self.years + 0.5) * DAYS_OF_A_YEAR))


@dataclass(frozen=True, slots=True)
class Answer:
    """What can be expected of an answer, and is compared. `end`: the state at the end, empty where nothing was sent."""

    status: int
    outcome: str = ""
    code: str = ""
    kind: str = ""
    removed: tuple[str, ...] = ()
    end: str = ""
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a message, what came before it, what comes after it, and the answer that has to come."""

    title: str
    sender: str
    recipient: str
    purpose: str
    person: Invented
    blocks: tuple[AnyBlock, ...]
    expected: Answer
    collection: str = ""
    """How the recipient asked the person first; not empty: it sends an Ersuchen, and the message answers it."""
    norm: str = ""
    """Norm of the recipient's task, in its Ersuchen."""
    consent: Consent = Consent.NONE
    given_by: str = "betroffene Person"
    objection: bool = False
    """The recipient has recorded an objection of the person before."""
    declarations: Mapping[str, Any] = field(default_factory=dict)
    remove_excess: bool = False
    check: bool = False
    again: int = 0
    """Number of an earlier step whose bytes are sent once more."""
    same_id_as: int = 0
    """Number of an earlier step whose message id is used for this other message."""
    speaker: str = ""
    """Who sends it where that is not the sender that the message names."""
    then: Then = Then.NOTHING


WECHSEL, KITA = "RECHTSKREISWECHSEL", "KITA_BEITRAG"
CASE_MANAGEMENT, KOORDINATION = "CASE_MANAGEMENT", "HILFEKOORDINATION"

ERIKA = Invented("Beispiel", "Erika", 67)
FATMA = Invented("Mustafa-Probst", "Fatma", 31)
KURT = Invented("Muster", "Kurt", 66)
JONAS = Invented("Probe", "Jonas", 16)
MIRA = Invented("Vorbild", "Mira", 20)
HEINZ = Invented("Exempel", "Heinz", 52)
OLGA = Invented("Schablone", "Olga", 44)
PAULA = Invented("Entwurf", "Paula", 39)
DIETER = Invented("Skizze", "Dieter", 65)
LENA = Invented("Modell", "Lena", 17)
RUTH = Invented("Typisch", "Ruth", 70)

CORE = (C.STAMMDATEN, C.ORDNUNGSMERKMAL, C.ANSCHRIFT, C.HAUSHALT, C.LEISTUNGSBEZUG, C.LEISTUNGSHOEHE, C.UNTERKUNFT)
DEBTS = (C.STAMMDATEN, C.KONTAKT, C.SCHULDEN)
COORDINATION = (C.STAMMDATEN, C.BILDUNG_ARBEIT, C.EINGLIEDERUNG)
EXCESS = (*COORDINATION, C.LEISTUNGSMINDERUNG, C.SCHULDEN)
ENTRUSTED = (C.STAMMDATEN, BlockSpec(C.JUGENDHILFE_INHALT, marks=(OriginMark.ANVERTRAUT_65,)))
ASD_SAYS = {"par64_2_erfolg_gefaehrdet": "nein", "fachkraft": "ASD-17"}

STORY: tuple[Step, ...] = (
    Step(
        "Mit 67 vom Jobcenter ins SGB XII",
        JOBCENTER, SOZIALAMT_MARL, WECHSEL, ERIKA, CORE,
        Answer(202, "PERMIT", end="acknowledged"),
        then=Then.FOLDER,
    ),
    Step(
        "Kita fragt nach Leistungsbezug; die Mutter wurde zuerst gefragt",
        JOBCENTER, KITA_MARL, KITA, FATMA, (C.STAMMDATEN, C.LEISTUNGSBEZUG),
        Answer(202, "PERMIT", end="processed"),
        collection="VERSUCHT_FRUCHTLOS", norm="§ 90 Abs. 4 SGB VIII",
        then=Then.FETCH,
    ),
    Step(
        "Dieselbe Nachricht kommt noch einmal",
        JOBCENTER, KITA_MARL, KITA, FATMA, (),
        Answer(202, "PERMIT", end="processed", repeated=True),
        again=2,
    ),
    Step(
        "Andere Nachricht unter derselben Kennung",
        JOBCENTER, KITA_MARL, KITA, FATMA, (C.STAMMDATEN, C.LEISTUNGSBEZUG, C.ANSCHRIFT),
        Answer(409, code="message-conflict"),
        same_id_as=2,
    ),
    Step(
        "Sozialamt fragt das Jobcenter, nicht zuerst die Person",
        JOBCENTER, SOZIALAMT_RE, WECHSEL, KURT, CORE,
        Answer(403, "DENY", "ERSTERHEBUNG_FEHLT", "incomplete"),
        collection="NICHT_VERSUCHT", norm="§ 41 SGB XII",
    ),
    Step(
        "Was ein Jugendlicher der Fachkraft anvertraut hat",
        ASD_MARL, JOBCENTER, KOORDINATION, JONAS, ENTRUSTED,
        Answer(403, "DENY", "PAR65", "not_permitted"),
        declarations=ASD_SAYS,
    ),
    Step(
        "Dasselbe, nachdem er selbst eingewilligt hat",
        ASD_MARL, JOBCENTER, KOORDINATION, JONAS, ENTRUSTED,
        Answer(202, "PERMIT", end="processed"),
        consent=Consent.GIVEN, given_by="Jugendlicher",
        declarations=ASD_SAYS | {"par65_key": "Nr. 1", "anvertraut_von": "Jugendlicher"},
        then=Then.FETCH,
    ),
    Step(
        "Zu viel in der Nachricht; Überhang: ablehnen",
        JOBCENTER, ASD_MARL, KOORDINATION, MIRA, EXCESS,
        Answer(403, "DENY", "UEBERHANG", "not_permitted", ("LEISTUNGSMINDERUNG", "SCHULDEN")),
    ),
    Step(
        "Zu viel in der Nachricht; Überhang: entfernen",
        JOBCENTER, ASD_MARL, KOORDINATION, MIRA, EXCESS,
        Answer(202, "PERMIT_REDUCED", removed=("LEISTUNGSMINDERUNG", "SCHULDEN"), end="processed"),
        remove_excess=True, then=Then.FETCH,
    ),
    Step(
        "Nur prüfen, nichts senden: was dürfte zum Wohngeld?",
        JOBCENTER, WOHNGELD_RE, WECHSEL, HEINZ,
        (C.STAMMDATEN, C.ANSCHRIFT, C.HAUSHALT, C.LEISTUNGSBEZUG, C.EINKOMMEN),
        Answer(200, "PERMIT_REDUCED", removed=("EINKOMMEN",)),
        remove_excess=True, check=True,
    ),
    Step(
        "Schulden, mit Einwilligung ins gemeinsame Case-Management",
        JOBCENTER, SOZIALAMT_MARL, CASE_MANAGEMENT, HEINZ, DEBTS,
        Answer(202, "PERMIT", end="delivered"),
        consent=Consent.GIVEN,
    ),
    Step(
        "Dasselbe, aber die Einwilligung ist widerrufen",
        JOBCENTER, SOZIALAMT_RE, CASE_MANAGEMENT, OLGA, DEBTS,
        Answer(403, "DENY", "EINWILLIGUNG_WIDERRUFEN", "not_permitted"),
        consent=Consent.WITHDRAWN,
    ),
    Step(
        "Widerruf, während die Nachricht unterwegs ist",
        JOBCENTER, SOZIALAMT_RE, CASE_MANAGEMENT, PAULA, DEBTS,
        Answer(202, "PERMIT", end="withdrawn"),
        consent=Consent.GIVEN, then=Then.WITHDRAW,
    ),
    Step(
        "Falscher Fall gesendet, rechtzeitig zurückgerufen",
        JOBCENTER, SOZIALAMT_RE, WECHSEL, DIETER, CORE,
        Answer(202, "PERMIT", end="recalled"),
        then=Then.RECALL,
    ),
    Step(
        "Weg, den das Recht für diesen Zweck nicht kennt",
        WOHNGELD_RE, ASD_RE, KOORDINATION, LENA, (C.STAMMDATEN, C.LEISTUNGSBEZUG),
        Answer(403, "DENY", "KEIN_GRUND", "gap"),
    ),
    Step(
        "Widerspruch, den nur der Empfänger kennt: verrät dem Absender nichts",
        JOBCENTER, SOZIALAMT_RE, WECHSEL, RUTH, CORE,
        Answer(403, "DENY", "NICHT_ZULAESSIG", "not_permitted"),
        objection=True,
    ),
    Step(
        "Ein Jobcenter spricht im Namen des Jugendamts",
        ASD_MARL, SOZIALAMT_RE, KOORDINATION, LENA, (C.STAMMDATEN,),
        Answer(403, code="wrong-instance"),
        speaker=JOBCENTER,
    ),
)  # fmt: skip

#: The step whose record the officer looks at, why, and what has to be on record about it.
LOOK_AT = 2
LOOK_REASON = "Stichprobe der Datenschutzbeauftragten (Vorführung)"
MUST_BE_ON_RECORD = frozenset(
    {
        "transfer.permitted", "transfer.state", "transfer.handing_over", "transfer.quittung", "transfer.key_deleted"
    }
)  # fmt: skip
