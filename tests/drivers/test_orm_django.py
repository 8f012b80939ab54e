"""Django on psycopg: an application of two tenants side by side, with both ways of binding values.

Each query runs through the proxy for both, and straight with the tenant's filter written by hand.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import io
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.postgres.aggregates import ArrayAgg, StringAgg
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
from django.core.management import call_command
from django.core.paginator import Paginator
from django.db import DatabaseError, connections, models, transaction
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    Max,
    OuterRef,
    Prefetch,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import Cast, Coalesce, ExtractYear, Length, Lower, Rank, TruncMonth

from tests.drivers.django_setup import described
from tests.drivers.store import DATABASE, TENANTS, VISIBLE, Door, masked


class Author(models.Model):
    tenant_id = models.IntegerField()
    name = models.TextField()
    email = models.TextField()
    born = models.DateField(null=True)
    rating = models.FloatField(null=True)
    meta = models.JSONField()
    tags = ArrayField(models.TextField())
    created_at = models.DateTimeField()

    class Meta:
        app_label, db_table, managed = "drivers", "authors", False


class Book(models.Model):
    tenant_id = models.IntegerField()
    author = models.ForeignKey(Author, models.DO_NOTHING, related_name="books")
    title = models.CharField(max_length=200)
    genre = models.CharField(max_length=20)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    pages = models.IntegerField()
    published = models.DateField(null=True)
    isbn = models.UUIDField()
    readers: Any = models.ManyToManyField("Reader", through="Loan", related_name="books")

    class Meta:
        app_label, db_table, managed = "drivers", "books", False


class Reader(models.Model):
    tenant_id = models.IntegerField()
    name = models.CharField(max_length=80)
    vip = models.BooleanField()

    class Meta:
        app_label, db_table, managed = "drivers", "readers", False


class Loan(models.Model):
    tenant_id = models.IntegerField()
    book = models.ForeignKey(Book, models.DO_NOTHING, related_name="loans")
    reader = models.ForeignKey(Reader, models.DO_NOTHING, related_name="loans")
    due = models.DateTimeField()
    returned = models.BooleanField()

    class Meta:
        app_label, db_table, managed = "drivers", "loans", False


# Of a model: its rows that are the tenant's. Through the proxy that is not for the client to say.
Own = Callable[[type[models.Model]], Any]


def plain(own: Own) -> object:
    return list(own(Author).order_by("id").values_list())


def select_related(own: Own) -> object:
    books = own(Loan).select_related("book__author", "reader").order_by("id")
    return [(n.id, n.book.title, n.book.author.name, n.reader.name, n.due) for n in books]


def prefetch_related(own: Own) -> object:
    late = Prefetch("loans", own(Loan).filter(returned=False).order_by("-due"), to_attr="late")
    authors = own(Author).prefetch_related(Prefetch("books", own(Book).order_by("id")))
    books = own(Book).prefetch_related(late, "readers").order_by("-id")
    return (
        [(a.name, [b.title for b in a.books.all()]) for a in authors.order_by("id")],
        [(b.id, [n.id for n in b.late], sorted(r.name for r in b.readers.all())) for b in books],
    )


def related(own: Own) -> object:
    author = own(Author).earliest("id")
    book = own(Book).latest("published")
    return (
        [b.title for b in author.books.filter(pages__gt=100).order_by("id")],
        book.author.name,
        [r.name for r in book.readers.order_by("id")],
        list(own(Reader).filter(books__genre="novel").distinct().order_by("id").values("name")),
    )


def aggregates(own: Own) -> object:
    authors = own(Author).annotate(
        n=Count("books"), total=Sum("books__price"), last=Max("books__published"),
        dear=Count("books", filter=Q(books__price__gt=30)),
        ids=ArrayAgg("books__id", order_by="books__id"),
        kinds=StringAgg(Cast("books__genre", models.TextField()), Value(","), distinct=True),
    )  # fmt: skip
    columns = ("id", "n", "total", "last", "dear", "ids", "kinds")
    return (
        list(authors.filter(n__gt=2).order_by("id").values_list(*columns)),
        own(Book).aggregate(
            Sum("price"), Avg("pages"), n=Count("id"), k=Count("genre", distinct=True)
        ),
        list(own(Book).values("genre").annotate(n=Count("*"), p=Avg("price")).order_by("genre")),
        list(own(Loan).values("book__author_id").annotate(n=Count("id")).order_by("-n")[:1]),
    )


def expressions(own: Own) -> object:
    size = Case(When(pages__gt=200, then=Value("long")), default=Value("short"))
    books = own(Book).annotate(
        size=size, year=ExtractYear("published"), month=TruncMonth("published"),
        each=F("price") / F("pages"), title_length=Length("title"), low=Lower("title"),
        day=Coalesce("published", Value(dt.date(2000, 1, 1))),
        rank=Window(Rank(), partition_by="genre", order_by=F("price").desc()),
        so_far=Window(Sum("pages"), order_by="id"),
    )  # fmt: skip
    return list(
        books.order_by("id").values_list(
            "id", "size", "year", "month", "each", "title_length", "low", "day", "rank", "so_far"
        )
    )


def filters(own: Own) -> object:
    books = own(Book).order_by("id").values_list("id", flat=True)
    conditions: list[Q] = [
        Q(published__range=(dt.date(2002, 1, 1), dt.date(2008, 6, 30))),
        Q(published__year=2003) | Q(published__month=7),
        Q(published__isnull=True),
        Q(published__week_day__in=[2, 3]),
        Q(price__in=[Decimal("3.25"), Decimal("4.50")]),
        Q(price__gte=Decimal("20.5"), price__lt=Decimal("40")),
        ~Q(genre="poetry"),
        Q(title__icontains="title 1"),
        Q(title__istartswith="acme"),
        Q(title__iexact="bolt title 4"),
        Q(title__endswith="7"),
        Q(title__iregex=r"^[ab].* \d$"),
        Q(isbn__in=["0c7c3ca3-2bf5-0b6c-1c35-3e1b0ffb5f66"]),
        Q(pages__gt=F("price") * 8),
        Q(author__name__contains="Author 3"),
        Q(author__meta__age__gt=4),
        Q(author__tags__contains=["t1"]),
        Q(loans__due__date=dt.date(2025, 5, 10)),
        Q(pk__in=range(1, 9)),
    ]
    return [sorted(set(books.filter(condition))) for condition in conditions]


def documents_and_arrays(own: Own) -> object:
    authors = own(Author).order_by("id").values_list("id", flat=True)
    conditions = [
        Q(meta__city__endswith="1"), Q(meta__has_key="age"), Q(meta__contains={"langs": ["en"]}),
        Q(meta__langs__0="en", meta__langs__1="l3"), Q(meta__age__in=[2, 5]),
        Q(tags__contains=["t1"]), Q(tags__overlap=["t2", "t3"]), Q(tags__len=2), Q(tags__1="t3"),
        Q(created_at__gt=dt.datetime(2024, 1, 4, tzinfo=dt.UTC)),
        Q(created_at__date=dt.date(2024, 1, 5)), Q(rating__lte=1.25),
    ]  # fmt: skip
    keys = own(Author).order_by("id").values_list("meta__city", "meta__langs__1", "tags__0")
    return [list(authors.filter(condition)) for condition in conditions], list(keys)


def subqueries(own: Own) -> object:
    lent = own(Loan).filter(book=OuterRef("pk"), returned=False)
    newest = own(Book).filter(author=OuterRef("pk")).order_by("-id").values("title")[:1]
    dear = own(Book).filter(price__gt=30).values("author_id")
    return (
        list(own(Book).filter(Exists(lent)).order_by("id").values_list("id")),
        list(own(Book).filter(~Exists(lent)).order_by("id").values_list("id")),
        list(own(Author).annotate(newest=Subquery(newest)).order_by("id").values_list("newest")),
        list(own(Author).filter(id__in=dear).order_by("id").values_list("id")),
        list(own(Author).exclude(books__pages__gt=300).order_by("id").values_list("id")),
        own(Book).filter(price__gt=1000).exists(),
        own(Book).filter(genre="novel").count(),
    )


def pages(own: Own) -> object:
    books = own(Book).order_by("-price", "id")
    paginator = Paginator(books, 9)
    return (
        paginator.count,
        [[b.id for b in paginator.page(n)] for n in paginator.page_range],
        [b.id for b in books[5:10]],
        books[3].title,
        own(Book).order_by(F("published").asc(nulls_first=True), "id").first().id,
        sorted(own(Book).in_bulk([1, 2, 3, 4])),
    )


def sets(own: Own) -> object:
    names = own(Author).values_list("name").union(own(Reader).filter(vip=True).values_list("name"))
    return (
        sorted(names),
        sorted(own(Book).values_list("genre", flat=True).distinct()),
        list(own(Book).order_by("genre", "-id").distinct("genre").values_list("genre", "id")),
        list(own(Book).filter(published__isnull=False).dates("published", "year")),
        list(own(Loan).datetimes("due", "day")),
        sorted(
            own(Book).values_list("id").difference(own(Book).filter(id__gt=9).values_list("id"))
        ),
    )


def partly(own: Own) -> object:
    book = own(Book).only("title").order_by("id").first()
    other = own(Author).defer("meta").order_by("id").last()
    return book.title, book.pages, other.name, other.meta


def searched(own: Own) -> object:
    vector = SearchVector("name", config="english")
    query = SearchQuery("author & 5", config="english", search_type="raw")
    found = own(Author).annotate(found=vector, rank=SearchRank(vector, query)).filter(found=query)
    return [(a.name, round(a.rank, 4)) for a in found.order_by("id")]


def streamed(own: Own) -> object:
    loans = own(Loan).order_by("id")
    return (
        [loan.id for loan in loans.iterator(chunk_size=7)],
        [b.author.name for b in own(Book).select_related("author").order_by("id").iterator()],
        [
            [r.id for r in b.readers.all()]
            for b in own(Book).prefetch_related("readers").order_by("id").iterator(chunk_size=11)
        ],
    )


def locked(own: Own) -> object:
    with transaction.atomic(using=own(Book).db):
        books = own(Book).select_for_update(of=("self",)).select_related("author").order_by("id")
        shared = own(Book).select_for_update(no_key=True, skip_locked=True).filter(id__lt=9)
        return [b.author.name for b in books[:5]], sorted(b.id for b in shared)


def raw(own: Own) -> object:
    db, mine = own(Book).db, set(own(Book).values_list("id", flat=True))
    text = "SELECT b.*, upper(title) AS loud FROM books b WHERE pages > %s ORDER BY id"
    books = [b for b in Book.objects.using(db).raw(text, [200]) if b.id in mine]
    with connections[db].cursor() as cursor:
        cursor.execute(
            "SELECT id, genre::text, price FROM books WHERE published > %(day)s ORDER BY id",
            {"day": dt.date(2005, 1, 1)},
        )
        columns = [column.name for column in cursor.description]
        rows = [row for row in cursor.fetchall() if row[0] in mine]
    return [(b.title, b.loud) for b in books], columns, rows


QUERIES = (
    plain, select_related, prefetch_related, related, aggregates, expressions, filters,
    documents_and_arrays, subqueries, pages, sets, partly, searched, streamed, locked, raw,
)  # fmt: skip


@pytest.fixture(scope="module")
def databases(store: dict[str, Door]) -> Iterator[None]:
    known = {name: described(DATABASE, door) for name, door in store.items()}
    known |= {f"{t} bound": described(DATABASE, store[t], bound=True) for t in TENANTS}
    connections.settings = connections.configure_settings({"default": {}, **known})
    yield
    connections.close_all()


@pytest.mark.parametrize("binding", ["", " bound"], ids=["client", "server"])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.__name__)
def test_both_tenants_read_what_is_theirs(databases: None, query: Any, binding: str) -> None:
    for tenant in TENANTS:
        found = query(lambda model, db=tenant + binding: model.objects.using(db))
        assert found == straight(query, tenant)
        assert found


def straight(query: Any, tenant: str) -> object:
    """What a direct connection gives, with the tenant filtered and the address masked by hand."""
    own = {"tenant_id": TENANTS[tenant]}
    found = query(lambda model: model.objects.using("direct").filter(**own))
    if query is plain:
        return [(*row[:3], masked(row[3]), *row[4:]) for row in found]
    return found


def test_asynchronously(databases: None) -> None:
    async def talk(tenant: str) -> list[object]:
        books = Book.objects.using(tenant).order_by("id")
        found: list[object] = [book.id async for book in books.select_related("author")]
        found += [await books.acount(), (await books.afirst()).title, await books.aexists()]
        found += [(await books.aaggregate(Sum("price")))["price__sum"]]
        found += [loan.id async for loan in Loan.objects.using(tenant).order_by("id").aiterator()]
        await sync_to_async(connections.close_all)()
        return found

    for tenant, number in TENANTS.items():
        seen = asyncio.run(talk(tenant))
        mine = Book.objects.using("direct").filter(tenant_id=number)
        assert seen[:40] == sorted(mine.values_list("id", flat=True))
        assert seen[40:44] == [40, mine.earliest("id").title, True, sum(b.price for b in mine)]


def test_inspectdb(databases: None) -> None:
    printed = io.StringIO()
    call_command("inspectdb", database="acme", stdout=printed)
    text = printed.getvalue()
    assert text.count("class Meta") == len(VISIBLE)
    assert "title = models.CharField(max_length=200)" in text
    assert "author = models.ForeignKey(Authors, models.DO_NOTHING)" in text
    assert "unique_together = (('book', 'reader'),)" in text
    assert "db_table_comment = 'what can be lent'" in text
    assert "pages = models.IntegerField(db_comment='without the cover')" in text
    for hidden in ("ssn", "cost", "denied", "DENIED", "denied_kind"):
        assert hidden not in text
    with connections["acme"].cursor() as cursor:
        look = connections["acme"].introspection
        assert set(look.table_names(cursor)) == VISIBLE
        assert look.get_primary_key_column(cursor, "books") == "id"
        assert set(look.get_constraints(cursor, "books")) >= {"books_pkey", "books_isbn_key"}
        assert not {c for c in look.get_constraints(cursor, "books") if "cost" in c or "den" in c}
        assert look.get_sequences(cursor, "books")[0]["name"] == "books_id_seq"


def test_a_write_is_an_error_one_can_catch(databases: None) -> None:
    book = Book.objects.using("acme").earliest("id")
    reader = Reader(tenant_id=1, name="new", vip=False)
    for write in (
        lambda: reader.save(using="acme"),
        lambda: book.save(update_fields=["title"]),
        lambda: Loan.objects.using("acme").filter(id=1).delete(),
        lambda: Book.objects.using("acme").update(pages=F("pages") + 1),
        lambda: Reader.objects.using("acme").get_or_create(name="new", vip=True, tenant_id=1),
    ):
        with pytest.raises(DatabaseError, match="may only read"):
            write()
    with pytest.raises(DatabaseError), transaction.atomic(using="acme"):
        reader.save(using="acme")
    assert Book.objects.using("acme").count() == 40
