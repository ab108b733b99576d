"""The bare server: the same framework, body and answer, with nothing in between; with or without one commit a request.

``uvicorn bench.bare:app``; it commits where the environment variable `DATABASE` names a database.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import LargeBinary, String, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from broker.db import Database

DATABASE = "BENCH_DATABASE"


ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(1)"
"""Two workers that make the table at once meet in PostgreSQL's catalogue, IF NOT EXISTS or not."""
CREATE = "CREATE TABLE IF NOT EXISTS kept (id VARCHAR(36) PRIMARY KEY, body BYTEA NOT NULL)"


class BareBase(DeclarativeBase):
    """Tables of the bare server; none of the service's."""


class Kept(BareBase):
    """A body as it came."""

    __tablename__ = "kept"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


def bare_app(database: Database | None) -> FastAPI:
    """Make an app that reads the body and answers, with one commit for each if it has a database."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if database is not None:
            async with database.writing() as connection:
                await connection.exec_driver_sql(ONE_AT_A_TIME)
                await connection.exec_driver_sql(CREATE)
        yield
        if database is not None:
            await database.close()

    made = FastAPI(lifespan=lifespan)

    @made.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @made.post("/v1/transfers", status_code=202, response_class=JSONResponse)
    async def take(request: Request) -> JSONResponse:
        body = await request.body()
        transfer_id = str(uuid4())
        if database is not None:
            async with database.writing() as connection:
                await connection.execute(insert(Kept), [{"id": transfer_id, "body": body}])
        return JSONResponse({"transfer_id": transfer_id, "bytes": len(body)}, status_code=202)

    return made


def _database() -> Database | None:
    address = os.environ.get(DATABASE)
    return Database(address) if address else None


app = bare_app(_database())
