"""Loaded once by the process from which the dying ones are forked."""

from __future__ import annotations

from schemas.xml import warm_up
from tests.flow import dying

__all__ = ["dying"]

warm_up()
