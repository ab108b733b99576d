"""The catalogue of the package, loaded once, and the decision on the sample day."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consent.catalogue import Catalogue, load_catalogue
from consent.decision import Decision
from consent.engine import decide
from consent.facts import TransferFacts
from tests.consent.samples import DAY


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Return the rules that the package ships."""
    return load_catalogue()


@pytest.fixture(scope="session")
def ask(catalogue: Catalogue) -> Callable[..., Decision]:
    """Return `decide` on the sample day, with switches by name."""

    def asked(given: TransferFacts, *switches: str) -> Decision:
        return decide(given, catalogue, DAY, frozenset(switches))

    return asked
