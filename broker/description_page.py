"""The page at ``/docs``: Swagger UI, served by this gateway itself, so that no reader's browser asks a third party."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

PAGE = "/docs"
PARTS = "/docs/parts"
"""Where its script, style and icon lie."""


def describe(app: FastAPI) -> None:
    """Add the page and its parts to an app; it needs no network but this gateway's."""

    async def page(request: Request) -> HTMLResponse:
        root = str(request.scope.get("root_path", "")).rstrip("/")
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            swagger_js_url=f"{root}{PARTS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{PARTS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{PARTS}/favicon.png",
        )

    app.mount(PARTS, StaticFiles(directory=Path(fastapi_offline.__file__).with_name("static")))
    app.add_route(PAGE, page, include_in_schema=False)
