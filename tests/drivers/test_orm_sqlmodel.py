"""SQLModel on psycopg and asyncpg: an application of two tenants side by side."""

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column, Engine, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import selectinload
from sqlmodel import Field, Relationship, Session, SQLModel, col, create_engine, select
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.drivers.store import TENANTS, Door, masked


class LoanOf(SQLModel, table=True):
    __tablename__ = "loans"
    id: int = Field(primary_key=True)
    tenant_id: int
    book_id: int = Field(foreign_key="books.id")
    reader_id: int = Field(foreign_key="readers.id")
    due: dt.datetime
    returned: bool


class WriterOf(SQLModel, table=True):
    __tablename__ = "authors"
    id: int = Field(primary_key=True)
    tenant_id: int
    name: str
    email: str
    born: dt.date | None
    meta: dict[str, Any] = Field(sa_column=Column(JSONB))
    books: list["BookOf"] = Relationship(
        back_populates="author", sa_relationship_kwargs={"order_by": "BookOf.id"}
    )


class ReaderOf(SQLModel, table=True):
    __tablename__ = "readers"
    id: int = Field(primary_key=True)
    tenant_id: int
    name: str
    vip: bool
    books: list["BookOf"] = Relationship(back_populates="readers", link_model=LoanOf)


class BookOf(SQLModel, table=True):
    __tablename__ = "books"
    id: int = Field(primary_key=True)
    tenant_id: int
    author_id: int = Field(foreign_key="authors.id")
    title: str
    price: Decimal
    pages: int
    published: dt.date | None
    isbn: uuid.UUID
    author: WriterOf = Relationship(back_populates="books")
    readers: list[ReaderOf] = Relationship(back_populates="books", link_model=LoanOf)


@pytest.fixture(scope="module")
def engines(store: dict[str, Door]) -> Iterator[dict[str, Engine]]:
    made = {name: create_engine(door.dsn("postgresql+psycopg")) for name, door in store.items()}
    yield made
    for engine in made.values():
        engine.dispose()


def ask(session: Session, tenant: int | None) -> list[object]:
    """What the application reads; `tenant`: the filter a direct connection needs."""

    def own(query: Any, model: Any) -> Any:
        return query if tenant is None else query.where(model.tenant_id == tenant)

    books = own(select(BookOf).options(selectinload(BookOf.readers)), BookOf)  # type: ignore[arg-type]
    authors = own(select(WriterOf), WriterOf).order_by(WriterOf.id)
    grouped = (
        select(WriterOf.name, func.count(), func.sum(BookOf.price))
        .join(BookOf)
        .group_by(col(WriterOf.id))
        .order_by(col(WriterOf.id))
    )
    page = own(select(BookOf.id, BookOf.title), BookOf).order_by(col(BookOf.price).desc())
    found = own(select(BookOf), BookOf).where(
        col(BookOf.title).ilike("%title 1%"), BookOf.price > Decimal("5"), BookOf.published != None  # noqa: E711
    )  # fmt: skip
    return [
        [(b.title, b.isbn, sorted(r.name for r in b.readers))
         for b in session.exec(books.order_by(BookOf.id))],
        [(a.name, a.email, a.meta["city"], [b.title for b in a.books])
         for a in session.exec(authors)],
        list(map(tuple, session.exec(own(grouped, WriterOf)))),
        list(map(tuple, session.exec(page.offset(5).limit(6)))),
        [b.model_dump() for b in session.exec(found.order_by(BookOf.id))],
    ]  # fmt: skip


def straight(engines: dict[str, Engine], tenant: str) -> list[object]:
    with Session(engines["direct"]) as session:
        found = ask(session, TENANTS[tenant])
    authors: Any = found[1]
    found[1] = [(name, masked(email), *rest) for name, email, *rest in authors]
    return found


@pytest.mark.parametrize("tenant", TENANTS)
def test_both_tenants_read_what_is_theirs(engines: dict[str, Engine], tenant: str) -> None:
    with Session(engines[tenant]) as session:
        found = ask(session, None)
    assert found == straight(engines, tenant)
    assert all(found)


async def test_asynchronously(store: dict[str, Door], engines: dict[str, Engine]) -> None:
    for tenant in TENANTS:
        engine = create_async_engine(store[tenant].dsn("postgresql+asyncpg"))
        async with AsyncSession(engine) as session:
            authors = await session.exec(select(WriterOf.name).order_by(col(WriterOf.id)))
            assert list(authors) == [row[0] for row in straight(engines, tenant)[1]]  # type: ignore[attr-defined]
        await engine.dispose()


def test_a_write_is_an_error_one_can_catch(engines: dict[str, Engine]) -> None:
    with Session(engines["acme"]) as session:
        session.add(ReaderOf(id=900, tenant_id=1, name="new", vip=False))
        with pytest.raises(DBAPIError, match="may only read"):
            session.commit()
        session.rollback()
        assert session.exec(select(func.count()).select_from(BookOf)).one() == 40
