"""The person in a request: read to compute a pseudonym, never stored, never logged."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from broker.crypto import keyed_hash
from broker.keys import Keys, owner_key
from broker.subjects.pseudonym import SubjectKeys, pseudonyms
from schemas.message import Identity


class PersonIn(BaseModel):
    """A person by name and birth date. Used only to compute the pseudonym under the key of the calling instance."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)

    familienname: str = Field(min_length=1, max_length=200, repr=False)
    geburtsname: str | None = Field(default=None, max_length=200, repr=False)
    vornamen: str = Field(min_length=1, max_length=200, repr=False)
    geburtsdatum: date = Field(repr=False)

    def identity(self) -> Identity:
        """Return what the pseudonym is made from."""
        return Identity(self.familienname, self.geburtsname or None, self.vornamen, self.geburtsdatum)

    def keys(self, keys: Keys, controller: str) -> SubjectKeys:
        """Return the person's keys at a controller."""
        return pseudonyms(keys, controller, self.identity())


def body_hash(keys: Keys, instance: str, body: BaseModel) -> str:
    """Return a keyed hash of a request, to tell an exact repetition from another content under the same `kennung`."""
    key = owner_key(keys.pseudonym[-1].value, "request", instance)
    return keyed_hash(key, body.model_dump_json())
