"""The authenticated caller, and as whom it acts."""

from __future__ import annotations

from dataclasses import dataclass

from broker.access import Role
from broker.errors import ProblemError

__all__ = ["Caller", "Role"]


@dataclass(frozen=True, slots=True)
class Caller:
    """One client, as its token says. `agency` is the officer's; `instance` the instance's (``agency:UNIT``)."""

    client_id: str
    role: Role
    instance: str | None = None
    agency: str | None = None

    @property
    def actor(self) -> str:
        """How the evidence names the caller: the instance, or role and agency; never a person."""
        return self.instance or f"{self.role.value}:{self.agency or '*'}"

    def as_instance(self) -> str:
        """Return the instance the caller acts for. Raises the problem ``wrong-role``."""
        if self.role is not Role.INSTANCE or self.instance is None:
            raise ProblemError(
                "wrong-role", "Dieser Weg ist Zugängen einer Instanz vorbehalten.", allowed=[Role.INSTANCE.value]
            )
        return self.instance
