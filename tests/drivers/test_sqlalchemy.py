"""SQLAlchemy 2 on psycopg and asyncpg: connecting, reflection, and the ORM with a relation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from sqlalchemy import Connection, ForeignKey, Inspector, MetaData, func, inspect, select, text
from sqlalchemy.dialects.postgresql.base import PGInspector
from sqlalchemy.exc import DBAPIError, NoSuchTableError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

VISIBLE = {"orgs", "users", "orders", "pgbench_accounts", "pgbench_branches", "pgbench_tellers"}


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    orders: Mapped[list[Order]] = relationship(back_populates="user")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    amount: Mapped[Decimal]
    user: Mapped[User] = relationship(back_populates="orders")


@pytest.fixture(params=["psycopg", "asyncpg"])
async def engine(request: pytest.FixtureRequest, dsn: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(dsn.replace("postgresql:", f"postgresql+{request.param}:"))
    yield engine
    await engine.dispose()


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.connect() as connection:
        yield connection


async def test_reflection_sees_the_policy_view(connection: AsyncConnection) -> None:
    def look(sync: Connection) -> None:
        inspector: Inspector = inspect(sync)
        assert set(inspector.get_table_names()) == VISIBLE
        columns = {column["name"]: column for column in inspector.get_columns("users")}
        assert {"id", "tenant_id", "email", "tier", "tags"} <= columns.keys()
        assert "ssn" not in columns
        assert columns["tier"]["type"].enums == ["free", "paid"]  # type: ignore[attr-defined]
        assert inspector.get_pk_constraint("users")["constrained_columns"] == ["id"]
        keys = inspector.get_foreign_keys("orders")
        assert {key["referred_table"] for key in keys} == {"orgs", "users"}
        assert [index["name"] for index in inspector.get_indexes("orders")] == ["orders_user"]
        assert inspector.get_unique_constraints("users")
        assert not inspector.has_table("secrets")
        assert isinstance(inspector, PGInspector)
        assert [enum["name"] for enum in inspector.get_enums()] == ["tier"]
        with pytest.raises(NoSuchTableError):
            inspector.get_columns("secrets")

    await connection.run_sync(look)


async def test_whole_schema_is_reflected(connection: AsyncConnection) -> None:
    metadata = MetaData()
    await connection.run_sync(metadata.reflect)
    assert set(metadata.tables) == VISIBLE
    assert "ssn" not in metadata.tables["users"].columns


async def test_select_with_relations(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        query = select(User).options(selectinload(User.orders)).order_by(User.id)
        users = (await session.scalars(query)).all()
        assert [(u.id, u.email, [o.id for o in u.orders]) for u in users] == [
            (1, "a***@acme.example", [101]),
            (2, "a***@acme.example", [102]),
        ]
        joined = select(Order).options(joinedload(Order.user)).where(Order.amount > 15)
        (order,) = (await session.scalars(joined)).unique().all()
        assert (order.id, order.user.id, order.amount) == (102, 2, Decimal("20.00"))
        total = select(User.id, func.sum(Order.amount)).join(User.orders).group_by(User.id)
        assert sorted(map(tuple, await session.execute(total))) == [
            (1, Decimal("10.50")),
            (2, Decimal("20.00")),
        ]
        assert await session.get(User, 11) is None


async def test_refusal(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        session.add(User(id=900, email="x@acme.example"))
        with pytest.raises(DBAPIError):
            await session.commit()
        await session.rollback()
        assert await session.scalar(select(func.count()).select_from(User)) == 2


async def test_a_denied_column_is_not_there(connection: AsyncConnection) -> None:
    with pytest.raises(ProgrammingError):
        await connection.execute(text("SELECT ssn FROM users"))
    await connection.rollback()
    assert (await connection.execute(text("SELECT count(*) FROM users"))).scalar() == 2
