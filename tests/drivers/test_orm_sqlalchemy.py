"""SQLAlchemy on psycopg, psycopg2 and asyncpg: an application of two tenants side by side.

Each query runs through the proxy for both, and straight with the tenant's filter written by hand.
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Engine,
    Enum,
    ForeignKey,
    Inspector,
    MetaData,
    Text,
    and_,
    case,
    cast,
    create_engine,
    exists,
    func,
    inspect,
    literal,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, distinct_on
from sqlalchemy.exc import DBAPIError, NoSuchTableError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    contains_eager,
    defer,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
    subqueryload,
)

from tests.drivers.store import TENANTS, VISIBLE, Door, masked


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSONB, list[str]: ARRAY(Text)}  # noqa: RUF012


class Genre(enum.Enum):
    novel = "novel"
    poetry = "poetry"
    science = "science"


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    name: Mapped[str]
    email: Mapped[str]
    born: Mapped[dt.date | None]
    rating: Mapped[float | None]
    meta: Mapped[dict[str, Any]]
    tags: Mapped[list[str]]
    created_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.id")


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    title: Mapped[str]
    genre: Mapped[Genre] = mapped_column(Enum(Genre, name="genre"))
    price: Mapped[Decimal]
    pages: Mapped[int]
    published: Mapped[dt.date | None]
    isbn: Mapped[uuid.UUID]
    author: Mapped[Author] = relationship(back_populates="books")
    loans: Mapped[list[Loan]] = relationship(back_populates="book", order_by="Loan.id")
    readers: Mapped[list[Reader]] = relationship(
        secondary="loans", viewonly=True, order_by="Reader.id"
    )


class Reader(Base):
    __tablename__ = "readers"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    name: Mapped[str]
    vip: Mapped[bool]


class Loan(Base):
    __tablename__ = "loans"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("readers.id"))
    due: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    returned: Mapped[bool]
    book: Mapped[Book] = relationship(back_populates="loans")


# Of a model: which rows are the tenant's. Through the proxy that is not for the client to say.
Own = Callable[[type[Any]], ColumnElement[bool]]


def plain(session: Session, own: Own) -> object:
    rows = session.scalars(select(Author).where(own(Author)).order_by(Author.id)).all()
    return [(a.id, a.name, a.email, a.born, a.rating, a.meta, a.tags, a.created_at) for a in rows]


def joined(session: Session, own: Own) -> object:
    query = select(Book).options(joinedload(Book.author)).where(own(Book)).order_by(Book.title)
    return [(b.title, b.author.name, b.genre, b.isbn) for b in session.scalars(query)]


def collections(session: Session, own: Own) -> object:
    query = (
        select(Author)
        .options(subqueryload(Author.books).joinedload(Book.loans), defer(Author.meta))
        .where(own(Author))
        .order_by(Author.id.desc())
    )
    return [
        (a.name, [(b.title, [n.id for n in b.loans]) for b in a.books])
        for a in session.scalars(query).unique()
    ]


def many_to_many(session: Session, own: Own) -> object:
    query = select(Book).options(selectinload(Book.readers)).where(own(Book)).order_by(Book.id)
    return [(b.id, [r.name for r in b.readers]) for b in session.scalars(query)]


def eager_with_condition(session: Session, own: Own) -> object:
    query = (
        select(Author)
        .join(Author.books)
        .where(own(Author), Book.price > 20)
        .options(contains_eager(Author.books))
        .order_by(Author.id, Book.id)
    )
    found = session.scalars(query.execution_options(populate_existing=True)).unique()
    return [(a.id, [b.id for b in a.books]) for a in found]


def lazy(session: Session, own: Own) -> object:
    author = session.scalars(select(Author).where(own(Author)).order_by(Author.id)).first()
    assert author is not None
    return author.name, [(b.title, b.author is author) for b in author.books]


def aggregates(session: Session, own: Own) -> object:
    query = (
        select(
            Author.id,
            Author.name,
            func.count(Book.id).label("n"),
            func.sum(Book.price),
            func.avg(Book.pages),
            func.max(Book.published),
            func.array_agg(Book.id).filter(Book.pages > 100),
            func.string_agg(cast(Book.genre, Text), literal(",")),
        )
        .outerjoin(Book, Book.author_id == Author.id)
        .where(own(Author))
        .group_by(Author.id)
        .having(func.count(Book.id) > 2)
        .order_by(Author.id)
    )
    return [(*row[:6], sorted(row[6] or ()), sorted(row[7])) for row in session.execute(query)]


def windows(session: Session, own: Own) -> object:
    rank = func.rank().over(partition_by=Book.genre, order_by=Book.price.desc()).label("rank")
    total = func.sum(Book.pages).over(order_by=Book.id, rows=(None, 0))
    inner = select(Book.id, Book.genre, rank, total.label("total")).where(own(Book)).subquery()
    return session.execute(select(inner).where(inner.c.rank <= 3).order_by(inner.c.id)).all()


def pages(session: Session, own: Own) -> object:
    query = select(Book.id, Book.title).where(own(Book)).order_by(Book.price.desc(), Book.id)
    offsets = [session.execute(query.limit(7).offset(at)).all() for at in (0, 7, 35)]
    keyset = select(Book.id).where(own(Book), Book.id > 21).order_by(Book.id).limit(5)
    total = select(func.count()).select_from(select(Book).where(own(Book)).subquery())
    return offsets, session.scalars(keyset).all(), session.scalar(total)


def filters(session: Session, own: Own) -> object:
    conditions = [
        Book.published.between(dt.date(2002, 1, 1), dt.date(2008, 6, 30)),
        func.extract("year", Book.published) == 2003,
        Book.published.is_(None),
        Book.price.in_([Decimal("3.25"), Decimal("4.50"), Decimal("5.75")]),
        Book.genre == Genre.poetry,
        Book.genre.in_([Genre.novel, Genre.science]),
        Book.title.ilike("%TITLE 1_"),
        Book.title.icontains("title 3"),
        Book.title.regexp_match("[0-9]5$"),
        or_(Book.pages < 70, and_(Book.pages > 300, ~(Book.genre == Genre.novel))),
        Book.isbn == uuid.UUID("0c7c3ca3-2bf5-0b6c-1c35-3e1b0ffb5f66"),
        Book.pages % 2 == 0,
        func.coalesce(Book.published, dt.date(2000, 1, 1)) < dt.date(2002, 1, 1),
        Book.id == func.any(cast([1, 2, 3, 4], ARRAY(Book.id.type))),
    ]
    query = select(Book.id).order_by(Book.id)
    return [session.scalars(query.where(own(Book), c)).all() for c in conditions]


def documents_and_arrays(session: Session, own: Own) -> object:
    conditions = [
        Author.meta["age"].as_integer() > 4,
        Author.meta["city"].as_string().like("%1"),
        Author.meta.contains({"langs": ["en"]}),
        Author.meta.has_key("city"),
        Author.meta[("langs", "1")].as_string() == "l3",
        Author.tags.contains(["t1"]),
        Author.tags.overlap(["t2", "t3"]),
        literal("t1") == func.any(Author.tags),
        Author.tags[2] == "t3",
        func.cardinality(Author.tags) == 2,
        func.to_tsvector("english", Author.name).op("@@")(func.plainto_tsquery("english", "5")),
        Author.created_at > dt.datetime(2024, 1, 4, tzinfo=dt.UTC),
    ]
    query = select(Author.id).order_by(Author.id)
    return [session.scalars(query.where(own(Author), c)).all() for c in conditions]


def subqueries(session: Session, own: Own) -> object:
    lent = exists().where(Loan.book_id == Book.id, ~Loan.returned)
    dear = select(Book.author_id).where(Book.price > 30, own(Book))
    newest = (
        select(Book.title)
        .where(Book.author_id == Author.id)
        .order_by(Book.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        session.scalars(select(Book.id).where(own(Book), lent).order_by(Book.id)).all(),
        session.scalars(select(Book.id).where(own(Book), ~lent).order_by(Book.id)).all(),
        session.scalars(
            select(Author.id).where(own(Author), Author.id.in_(dear)).order_by(Author.id)
        ).all(),
        session.execute(select(Author.id, newest).where(own(Author)).order_by(Author.id)).all(),
        session.scalars(
            select(Author.id)
            .where(own(Author), Author.books.any(Book.pages > 300))
            .order_by(Author.id)
        ).all(),
    )


def set_operations(session: Session, own: Own) -> object:
    names = union_all(
        select(Author.name.label("name")).where(own(Author)),
        select(Reader.name).where(own(Reader), Reader.vip),
    ).subquery()
    kinds = select(Book.genre).where(own(Book)).distinct()
    first = select(Book.genre, Book.id).where(own(Book)).ext(distinct_on(Book.genre))
    return (
        session.scalars(select(names.c.name).order_by(names.c.name)).all(),
        sorted(kind.value for kind in session.scalars(kinds)),
        session.execute(first.order_by(Book.genre, Book.id.desc())).all(),
    )


def with_queries(session: Session, own: Own) -> object:
    totals = (
        select(Book.author_id, func.sum(Book.price).label("total"))
        .where(own(Book))
        .group_by(Book.author_id)
        .cte("totals")
    )
    other = aliased(Author)
    label = case((totals.c.total > 150, "much"), else_="little")
    query = (
        select(Author.name, totals.c.total, label, other.name)
        .join(totals, totals.c.author_id == Author.id)
        .outerjoin(other, and_(other.id == Author.id + 2, own(other)))
        .where(own(Author))
        .order_by(Author.id)
    )
    last = (
        select(Loan.due).where(Loan.book_id == Book.id).order_by(Loan.due.desc()).limit(1).lateral()
    )
    due = select(Book.id, last.c.due).join(last, true()).where(own(Book)).order_by(Book.id)
    return session.execute(query).all(), session.execute(due).all()


def raw(session: Session, own: Own) -> object:
    number = own(Book).right.value if hasattr(own(Book), "right") else None
    query = text(
        "SELECT genre::text, date_trunc('year', published)::date AS y, count(*), "
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY pages) FROM books "
        "WHERE (CAST(:n AS int) IS NULL OR tenant_id = :n) AND published IS NOT NULL "
        "GROUP BY GROUPING SETS ((1, 2), (1)) ORDER BY 1, 2 NULLS FIRST"
    )
    return session.execute(query, {"n": number}).all()


def streamed(session: Session, own: Own) -> object:
    query = select(Loan.id, Loan.due).where(own(Loan)).order_by(Loan.id)
    rows = session.execute(query, execution_options={"yield_per": 7})
    parts = [len(part) for part in rows.partitions()]
    objects = select(Loan).where(own(Loan)).order_by(Loan.id).execution_options(yield_per=9)
    return parts, [loan.id for loan in session.scalars(objects)]


def locked(session: Session, own: Own) -> object:
    query = select(Book.id).where(own(Book), Book.id < 9).order_by(Book.id)
    return (
        session.scalars(query.with_for_update()).all(),
        session.scalars(query.with_for_update(read=True, of=Book)).all(),
    )


def by_key(session: Session, own: Own) -> object:
    found = [session.get(Author, key) for key in range(1, 18)]
    mine = session.scalars(select(Author.id).where(own(Author))).all()
    return [a.name for a in found if a is not None and a.id in mine]


QUERIES = (
    plain, joined, collections, many_to_many, eager_with_condition, lazy, aggregates,
    windows, pages, filters, documents_and_arrays, subqueries, set_operations, with_queries, raw,
    streamed, locked, by_key,
)  # fmt: skip


def hand_filtered(number: int) -> Own:
    return lambda model: model.tenant_id == number


@pytest.fixture(scope="module")
def engines(store: dict[str, Door]) -> Iterator[dict[tuple[str, str], Engine]]:
    made = {
        (name, driver): create_engine(door.dsn(f"postgresql+{driver}"))
        for name, door in store.items()
        for driver in ("psycopg", "psycopg2")
    }
    yield made
    for engine in made.values():
        engine.dispose()


def straight(engines: dict[tuple[str, str], Engine], tenant: str, query: Any) -> object:
    """What a direct connection gives, with the tenant filtered and the address masked by hand."""
    with Session(engines["direct", "psycopg"]) as session:
        found = query(session, hand_filtered(TENANTS[tenant]))
    if query is plain:
        return [(*row[:2], masked(row[2]), *row[3:]) for row in found]
    return found


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.__name__)
def test_both_tenants_read_what_is_theirs(
    engines: dict[tuple[str, str], Engine], driver: str, query: Any
) -> None:
    for tenant in TENANTS:
        with Session(engines[tenant, driver]) as session:
            found = query(session, lambda model: true())
        assert found == straight(engines, tenant, query)
        assert found


async def test_asynchronously(
    store: dict[str, Door], engines: dict[tuple[str, str], Engine]
) -> None:
    for tenant in TENANTS:
        engine = create_async_engine(store[tenant].dsn("postgresql+asyncpg"))
        for query in QUERIES:
            async with AsyncSession(engine) as session:
                found = await session.run_sync(query, lambda model: true())
            assert found == straight(engines, tenant, query), query.__name__
        await engine.dispose()


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_reflection(engines: dict[tuple[str, str], Engine], driver: str) -> None:
    engine = engines["acme", driver]
    inspector: Inspector = inspect(engine)
    direct: Inspector = inspect(engines["direct", driver])
    assert set(inspector.get_table_names()) == VISIBLE
    for table in sorted(VISIBLE):
        shown = [c for c in direct.get_columns(table) if c["name"] not in ("ssn", "cost")]
        assert list(map(str, inspector.get_columns(table))) == list(map(str, shown))
        assert inspector.get_pk_constraint(table) == direct.get_pk_constraint(table)
        assert inspector.get_foreign_keys(table) == direct.get_foreign_keys(table)
        assert inspector.get_unique_constraints(table) == direct.get_unique_constraints(table)
        indexes = [i for i in direct.get_indexes(table) if i["name"] != "books_denied"]
        assert inspector.get_indexes(table) == indexes
        assert inspector.get_table_comment(table) == direct.get_table_comment(table)
    checks = {check["name"] for check in inspector.get_check_constraints("books")}
    assert checks == {"books_pages_check"}
    assert [e["name"] for e in inspector.get_enums()] == ["genre"]  # type: ignore[attr-defined]
    with pytest.raises(NoSuchTableError):
        inspector.get_columns("denied")
    metadata = MetaData()
    metadata.reflect(engine)
    assert set(metadata.tables) == VISIBLE
    mapped = automap_base()
    mapped.prepare(autoload_with=engine)
    with Session(engine) as session:
        book = session.get(mapped.classes.books, 1)
        assert book.authors.name.startswith("ACME")
        assert not hasattr(book, "cost")


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_write_is_an_error_one_can_catch(
    engines: dict[tuple[str, str], Engine], driver: str
) -> None:
    with Session(engines["acme", driver]) as session:
        session.add(Reader(id=900, tenant_id=1, name="new", vip=False))
        with pytest.raises(DBAPIError, match="may only read"):
            session.commit()
        session.rollback()
        book = session.scalars(select(Book).order_by(Book.id)).first()
        assert book is not None
        book.price = Decimal(1)
        with pytest.raises(DBAPIError, match="may only read"):
            session.flush()
        session.rollback()
        assert session.scalar(select(func.count()).select_from(Book)) == 40
