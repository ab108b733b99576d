"""Which language an answer has."""

from __future__ import annotations

import pytest

from broker.spoken import preferred
from consent.explanation.sentences import Language


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, Language.DE),
        ("", Language.DE),
        ("fr", Language.DE),
        ("en", Language.EN),
        ("de, en", Language.DE),
        ("en, de;q=0.9", Language.EN),
        ("en;q=0, de;q=0", Language.DE),
        ("en;q=x", Language.DE),
        ("EN-us;q=0.1", Language.EN),
    ],
)
def test_the_language_is_the_one_preferred(accepted: str | None, language: Language) -> None:
    """Weights count (RFC 9110, 12.5.4); what cannot be read counts as unwanted."""
    assert preferred(accepted) is language
