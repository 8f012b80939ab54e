"""SQLModel on psycopg and asyncpg: an application that writes, as two tenants.

Each step runs through the proxy and straight, and must give and leave the same.
"""

import asyncio
import uuid
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import (
    Field,
    Relationship,
    Session,
    SQLModel,
    col,
    create_engine,
    delete,
    select,
    update,
)
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.drivers.tracker import Desk, Tracker


class TagOf(SQLModel, table=True):
    __tablename__ = "task_labels"
    task_id: int | None = Field(default=None, foreign_key="tasks.id", primary_key=True)
    label_id: int | None = Field(default=None, foreign_key="labels.id", primary_key=True)
    tenant_id: int


class Named(SQLModel, table=True):
    __tablename__ = "labels"
    id: int | None = Field(default=None, primary_key=True)
    tenant_id: int
    name: str
    color: str = "grey"
    uses: int = 0


class Job(SQLModel, table=True):
    __tablename__ = "tasks"
    id: int | None = Field(default=None, primary_key=True)
    tenant_id: int
    project_id: int | None = Field(default=None, foreign_key="projects.id")
    title: str
    estimate: int = 1
    done: bool = False
    project: "Plan" = Relationship(back_populates="tasks")


class Plan(SQLModel, table=True):
    __tablename__ = "projects"
    id: int | None = Field(default=None, primary_key=True)
    tenant_id: int
    name: str = Field(max_length=80)
    owner_email: str
    budget: Decimal = Decimal(0)
    settings: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB))
    tasks: list[Job] = Relationship(back_populates="project", cascade_delete=True)


class Remark(SQLModel, table=True):
    __tablename__ = "notes"
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    tenant_id: int
    body: str


def created(session: Session, own: int) -> object:
    plan = Plan(tenant_id=own, name="created", owner_email="c@example.org")
    session.add(plan)
    session.commit()
    session.refresh(plan)
    return plan.id, plan.budget, plan.settings


def family(session: Session, own: int) -> object:
    plan = Plan(
        tenant_id=own, name="family", owner_email="f@example.org",
        tasks=[Job(tenant_id=own, title=f"task {n}") for n in range(3)],
    )  # fmt: skip
    session.add_all([plan, Named(tenant_id=own, name="made"), Remark(tenant_id=own, body="one")])
    session.commit()
    label = session.exec(select(Named).where(Named.name == "made")).one()
    session.add_all(TagOf(task_id=t.id, label_id=label.id, tenant_id=own) for t in plan.tasks)
    session.commit()
    return plan.id, [(task.id, task.title) for task in plan.tasks], label.id


def changed(session: Session, own: int) -> object:
    """The usual way of an API: what the client sent becomes the row's."""
    plan = session.exec(select(Plan).where(Plan.name == "created")).one()
    plan.sqlmodel_update({"budget": Decimal("12.50"), "settings": {"deep": {"a": [1, None]}}})
    session.add(plan)
    session.commit()
    session.refresh(plan)
    done = session.exec(update(Job).where(col(Job.title).like("task%")).values(done=True))  # type: ignore[call-overload]
    session.commit()
    return plan.budget, plan.settings, done.rowcount


def upserted(session: Session, own: int) -> object:
    rows = [{"tenant_id": own, "name": name, "uses": 5} for name in ("common", "fresh")]
    statement = insert(Named).values(rows)
    counted = statement.on_conflict_do_update(
        index_elements=["tenant_id", "name"], set_={"uses": statement.excluded.uses}
    )
    found = session.exec(counted.returning(Named.id, Named.uses))  # type: ignore[call-overload]
    keys = [tuple(row) for row in found]
    session.commit()
    return keys


def deleted(session: Session, own: int) -> object:
    gone = session.exec(delete(TagOf).where(col(TagOf.label_id) > 8))  # type: ignore[call-overload]
    session.delete(session.exec(select(Plan).where(Plan.name == "family")).one())
    session.delete(session.exec(select(Remark).where(Remark.body == "one")).one())
    session.commit()
    return gone.rowcount, session.exec(select(Remark.body).order_by(Remark.body)).all()


def savepoints(session: Session, own: int) -> object:
    session.add(Named(tenant_id=own, name="kept"))
    with session.begin_nested() as inner:
        session.add(Named(tenant_id=own, name="undone"))
        session.flush()
        inner.rollback()
    session.commit()
    locked = select(Named).where(Named.name == "kept").with_for_update()
    session.exec(locked).one().uses += 1
    session.commit()
    return session.exec(select(Named.name, Named.uses).order_by(col(Named.id))).all()


STEPS = (created, family, changed, upserted, deleted, savepoints)


def test_both_tenants_write_what_is_theirs(tracker: Tracker) -> None:
    def run(desk: Desk) -> dict[str, object]:
        engine = create_engine(desk.dsn("postgresql+psycopg"))
        done = {}
        for step in STEPS:
            with Session(engine) as session:
                done[step.__name__] = step(session, desk.number)
        engine.dispose()
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


def test_what_it_may_not_write(tracker: Tracker) -> None:
    engine = create_engine(tracker.through["acme"].dsn("postgresql+psycopg"))
    foreign = Plan(tenant_id=2, name="foreign", owner_email="f@example.org")
    of_foreign = Job(tenant_id=1, title="of another's project", project_id=1)
    with tracker.untouched():
        for row, sqlstate in ((foreign, "42501"), (of_foreign, "23503")):
            with Session(engine) as session, pytest.raises(DBAPIError) as error:
                session.add(row)
                session.commit()
            cause: Any = error.value.orig
            assert cause.sqlstate == sqlstate
    engine.dispose()
