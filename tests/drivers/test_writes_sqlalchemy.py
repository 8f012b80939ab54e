"""SQLAlchemy on psycopg, psycopg2 and asyncpg: an application that writes, as two tenants.

Each step runs through the proxy and straight, and must give and leave the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, delete, event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tests.drivers.tracker import Desk, Tracker
from tests.drivers.tracker_sqlalchemy import (
    STEPS,
    Currency,
    Event,
    Note,
    Project,
    Task,
    first,
)

DRIVERS = ("psycopg", "psycopg2")


@pytest.fixture(scope="module")
def engines(tracker: Tracker) -> Iterator[dict[tuple[str, str], Engine]]:
    """Of each desk (by its login) and driver."""
    desks = (*tracker.through.values(), *tracker.straight.values())
    made = {
        (desk.user, driver): create_engine(desk.dsn(f"postgresql+{driver}"))
        for desk in desks
        for driver in DRIVERS
    }
    yield made
    for engine in made.values():
        engine.dispose()


@pytest.mark.parametrize("driver", DRIVERS)
def test_both_tenants_write_what_is_theirs(
    tracker: Tracker, engines: dict[tuple[str, str], Engine], driver: str
) -> None:
    def run(desk: Desk) -> dict[str, object]:
        done = {}
        for step in STEPS:
            with Session(engines[desk.user, driver]) as session:
                done[step.__name__] = step(session, desk.number)
        return done

    tracker.compare(run)


def test_asynchronously(tracker: Tracker) -> None:
    async def talk(desk: Desk) -> dict[str, object]:
        engine = create_async_engine(desk.dsn("postgresql+asyncpg"))
        done = {}
        for step in STEPS:
            async with AsyncSession(engine) as session:
                done[step.__name__] = await session.run_sync(step, desk.number)
        await engine.dispose()
        return done

    tracker.compare(lambda desk: asyncio.run(talk(desk)))


def foreign(session: Session) -> None:
    session.add(Project(tenant_id=2, name="foreign", owner_email="f@example.org"))
    session.commit()


def foreign_among_own(session: Session) -> None:
    session.add_all(Note(tenant_id=own, body="mixed") for own in (1, 2))
    session.commit()


def foreign_among_returned(session: Session) -> None:
    rows = [{"tenant_id": own, "title": "mixed", "project_id": 2} for own in (1, 1, 2)]
    session.execute(insert(Task).returning(Task.id), rows)
    session.commit()


def moved(session: Session) -> None:
    first(session).tenant_id = 2
    session.commit()


def foreign_parent(session: Session) -> None:
    session.add(Task(tenant_id=1, title="task of another's project", project_id=1))
    session.commit()


def moved_to_foreign_parent(session: Session) -> None:
    session.scalars(select(Task).order_by(Task.id)).first().project_id = 1  # type: ignore[union-attr]
    session.commit()


def not_permitted(session: Session) -> None:
    session.add(Currency(code="GBP", rate=Decimal("0.9")))
    session.commit()


def too_many(session: Session) -> None:
    rows = [{"tenant_id": 1, "title": f"task {n}", "project_id": 2} for n in range(41)]
    session.execute(insert(Task), rows)
    session.execute(update(Task).values(done=True))
    session.commit()


def too_many_in_one(session: Session) -> None:
    session.add_all(Note(tenant_id=1, body=f"note {n}") for n in range(41))
    session.commit()


def without_a_key(session: Session) -> None:
    session.execute(delete(Project).where(Project.name.like("acme%")))
    session.commit()


def without_a_reason(session: Session) -> None:
    session.add(Event(tenant_id=1, kind="no reason"))
    session.commit()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("write", "sqlstate"),
    [
        (foreign, "42501"), (foreign_among_own, "42501"), (foreign_among_returned, "42501"),
        (moved, "42501"), (foreign_parent, "23503"), (moved_to_foreign_parent, "23503"),
        (not_permitted, "25006"), (too_many, "54000"), (too_many_in_one, "54000"),
        (without_a_key, "54000"), (without_a_reason, "QW002"),
    ],
)  # fmt: skip
def test_what_it_may_not_write(
    tracker: Tracker, engines: dict[tuple[str, str], Engine], driver: str, write: Any, sqlstate: str
) -> None:
    with tracker.untouched(), Session(engines["acme", driver]) as session:
        with pytest.raises(DBAPIError) as error:
            write(session)
        cause: Any = error.value.orig
        assert (cause.sqlstate if driver == "psycopg" else cause.pgcode) == sqlstate
        session.rollback()
        assert session.scalar(select(func.count()).select_from(Project)) == 6
    assert tracker.through["acme"].leaked() == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_reasons(tracker: Tracker, engines: dict[tuple[str, str], Engine], driver: str) -> None:
    """Of a whole transaction, or in a comment at each statement."""
    engine = engines["acme", driver]

    def commented(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> Any:
        return f"{statement} /* reason='monthly%%20report' */", parameters

    tracker.renew()
    with Session(engine) as session:
        session.execute(text("SET LOCAL querywarden.reason = 'it was asked for'"))
        session.add_all([Event(tenant_id=1, kind="first"), Event(tenant_id=1, kind="second")])
        session.commit()
    event.listen(engine, "before_cursor_execute", commented, retval=True)
    with Session(engine) as session:
        session.add(Event(tenant_id=1, kind="third"))
        session.commit()
    event.remove(engine, "before_cursor_execute", commented)
    with Session(engine) as session:
        kinds = session.scalars(select(Event.kind).order_by(Event.id)).all()
    assert kinds == ["acme-canary", "first", "second", "third"]
