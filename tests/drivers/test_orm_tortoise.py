"""Tortoise ORM on asyncpg and psycopg: an application of two tenants side by side."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from enum import Enum
from typing import Any

import psycopg
import pytest
from tortoise import Tortoise, connections, fields
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.exceptions import BaseORMException, DoesNotExist
from tortoise.expressions import Case, F, Q, Subquery, When
from tortoise.functions import Avg, Coalesce, Count, Lower, Max, Sum
from tortoise.models import Model
from tortoise.query_utils import Prefetch
from tortoise.transactions import in_transaction

from tests.drivers.store import TENANTS, Door, masked


class Genre(Enum):
    novel = "novel"
    poetry = "poetry"
    science = "science"


class Author(Model):
    id = fields.IntField(primary_key=True)
    tenant_id = fields.IntField()
    name = fields.TextField()
    email = fields.TextField()
    born = fields.DateField(null=True)
    rating = fields.FloatField(null=True)
    meta: Any = fields.JSONField()
    tags = ArrayField(element_type="text")
    created_at = fields.DatetimeField()
    books: fields.ReverseRelation[Book]

    class Meta:
        table = "authors"


class Book(Model):
    id = fields.IntField(primary_key=True)
    tenant_id = fields.IntField()
    author: Any = fields.ForeignKeyField("store.Author", related_name="books")
    title = fields.CharField(max_length=200)
    genre = fields.CharEnumField(Genre)
    price = fields.DecimalField(max_digits=10, decimal_places=2)
    pages = fields.IntField()
    published = fields.DateField(null=True)
    isbn = fields.UUIDField()
    readers: Any = fields.ManyToManyField(
        "store.Reader", through="loans", forward_key="reader_id", backward_key="book_id",
        related_name="books",
    )  # fmt: skip

    class Meta:
        table = "books"


class Reader(Model):
    id = fields.IntField(primary_key=True)
    tenant_id = fields.IntField()
    name = fields.CharField(max_length=80)
    vip = fields.BooleanField()

    class Meta:
        table = "readers"


class Loan(Model):
    id = fields.IntField(primary_key=True)
    tenant_id = fields.IntField()
    book: Any = fields.ForeignKeyField("store.Book", related_name="loans")
    reader: Any = fields.ForeignKeyField("store.Reader", related_name="loans")
    due = fields.DatetimeField()
    returned = fields.BooleanField()

    class Meta:
        table = "loans"


# Tortoise hands on what psycopg raises in a read-only transaction, as this does.
ERRORS = (BaseORMException, psycopg.DatabaseError)
Own = Callable[[Any], Any]  # of a model: a query of the tenant's rows


async def plain(own: Own) -> object:
    rows = await own(Author).order_by("id").values_list()
    return [(*row[:3], row[3] if "***" in row[3] else masked(row[3]), *row[4:]) for row in rows]


async def relations(own: Own) -> object:
    loans = await own(Loan).order_by("id").select_related("book__author", "reader")
    late = Prefetch("loans", queryset=own(Loan).filter(returned=False).order_by("-due"))
    books = await own(Book).order_by("id").prefetch_related(late, "readers", "author")
    authors = await own(Author).order_by("-id").prefetch_related("books__loans")
    first = await own(Author).order_by("id").first()
    return (
        [(n.id, n.book.title, n.book.author.name, n.reader.name, n.due) for n in loans],
        [(b.id, b.author.name, [n.id for n in b.loans], sorted(r.name for r in b.readers))
         for b in books],
        [(a.name, sorted((b.title, len(b.loans)) for b in a.books)) for a in authors],
        [b.title for b in await first.books.filter(pages__gt=100).order_by("id")],
    )  # fmt: skip


async def aggregates(own: Own) -> object:
    counted = own(Author).annotate(
        n=Count("books"), total=Sum("books__price"), last=Max("books__published"),
        dear=Count("books", _filter=Q(books__price__gt=30)),
    )  # fmt: skip
    kinds = own(Book).annotate(n=Count("id"), p=Avg("price")).group_by("genre").order_by("genre")
    size = own(Book).annotate(
        size=Case(When(pages__gt=200, then="long"), default="short"),
        low=Lower("title"), each=F("price") * 2, day=Coalesce("published", "2000-01-01"),
    )  # fmt: skip
    return (
        await counted.filter(n__gt=2)
        .order_by("id")
        .values_list("id", "n", "total", "last", "dear"),
        await kinds.values("genre", "n", "p"),
        await size.order_by("id").values_list("id", "size", "low", "each"),
        await own(Book).count(),
        await own(Book).filter(price__gt=1000).exists(),
    )


async def filters(own: Own) -> object:
    books = [
        Q(published__range=(dt.date(2002, 1, 1), dt.date(2008, 6, 30))),
        Q(published__year=2003),
        Q(published__isnull=True),
        Q(price__in=[Decimal("3.25"), Decimal("4.50")]),
        Q(pages__lt=70) | Q(pages__gt=300, genre__not=Genre.novel),
        Q(genre=Genre.poetry),
        Q(title__icontains="title 1"),
        Q(title__istartswith="acme"),
        Q(title__iexact="bolt title 4"),
        Q(title__endswith="7"),
        Q(title__posix_regex="[0-9]5$"),
        Q(isbn="0c7c3ca3-2bf5-0b6c-1c35-3e1b0ffb5f66"),
        Q(author__name__contains="Author 3"),
        Q(loans__due__gt=dt.datetime(2025, 5, 12, tzinfo=dt.UTC)),
        Q(id__in=list(range(1, 9))),
        ~Q(genre="novel"),
    ]
    authors = [
        Q(meta__contains={"city": "ACME1"}),
        Q(meta__filter={"city": "BOLT1"}),
        Q(tags__contains=["t1"]),
        Q(tags__overlap=["t2", "t3"]),
        Q(created_at__gt=dt.datetime(2024, 1, 4, tzinfo=dt.UTC)),
        Q(rating__lte=1.25),
    ]
    return (
        [await own(Book).filter(q).distinct().order_by("id").values_list("id") for q in books],
        [await own(Author).filter(q).order_by("id").values_list("id") for q in authors],
    )


async def subqueries(own: Own) -> object:
    dear = own(Book).filter(price__gt=30).values("author_id")
    return (
        await own(Author).filter(id__in=Subquery(dear)).order_by("id").values_list("id"),
        sorted(await own(Book).distinct().values_list("genre", flat=True), key=lambda g: g.value),
    )


async def pages(own: Own) -> object:
    books = own(Book).order_by("-price", "id")
    return (
        await books.limit(7).offset(7).values_list("id", "title"),
        [book.title for book in await books.only("id", "title").limit(3)],
        [book.id async for book in own(Book).order_by("id")],
        sorted(await own(Book).in_bulk([1, 2, 3, 4], "id")),
    )


async def locked(own: Own) -> object:
    async with in_transaction() as connection:
        query = own(Book).using_db(connection).filter(id__lt=9).order_by("id")
        found = await query.select_for_update()
        return [book.id for book in found]


async def raw(own: Own) -> object:
    mine = set(await own(Book).values_list("id", flat=True))
    connection = connections.get("default")
    rows = await connection.execute_query_dict(
        "SELECT id, genre::text, published FROM books WHERE pages > 200 ORDER BY id"
    )
    books = await Book.raw("SELECT * FROM books WHERE pages < 100 ORDER BY id")  # type: ignore[misc]
    return [r for r in rows if r["id"] in mine], [b.title for b in books if b.id in mine]


QUERIES: tuple[Callable[[Own], Awaitable[object]], ...] = (
    plain, relations, aggregates, filters, subqueries, pages, locked, raw
)  # fmt: skip


@asynccontextmanager
async def opened(door: Door, scheme: str) -> AsyncIterator[None]:
    await Tortoise.init(
        db_url=door.dsn(scheme), modules={"store": [__name__]}, use_tz=True, timezone="UTC"
    )
    EXECUTOR_CACHE.clear()  # it holds texts in the other driver's style
    try:
        yield
    finally:
        await Tortoise.close_connections()


@pytest.mark.parametrize("scheme", ["asyncpg", "psycopg"])
async def test_both_tenants_read_what_is_theirs(store: dict[str, Door], scheme: str) -> None:
    found, expected = {}, {}
    for tenant, number in TENANTS.items():
        async with opened(store[tenant], scheme):
            found[tenant] = {q.__name__: await q(lambda model: model.all()) for q in QUERIES}
        async with opened(store["direct"], scheme):
            expected[tenant] = {
                q.__name__: await q(lambda model, n=number: model.filter(tenant_id=n))
                for q in QUERIES
            }
    for tenant in TENANTS:
        for query in QUERIES:
            assert found[tenant][query.__name__] == expected[tenant][query.__name__]
            assert found[tenant][query.__name__]


@pytest.mark.parametrize("scheme", ["asyncpg", "psycopg"])
async def test_a_write_is_an_error_one_can_catch(store: dict[str, Door], scheme: str) -> None:
    async with opened(store["acme"], scheme):
        book = await Book.get(id=1)
        book.title = "new"
        with pytest.raises(ERRORS, match="may only read"):
            await Reader.create(tenant_id=1, name="new", vip=False)
        with pytest.raises(ERRORS, match="may only read"):
            await book.save()
        with pytest.raises(ERRORS, match="may only read"):
            await Loan.filter(id=1).delete()
        with pytest.raises(DoesNotExist):
            await Book.get(id=2)  # the other tenant's
        assert await Book.all().count() == 40
