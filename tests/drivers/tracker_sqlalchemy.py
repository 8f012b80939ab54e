"""An application of SQLAlchemy that writes to the tracker: what `test_writes_sqlalchemy` runs."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Column,
    Enum,
    FetchedValue,
    ForeignKey,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.mutable import MutableDict, MutableList
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    selectinload,
)
from sqlalchemy.orm.exc import StaleDataError


class Base(DeclarativeBase):
    pass


class Status(enum.Enum):
    open = "open"
    paused = "paused"
    closed = "closed"


class Project(Base):
    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    name: Mapped[str]
    owner_email: Mapped[str]
    status: Mapped[Status] = mapped_column(Enum(Status, name="project_status"), default=Status.open)
    budget: Mapped[Decimal] = mapped_column(default=Decimal(0))
    settings: Mapped[dict[str, Any]] = mapped_column(MutableDict.as_mutable(JSONB()), default=dict)
    tags: Mapped[list[str]] = mapped_column(MutableList.as_mutable(ARRAY(Text)), default=list)
    version: Mapped[int] = mapped_column()
    started: Mapped[dt.date | None]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=FetchedValue())
    updated_at: Mapped[dt.datetime | None] = mapped_column(onupdate=func.now())
    tasks: Mapped[list[Task]] = relationship(
        back_populates="project", cascade="all, delete-orphan", order_by="Task.id"
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


task_labels = Table(
    "task_labels",
    Base.metadata,
    Column("task_id", ForeignKey("tasks.id"), primary_key=True),
    Column("label_id", ForeignKey("labels.id"), primary_key=True),
)


class Task(Base):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("tasks.id"))
    title: Mapped[str]
    estimate: Mapped[int] = mapped_column(default=1)
    done: Mapped[bool] = mapped_column(default=False)
    due: Mapped[dt.date | None]
    project: Mapped[Project] = relationship(back_populates="tasks")
    parts: Mapped[list[Task]] = relationship()
    labels: Mapped[list[Label]] = relationship(secondary=task_labels, order_by="Label.id")


class Label(Base):
    __tablename__ = "labels"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(server_default=FetchedValue())
    name: Mapped[str]
    color: Mapped[str] = mapped_column(server_default=FetchedValue())
    uses: Mapped[int] = mapped_column(default=0)


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    tenant_id: Mapped[int]
    body: Mapped[str]


class Preference(Base):
    __tablename__ = "preferences"
    tenant_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)


class Event(Base):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    kind: Mapped[str]


class Currency(Base):
    __tablename__ = "currencies"
    code: Mapped[str] = mapped_column(primary_key=True)
    rate: Mapped[Decimal]


def first(session: Session, **filters: Any) -> Project:
    found = session.scalars(select(Project).filter_by(**filters).order_by(Project.id)).first()
    assert found is not None
    return found


def created(session: Session, own: int) -> object:
    project = Project(tenant_id=own, name="created", owner_email="c@example.org", tags=["a"])
    session.add(project)
    session.commit()
    return project.id, project.version, project.created_at, project.status, project.tags


def family(session: Session, own: int) -> object:
    """Parents and children in one flush, keys handed down."""
    projects = [
        Project(
            tenant_id=own, name=f"family {n}", owner_email="f@example.org", settings={"n": n},
            tasks=[Task(tenant_id=own, title=f"task {n}.{m}", due=dt.date(2025, 1, m + 1))
                   for m in range(3)],
        )
        for n in range(3)
    ]  # fmt: skip
    label = Label(name="family")
    projects[0].tasks[0].labels = [label, Label(name="members", color="blue")]
    projects[1].tasks[1].parts = [
        Task(tenant_id=own, title="part", project=projects[1], labels=[label])
    ]
    session.add_all(projects)
    session.commit()
    return (
        [(p.id, [(t.id, t.title, [n.name for n in t.labels]) for t in p.tasks]) for p in projects],
        (label.id, label.tenant_id, label.color),
    )


def many(session: Session, own: int) -> object:
    into = {"tenant_id": own, "project_id": first(session, name="created").id}
    rows = [{**into, "title": f"bulk {n}"} for n in range(12)]
    session.execute(insert(Task), rows)
    keys = session.scalars(
        insert(Task).returning(Task.id, sort_by_parameter_order=True),
        [{**row, "title": f"{row['title']} returned"} for row in rows],
    ).all()
    session.add_all(Note(tenant_id=own, body=f"note {n}") for n in range(3))
    session.bulk_save_objects([Preference(tenant_id=own, name=f"p{n}", value=n) for n in range(3)])
    session.bulk_insert_mappings(Label, [{"name": f"mapped {n}", "uses": n} for n in range(3)])
    session.commit()
    return keys


def changed(session: Session, own: int) -> object:
    project = first(session, name="created")
    project.budget = Decimal("12.50")
    project.status = Status.paused
    project.settings["deep"] = {"a": [1, None]}
    project.tags.append("b")
    session.flush()
    project.started = dt.date(2025, 5, 5)
    project.budget = Project.budget + 1  # type: ignore[assignment]
    session.commit()
    return project.version, project.budget, project.settings, project.tags


def changed_together(session: Session, own: int) -> object:
    """One executemany of UPDATE by key, as a flush of several objects makes it."""
    tasks = session.scalars(select(Task).where(Task.title.like("bulk%")).order_by(Task.id)).all()
    for n, task in enumerate(tasks):
        task.estimate = n
        task.due = dt.date(2026, 1, 1) + dt.timedelta(n)
    session.commit()
    session.execute(
        update(Task), [{"id": task.id, "done": n % 2 == 0} for n, task in enumerate(tasks)]
    )
    session.bulk_update_mappings(Task, [{"id": task.id, "title": "again"} for task in tasks[:2]])
    core = Task.__table__
    statement = update(core).where(core.c.id == bindparam("key")).values(title=bindparam("text"))
    session.connection().execute(statement, [{"key": t.id, "text": "core"} for t in tasks[2:4]])
    session.commit()
    return [(task.id, task.estimate, task.done) for task in tasks]


def changed_in_bulk(session: Session, own: int) -> object:
    done = session.execute(
        update(Task).where(Task.title.like("bulk%"), Task.estimate > 3)
        .values(estimate=Task.estimate * 2, title=func.upper(Task.title))
    )  # fmt: skip
    returned = session.execute(
        update(Task).where(Task.title == "core").values(done=True)
        .returning(Task.id, Task.title, Task.done)
    ).all()  # fmt: skip
    open_ones = select(Project.id).where(Project.status == Status.paused)
    inner = session.execute(
        update(Task).where(Task.project_id.in_(open_ones)).values(due=None)
        .execution_options(synchronize_session="fetch")
    )  # fmt: skip
    joined = session.execute(
        update(Task).where(Task.project_id == Project.id, Project.name == "family 2")
        .values(title=Project.name + " task")
    )  # fmt: skip
    session.commit()
    return done.rowcount, sorted(returned), inner.rowcount, joined.rowcount


def deleted(session: Session, own: int) -> object:
    task = session.scalars(select(Task).where(Task.title == "part")).one()
    session.delete(task)  # and its rows in task_labels
    session.flush()
    project = first(session, name="family 1")
    project.tasks.pop(0)  # an orphan
    session.flush()
    session.delete(project)  # and its tasks
    session.delete(session.scalars(select(Note).where(Note.body == "note 1")).one())
    session.delete(session.get_one(Preference, (own, "p1")))
    session.commit()
    return session.scalars(select(Note.body).order_by(Note.body)).all()


def deleted_in_bulk(session: Session, own: int) -> object:
    done = session.execute(delete(Task).where(Task.title.like("BULK%"), Task.estimate < 14))
    returned = session.execute(
        delete(Task).where(Task.title.like("BULK%"), Task.done).returning(Task.id, Task.title)
    ).all()
    session.commit()
    return done.rowcount, sorted(returned)


def upserted(session: Session, own: int) -> object:
    statement = upsert(Label).values(
        [{"tenant_id": own, "name": name, "uses": 5} for name in ("common", "fresh")]
    )
    counted = statement.on_conflict_do_update(
        index_elements=[Label.tenant_id, Label.name],
        set_={"uses": Label.uses + statement.excluded.uses, "color": "gold"},
    )
    first_keys = session.scalars(counted.returning(Label.id)).all()
    where = statement.on_conflict_do_update(
        constraint="labels_tenant_id_name_key", set_={"uses": statement.excluded.uses},
        where=Label.uses >= 5,
    )  # fmt: skip
    objects = session.scalars(
        where.returning(Label), execution_options={"populate_existing": True}
    ).all()
    found = [(label.name, label.uses) for label in objects]
    nothing = session.execute(statement.on_conflict_do_nothing())
    preference = upsert(Preference).values(tenant_id=own, name="theme", value={"dark": True})
    session.execute(
        preference.on_conflict_do_update(
            index_elements=["tenant_id", "name"], set_={"value": preference.excluded.value}
        )
    )
    session.commit()
    return first_keys, found, nothing.rowcount


def merged(session: Session, own: int) -> object:
    """merge(): looks the object up by its key, then inserts or updates."""
    session.merge(Preference(tenant_id=own, name="theme", value={"dark": False}))
    session.merge(Preference(tenant_id=own, name="font", value="serif"))
    session.commit()
    query = select(Preference.name, Preference.value).order_by(Preference.name)
    return session.execute(query).all()


def savepoints(session: Session, own: int) -> object:
    session.add(Label(name="kept"))
    try:
        with session.begin_nested():
            session.add(Label(name="common"))
    except Exception as error:
        failed = type(error).__name__
    with session.begin_nested() as inner:
        session.add(Label(name="undone"))
        session.flush()
        inner.rollback()
    with session.begin_nested():
        session.add(Label(name="kept too"))
    session.commit()
    session.add(Label(name="rolled back"))
    session.flush()
    session.rollback()
    return failed, session.scalars(select(Label.name).order_by(Label.id)).all()


def locked(session: Session, own: int) -> object:
    query = select(Project).where(Project.name == "family 0").with_for_update()
    project = session.scalars(query.execution_options(populate_existing=True)).one()
    project.budget += 7
    tasks = session.scalars(
        select(Task).where(Task.project_id == project.id).order_by(Task.id)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()  # fmt: skip
    tasks[0].done = True
    session.commit()
    return project.budget, project.version, [task.done for task in tasks]


def stale(session: Session, own: int) -> object:
    """The version of the row is another one since: the flush finds no row and says so."""
    project = first(session, name="family 2")
    with Session(session.bind) as other:
        first(other, name="family 2").budget = Decimal(3)
        other.commit()
    project.budget = Decimal(4)
    try:
        session.commit()
    except StaleDataError:
        session.rollback()
        return project.budget, project.version
    return "not noticed"


def relabelled(session: Session, own: int) -> object:
    query = select(Task).options(selectinload(Task.labels)).join(Project)
    task = session.scalars(query.where(Project.name == "family 0").order_by(Task.id)).first()
    assert task is not None
    task.labels = [task.labels[1], session.scalars(select(Label).filter_by(name="kept")).one()]
    session.commit()
    with_three = [n.name for n in task.labels]
    task.labels.clear()
    session.commit()
    return with_three, len(task.labels)


STEPS = (
    created, family, many, changed, changed_together, changed_in_bulk, deleted, deleted_in_bulk,
    upserted, merged, savepoints, locked, stale, relabelled,
)  # fmt: skip
