"""The catalogue of audit events, and the shape in which the service hands them to the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Event → what it says, for the officer.
EVENTS: Mapping[str, str] = {
    "directory.changed": "Verzeichnis der Behörden geändert",
    "law.activated": "Regelkatalog in Kraft gesetzt",
    "client.added": "Zugang angelegt",
    "client.revoked": "Zugang gesperrt",
    "client.encryption_key": "Schlüssel eines Zugangs zum Verschlüsseln hinterlegt",
    "token.refused": "Anmeldung abgelehnt",
    "consent.recorded": "Einwilligung aufgezeichnet",
    "consent.withdrawn": "Einwilligung widerrufen",
    "stop.recorded": "Widerspruch oder Sperre aufgezeichnet",
    "stop.ended": "Widerspruch oder Sperre beendet",
    "ersuchen.recorded": "Ersuchen gestellt",
    "ersuchen.closed": "Ersuchen beendet",
    "attempt.recorded": "Nachfrage bei der Person aufgezeichnet (Ersterhebung)",
    "attempt.concluded": "Ergebnis einer Nachfrage bei der Person aufgezeichnet",
    "procedure.registered": "Abruf- oder Lieferverfahren registriert",
    "procedure.approved": "Genehmigung eines Verfahrens aufgezeichnet",
    "procedure.notified": "Unterrichtung der Datenschutzaufsicht über ein Verfahren aufgezeichnet",
    "procedure.ended": "Verfahren beendet",
    "transfer.permitted": "Übermittlung zugelassen",
    "transfer.refused": "Übermittlung abgelehnt",
    "transfer.checked": "Übermittlung geprüft, nicht gesendet",
    "transfer.state": "Zustand der Übermittlung geändert",
    "transfer.handing_over": "Schlüssel freigegeben, Inhalt ausgehändigt",
    "transfer.quittung": "Quittung des Empfängers",
    "transfer.key_deleted": "Schlüssel des Inhalts gelöscht",
    "duty.done": "Pflicht aus einer Übermittlung erledigt",
    "dead.retried": "Tote Übermittlung erneut versucht",
    "dead.released": "Spätere Übermittlungen an einer toten vorbeigelassen",
    "dead.discarded": "Tote Übermittlung verworfen",
    "key.made": "Versiegelungsschlüssel gemacht",
    "key.deleted": "Versiegelungsschlüssel gelöscht; was unter ihm lag, öffnet niemand mehr",
    "cleanup.done": "Gelöscht, dessen Frist um war",
    "transfer.expiring": "Übermittlung läuft bald ab",
    "notice.created": "Mitteilung an den Empfänger",
    "notice.acknowledged": "Mitteilung vom Empfänger bestätigt",
    "decision.read": "Einsicht in eine Entscheidung",
    "audit.read": "Einsicht in das Protokoll",
    "audit.proved": "Nachweis aus dem Protokoll erteilt",
    "audit.exported": "Protokoll ausgeführt",
    "audit.erased": "Nebendaten des Protokolls gelöscht",
}


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event to be logged.

    `data` holds codes, ids, counts and days alone. `side` holds what may point at a person (pseudonyms, keyed
    Aktenzeichen, client ids, reasons, payload digests): it is committed to by salted hash and can be erased.
    """

    event: str
    actor: str
    sender: str | None = None
    recipient: str | None = None
    reference: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    side: Mapping[str, str] = field(default_factory=dict)
