"""The page that shows the API."""

from __future__ import annotations

import re

import httpx

from tests.flow.world import Kreis


async def test_the_page_needs_nobody_else(kreis: Kreis) -> None:
    """Script, style and icon of /docs come from the gateway itself; no address of a third party stands in the page."""
    async with kreis.http() as http:
        page = (await http.get("/docs")).text
        parts = re.findall(r'(?:src|href)="([^"]+)"', page)
        answers = [await http.get(part) for part in parts]

    assert "://" not in page
    assert len(parts) >= 3
    assert {answer.status_code for answer in answers} == {httpx.codes.OK}


async def test_nothing_but_its_parts_lies_beside_it(kreis: Kreis) -> None:
    """No path leads out of the folder of the parts."""
    paths = ("/docs/parts/", "/docs/parts/../core.py", "/docs/parts/%2e%2e/core.py", "/docs/parts/..%2fcore.py")
    async with kreis.http() as http:
        assert {(await http.get(path)).status_code for path in paths} == {httpx.codes.NOT_FOUND}
