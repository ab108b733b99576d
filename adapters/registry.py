"""Which kind of office has which dialect, which channel which name. A new one is one file and one entry here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters import jobcenter, jugendamt, other, sozialamt
from adapters.base import AdapterSettings, AgencyAdapter, Channel, Delivery, Dialect, Handover, ReceivedQuittung
from adapters.channels import folder, inbox
from adapters.hours import next_opening
from adapters.settings import FIELDS, AdapterSettingsError, read_settings, refuse_unknown
from schemas.identifiers import UnitCode

DIALECTS: Mapping[str, Dialect] = {
    dialect.kind: dialect
    for dialect in (
        jobcenter.DIALECT,
        sozialamt.DIALECT,
        jugendamt.DIALECT,
        other.dialect("other"),
        other.dialect("outside-35-sgb1"),
    )
}


@dataclass(frozen=True, slots=True)
class ChannelEntry:
    """The settings that a channel reads, and how it is made of them."""

    fields: frozenset[str]
    read: Callable[[Mapping[str, object]], Channel]


CHANNELS: Mapping[str, ChannelEntry] = {
    "inbox": ChannelEntry(inbox.FIELDS, inbox.read),
    "folder": ChannelEntry(folder.FIELDS, folder.read),
}


@dataclass(frozen=True, slots=True)
class ConfiguredAdapter:
    """A dialect, one agency's settings and its channel, put together (`AgencyAdapter`)."""

    dialect: Dialect
    settings: AdapterSettings
    channel: Channel

    @property
    def pushes(self) -> bool:
        """Whether `deliver` is to be called."""
        return self.channel.pushes

    def accepts(self, message_type: str, version: str) -> bool:
        """Whether the office's software reads messages of this type and version."""
        return (message_type, version) in self.settings.accepts

    def opens_at(self, moment: datetime, *, urgent: bool = False) -> datetime:
        """Return when a hand-over may happen, in UTC; a pulled channel is always open."""
        if urgent or not self.pushes:
            return moment.astimezone(UTC)
        return next_opening(self.settings.hours, moment)

    def deliver(self, delivery: Delivery) -> Handover:
        """Plan and put. Raises `DeliveryError`."""
        return self.channel.put(self.dialect.plan(delivery, self.settings))

    def collect(self, now: datetime) -> Iterator[ReceivedQuittung]:
        """Yield the quittungen of all places of this agency. Raises `DeliveryError`."""
        return self.channel.collect(self.settings.served(), now)

    def prepare(self) -> None:
        """Make all places of this agency ready. Raises `DeliveryError`."""
        self.channel.prepare(self.settings.served())

    def tidy(self, now: datetime) -> int:
        """Delete what is past its time. Raises `DeliveryError`."""
        return self.channel.tidy(self.settings.served(), now)


def adapter_for(
    agency_kind: str, units: Collection[UnitCode], settings: Mapping[str, object], *, towns: Sequence[str] = ()
) -> AgencyAdapter:
    """Make the adapter of one agency from its kind, its units and its settings in the directory file.

    `towns` is what ``branches: per-town`` stands for. Touches no file and no network. Raises `AdapterSettingsError`.
    """
    if agency_kind not in DIALECTS:
        raise AdapterSettingsError("kind", f"unbekannte Art von Behörde; erlaubt: {', '.join(sorted(DIALECTS))}")
    dialect = DIALECTS[agency_kind]
    name = settings.get("channel", "inbox")
    if not isinstance(name, str) or name not in CHANNELS or name not in dialect.channels:
        allowed = ", ".join(sorted(dialect.channels & CHANNELS.keys()))
        raise AdapterSettingsError("channel", f"Weg gibt es für die Art {agency_kind} nicht; erlaubt: {allowed}")
    channel = CHANNELS[name]
    refuse_unknown(settings, FIELDS | channel.fields)
    return ConfiguredAdapter(dialect, read_settings(dialect, units, settings, towns), channel.read(settings))
