"""In which language a client is answered: German, or English where it would rather have it (RFC 9110, 12.5.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Query, Response

from consent.explanation.sentences import Language

_Asked = Annotated[Language | None, Query(description="Sprache der Antwort; geht Accept-Language vor")]
_Accepted = Annotated[str | None, Header(alias="accept-language", max_length=200, description="sonst Deutsch")]


def language(response: Response, lang: _Asked = None, accept_language: _Accepted = None) -> Language:
    """Return the language of an answer and say it in its headers."""
    chosen = lang or preferred(accept_language)
    response.headers["Content-Language"] = chosen.value
    response.headers["Vary"] = "Accept-Language"
    return chosen


Spoken = Annotated[Language, Depends(language)]


def preferred(accepted: str | None) -> Language:
    """Return the language that a client would rather have; German where it says nothing of ours."""
    weights: dict[Language, float] = {}
    for part in (accepted or "").split(","):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        if primary in set(Language):
            weights.setdefault(Language(primary), _weight(parameters))
    best = max(Language, key=lambda one: (weights.get(one, 0.0), one is Language.DE))
    return best if weights.get(best, 0.0) > 0 else Language.DE


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return min(1.0, max(0.0, float(value))) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
