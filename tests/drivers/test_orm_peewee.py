"""Peewee on psycopg2 and psycopg: an application of two tenants side by side, and its generator."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import peewee
import pytest
from playhouse.postgres_ext import ArrayField, BinaryJSONField, PostgresqlExtDatabase, ServerSide
from playhouse.reflection import Introspector, generate_models

from tests.drivers.store import DATABASE, TENANTS, VISIBLE, Door, masked

proxy = peewee.DatabaseProxy()


class Table(peewee.Model):
    class Meta:
        database = proxy
        legacy_table_names = False


class Author(Table):
    tenant_id = peewee.IntegerField()
    name = peewee.TextField()
    email = peewee.TextField()
    born = peewee.DateField(null=True)
    rating = peewee.DoubleField(null=True)
    meta = BinaryJSONField()
    tags = ArrayField(peewee.TextField)
    created_at = peewee.DateTimeField()

    class Meta:
        table_name = "authors"


class Book(Table):
    tenant_id = peewee.IntegerField()
    author = peewee.ForeignKeyField(Author, backref="books")
    title = peewee.CharField()
    genre = peewee.CharField()
    price = peewee.DecimalField()
    pages = peewee.IntegerField()
    published = peewee.DateField(null=True)
    isbn = peewee.UUIDField()

    class Meta:
        table_name = "books"


class Reader(Table):
    tenant_id = peewee.IntegerField()
    name = peewee.CharField()
    vip = peewee.BooleanField()

    class Meta:
        table_name = "readers"


class Loan(Table):
    tenant_id = peewee.IntegerField()
    book = peewee.ForeignKeyField(Book, backref="loans")
    reader = peewee.ForeignKeyField(Reader, backref="loans")
    due = peewee.DateTimeField()
    returned = peewee.BooleanField()

    class Meta:
        table_name = "loans"


Own = Callable[[Any], Any]  # the condition that rows of a model are the tenant's


def joined(own: Own) -> object:
    query = (
        Loan.select(Loan, Book, Author, Reader)
        .join(Book).join(Author).switch(Loan).join(Reader)
        .where(own(Loan)).order_by(Loan.id)
    )  # fmt: skip
    return [(n.id, n.book.title, n.book.author.name, n.reader.name, n.due) for n in query]


def prefetched(own: Own) -> object:
    authors = Author.select().where(own(Author)).order_by(Author.id)
    books = Book.select().where(own(Book)).order_by(Book.id)
    found = peewee.prefetch(authors, books, Loan.select().where(own(Loan)).order_by(Loan.id))
    return [(a.name, [(b.title, [n.id for n in b.loans]) for b in a.books]) for a in found]


def backrefs(own: Own) -> object:
    author = Author.select().where(own(Author)).order_by(Author.id).get()
    return author.name, masked_or(author.email), [b.title for b in author.books.order_by(Book.id)]


def masked_or(email: str) -> str:
    """The address as the rules show it, whether they have done so or not."""
    return email if "***" in email else masked(email)


def aggregates(own: Own) -> object:
    fn = peewee.fn
    query = (
        Author.select(
            Author, fn.COUNT(Book.id).alias("n"), fn.SUM(Book.price).alias("total"),
            fn.MAX(Book.published).alias("last"),
            fn.COUNT(Book.id).filter(Book.price > 30).alias("dear"),
        )
        .join(Book, peewee.JOIN.LEFT_OUTER)
        .where(own(Author)).group_by(Author).having(fn.COUNT(Book.id) > 2).order_by(Author.id)
    )  # fmt: skip
    rank = fn.RANK().over(partition_by=[Book.genre], order_by=[Book.price.desc()])
    ranked = Book.select(Book.id, rank.alias("rank")).where(own(Book)).order_by(Book.id)
    return (
        [(a.id, a.meta, a.n, a.total, a.last, a.dear) for a in query],
        list(ranked.tuples()),
        Book.select(fn.AVG(Book.pages)).where(own(Book)).scalar(),
        Book.select().where(own(Book)).count(),
    )


def filters(own: Own) -> object:
    fn = peewee.fn
    books = [
        Book.published.between(dt.date(2002, 1, 1), dt.date(2008, 6, 30)),
        Book.published.year == 2003,
        Book.published.is_null(),
        Book.price << [Decimal("3.25"), Decimal("4.50")],
        (Book.pages < 70) | ((Book.pages > 300) & ~(Book.genre == "novel")),
        Book.genre == "poetry",
        Book.title.contains("title 1"),
        Book.title.startswith("acme"),
        Book.title ** "%TITLE 2_",
        Book.title.regexp("[0-9]5$"),
        fn.LOWER(Book.title) == "bolt title 4",
        Book.isbn == "0c7c3ca3-2bf5-0b6c-1c35-3e1b0ffb5f66",
        fn.MOD(Book.pages, 2) == 0,
        Book.published.truncate("month") == dt.date(2003, 4, 1),
    ]
    authors = [
        Author.tags.contains("t1"),
        Author.tags.contains_any("t2", "t3"),
        Author.meta["city"] == "ACME1",
        Author.meta.contains({"langs": ["en"]}),
        Author.meta.has_key("age"),
        Author.created_at > dt.datetime(2024, 1, 4),
    ]
    return (
        [list(Book.select(Book.id).where(own(Book), c).order_by(Book.id).tuples()) for c in books],
        [list(Author.select(Author.id).where(own(Author), c).order_by(Author.id).tuples())
         for c in authors],
    )  # fmt: skip


def subqueries(own: Own) -> object:
    lent = Loan.select().where((Loan.book == Book.id) & ~Loan.returned)
    dear = Book.select(Book.author).where(own(Book), Book.price > 30)
    totals = (
        Book.select(Book.author, peewee.fn.SUM(Book.price).alias("total"))
        .where(own(Book)).group_by(Book.author).cte("totals", columns=["author_id", "total"])
    )  # fmt: skip
    with_total = (
        Author.select(Author.name, totals.c.total)
        .join(totals, on=(totals.c.author_id == Author.id))
        .where(own(Author)).order_by(Author.id).with_cte(totals)
    )  # fmt: skip
    names = Author.select(Author.name).where(own(Author)) | Reader.select(Reader.name).where(
        own(Reader), Reader.vip
    )
    return (
        list(Book.select(Book.id).where(own(Book), peewee.fn.EXISTS(lent)).order_by(1).tuples()),
        list(Author.select(Author.id).where(own(Author), Author.id.in_(dear)).order_by(1).tuples()),
        list(with_total.tuples()),
        sorted(names.tuples()),
    )


def pages(own: Own) -> object:
    books = Book.select(Book.id, Book.title).where(own(Book)).order_by(Book.price.desc(), Book.id)
    kinds = Book.select(Book.genre).where(own(Book)).distinct().tuples()
    first = Book.select(Book.genre, Book.id).where(own(Book)).distinct([Book.genre])
    return (
        list(books.paginate(2, 7).tuples()),
        list(books.limit(3).offset(30).dicts()),
        sorted(kinds),
        list(first.order_by(Book.genre, Book.id.desc()).tuples()),
    )


def streamed(own: Own) -> object:
    query = Loan.select(Loan.id).where(own(Loan)).order_by(Loan.id).tuples()
    return list(query.iterator()), [row[0] for row in ServerSide(query)]


def locked(own: Own) -> object:
    with proxy.atomic():
        query = Book.select(Book.id).where(own(Book), Book.id < 9).order_by(Book.id)
        return list(query.for_update().tuples())


def raw(own: Own) -> object:
    mine = {b for (b,) in Book.select(Book.id).where(own(Book)).tuples()}
    query = Book.raw("SELECT id, upper(title) AS loud FROM books WHERE pages > %s ORDER BY id", 200)
    cursor = proxy.execute_sql("SELECT id, genre::text FROM books ORDER BY id")
    return (
        [(b.id, b.loud) for b in query if b.id in mine],
        [row for row in cursor.fetchall() if row[0] in mine],
    )


QUERIES = (
    joined, prefetched, backrefs, aggregates, filters, subqueries, pages, streamed, locked, raw
)  # fmt: skip


def database(door: Door, psycopg3: bool = False) -> Any:
    return PostgresqlExtDatabase(
        DATABASE, user=door.user, password=door.password, host="127.0.0.1", port=door.port,
        prefer_psycopg3=psycopg3,
    )  # fmt: skip


@pytest.fixture
def bound(store: dict[str, Door]) -> Iterator[Callable[..., Any]]:
    """Bind the models to one of the doors."""
    made = []

    def bind(name: str, psycopg3: bool = False) -> Any:
        made.append(database(store[name], psycopg3))
        proxy.initialize(made[-1])
        return made[-1]

    yield bind
    for one in made:
        one.close()


@pytest.mark.parametrize("psycopg3", [False, True], ids=["psycopg2", "psycopg"])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.__name__)
def test_both_tenants_read_what_is_theirs(bound: Any, query: Any, psycopg3: bool) -> None:
    for tenant, number in TENANTS.items():
        bound(tenant, psycopg3)
        found = query(lambda model: peewee.SQL("true"))
        bound("direct", psycopg3)
        assert found == query(lambda model, n=number: model.tenant_id == n)
        assert found


def test_introspection(bound: Any) -> None:
    straight = bound("direct")
    shown = {
        table: (straight.get_columns(table), straight.get_foreign_keys(table))
        for table in VISIBLE
    }  # fmt: skip
    through = bound("acme")
    assert set(through.get_tables()) == VISIBLE
    for table, (columns, keys) in shown.items():
        seen = [c for c in columns if c.name not in ("ssn", "cost")]
        assert through.get_columns(table) == seen
        assert through.get_foreign_keys(table) == keys
        assert through.get_primary_keys(table) == ["id"]
    assert {i.name for i in through.get_indexes("books")} == {
        "books_pkey", "books_isbn_key", "books_published"
    }  # fmt: skip
    assert through.sequence_exists("books_id_seq")
    made = generate_models(through)
    assert set(made) == VISIBLE
    assert made["books"].get_by_id(1).author.name.startswith("ACME")
    assert "cost" not in made["books"]._meta.fields
    names = Introspector.from_database(through).introspect().model_names
    assert names == {name: name.capitalize() for name in VISIBLE}


@pytest.mark.parametrize("psycopg3", [False, True], ids=["psycopg2", "psycopg"])
def test_a_write_is_an_error_one_can_catch(bound: Any, psycopg3: bool) -> None:
    bound("acme", psycopg3)
    for write in (
        lambda: Reader.create(tenant_id=1, name="new", vip=False),
        lambda: Book.update(pages=1).where(Book.id == 1).execute(),
        lambda: Loan.delete().execute(),
    ):
        with pytest.raises(peewee.DatabaseError, match="may only read"):
            write()
    assert Book.select().count() == 40
