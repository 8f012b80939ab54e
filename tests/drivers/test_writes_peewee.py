"""Peewee on psycopg2 and psycopg: an application that writes, as two tenants.

Each step runs through the proxy and straight, and must give and leave the same.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import peewee
import pytest
from playhouse.postgres_ext import ArrayField, BinaryJSONField, PostgresqlExtDatabase

from tests.drivers.tracker import Desk, Tracker

proxy = peewee.DatabaseProxy()


class Table(peewee.Model):
    class Meta:
        database = proxy
        legacy_table_names = False


class Project(Table):
    tenant_id = peewee.IntegerField()
    name = peewee.CharField(max_length=80)
    owner_email = peewee.TextField()
    status = peewee.CharField(default="open")
    budget = peewee.DecimalField(max_digits=12, decimal_places=2, default=Decimal(0))
    settings = BinaryJSONField(default=dict)
    tags = ArrayField(peewee.TextField, default=list)
    version = peewee.IntegerField(default=1)
    started = peewee.DateField(null=True)
    updated_at = peewee.DateTimeField(null=True)

    class Meta:
        table_name = "projects"


class Task(Table):
    tenant_id = peewee.IntegerField()
    project = peewee.ForeignKeyField(Project, backref="tasks")
    parent = peewee.ForeignKeyField("self", backref="parts", null=True)
    title = peewee.TextField()
    estimate = peewee.IntegerField(default=1)
    done = peewee.BooleanField(default=False)
    due = peewee.DateField(null=True)

    class Meta:
        table_name = "tasks"


class Label(Table):
    tenant_id = peewee.IntegerField()
    name = peewee.TextField()
    color = peewee.TextField(default="grey")
    uses = peewee.IntegerField(default=0)

    class Meta:
        table_name = "labels"


class TaskLabel(Table):
    task = peewee.ForeignKeyField(Task)
    label = peewee.ForeignKeyField(Label)
    tenant_id = peewee.IntegerField()

    class Meta:
        table_name = "task_labels"
        primary_key = peewee.CompositeKey("task", "label")


class Note(Table):
    id = peewee.UUIDField(primary_key=True, default=uuid.uuid4)
    tenant_id = peewee.IntegerField()
    body = peewee.TextField()

    class Meta:
        table_name = "notes"


class Preference(Table):
    tenant_id = peewee.IntegerField()
    name = peewee.TextField()
    value = BinaryJSONField()

    class Meta:
        table_name = "preferences"
        primary_key = peewee.CompositeKey("tenant_id", "name")


class Event(Table):
    tenant_id = peewee.IntegerField()
    kind = peewee.TextField()

    class Meta:
        table_name = "events"


class Currency(Table):
    code = peewee.TextField(primary_key=True)
    rate = peewee.DecimalField()

    class Meta:
        table_name = "currencies"


def created(own: int) -> object:
    project = Project.create(tenant_id=own, name="created", owner_email="c@example.org", tags=["a"])
    label = Label(tenant_id=own, name="made")
    label.save()
    note = Note(tenant_id=own, body="by hand")
    return project.id, label.id, note.save(force_insert=True)


def family(own: int) -> object:
    with proxy.atomic():
        project = Project.create(
            tenant_id=own, name="family", owner_email="f@example.org", settings={"n": 1}
        )
        tasks = [Task.create(tenant_id=own, project=project, title=f"task {n}") for n in range(3)]
        part = Task.create(tenant_id=own, project=project, parent=tasks[0], title="part")
        label = Label.get(Label.name == "common")
        for task in tasks:
            TaskLabel.create(task=task, label=label, tenant_id=own)
    return project.id, [task.id for task in tasks], part.id


def many(own: int) -> object:
    project = Project.get(Project.name == "created")
    rows = [{"tenant_id": own, "project": project, "title": f"bulk {n}"} for n in range(12)]
    keys = [row[0] for row in Task.insert_many(rows).execute()]
    returned = list(
        Task.insert_many(rows).returning(Task.id, Task.title, Task.done).tuples().execute()
    )
    made = [Task(tenant_id=own, project=project, title=f"bulk {n}") for n in range(12, 15)]
    Task.bulk_create(made, batch_size=2)
    Note.insert_many([(uuid.uuid4(), own, f"note {n}") for n in range(3)]).execute()
    Preference.insert_many(
        [(own, f"p{n}", n) for n in range(3)],
        fields=[Preference.tenant_id, Preference.name, Preference.value],
    ).execute()
    copied = Task.insert_from(
        Task.select(Task.tenant_id, Task.project, peewee.Value("copied"), Task.estimate, Task.done)
        .where(Task.title == "bulk 0"),
        [Task.tenant_id, Task.project, Task.title, Task.estimate, Task.done],
    ).execute()  # fmt: skip
    return keys, returned, [task.id for task in made], [row[0] for row in copied]


def changed(own: int) -> object:
    """save() writes every column, what the client sees of a masked one included."""
    project = Project.select().join(Task).order_by(Project.id).first()
    project.budget = Decimal("12.50")
    project.status = "paused"
    project.settings["deep"] = {"a": [1, None]}
    project.tags.append("b")
    saved = [project.save()]
    project.started = dt.date(2025, 5, 5)
    saved.append(project.save(only=[Project.started]))
    family = Project.get(Project.name == "family")
    family.name = "family renamed"
    saved.append(family.save(only=family.dirty_fields))
    saved.append(Label.set_by_id(Label.get(Label.name == "made").id, {"uses": 3}))
    preference = Preference.get_by_id((own, "p2"))
    preference.value = {"a": 1}
    saved.append(preference.save())
    again = Project.get_by_id(project.id)
    return saved, again.budget, again.settings, again.tags, again.started


def changed_together(own: int) -> object:
    tasks = list(Task.select().where(Task.title.startswith("bulk")).order_by(Task.id))
    for n, task in enumerate(tasks):
        task.estimate = n
        task.due = dt.date(2026, 1, 1) + dt.timedelta(n)
        task.title = f"bulk again {n}"
    fields = [Task.estimate, Task.due, Task.title]
    return Task.bulk_update(tasks, fields=fields, batch_size=20)


def changed_in_bulk(own: int) -> object:
    paused = Project.select(Project.id).where(Project.status == "paused")
    counted = Task.update(estimate=Task.estimate * 2).where(
        Task.title.startswith("bulk"), Task.estimate > 3
    )
    returned = (
        Task.update(title=peewee.fn.UPPER(Task.title), done=True)
        .where(Task.estimate > 20).returning(Task.id, Task.title).tuples()
    )  # fmt: skip
    joined = (
        Task.update(title=Project.name.concat(" task")).from_(Project)
        .where(Task.project == Project.id, Project.name == "family renamed")
    )  # fmt: skip
    return (
        counted.execute(),
        sorted(returned.execute()),
        Task.update(due=None).where(Task.project.in_(paused)).execute(),
        joined.execute(),
    )


def deleted(own: int) -> object:
    """With what depends on it: tasks and their rows in task_labels."""
    gone = [Task.get(Task.title == "copied").delete_instance()]
    gone.append(Project.get(Project.name == "family renamed").delete_instance(recursive=True))
    gone.append(Note.get(Note.body == "note 1").delete_instance())
    gone.append(Preference.get_by_id((own, "p1")).delete_instance())
    gone.append(Label.delete_by_id(Label.get(Label.name == "made").id))
    return gone, [note.body for note in Note.select().order_by(Note.body)]


def deleted_in_bulk(own: int) -> object:
    returned = (
        Task.delete().where(Task.title.startswith("BULK"), Task.done)
        .returning(Task.id, Task.title).tuples()
    )  # fmt: skip
    return (
        Task.delete().where(Task.title.startswith("bulk"), Task.estimate < 14).execute(),
        sorted(returned.execute()),
    )


def upserted(own: int) -> object:
    rows = [{"tenant_id": own, "name": name, "uses": 5} for name in ("common", "fresh")]
    key = [Label.tenant_id, Label.name]
    counted = Label.insert_many(rows).on_conflict(
        conflict_target=key, preserve=[Label.color],
        update={Label.uses: Label.uses + peewee.EXCLUDED.uses},
    )  # fmt: skip
    where = Label.insert_many(rows).on_conflict(
        conflict_target=key, preserve=[Label.uses], where=(peewee.EXCLUDED.uses >= Label.uses)
    )
    nothing = Label.insert_many(rows).on_conflict_ignore()
    named = Preference.insert(tenant_id=own, name="theme", value={"dark": True}).on_conflict(
        conflict_constraint="preferences_pkey", preserve=[Preference.value]
    )
    return (
        [row[0] for row in counted.execute()],
        list(where.returning(Label.name, Label.uses).tuples().execute()),
        list(nothing.execute()),
        named.execute(),
    )


def got_or_created(own: int) -> object:
    found = [
        Label.get_or_create(name="common", tenant_id=own, defaults={"uses": 1}),
        Label.get_or_create(name="new", tenant_id=own, defaults={"uses": 1}),
    ]
    return [(label.id, label.uses, made) for label, made in found]


def savepoints(own: int) -> object:
    failed = ""
    with proxy.atomic():
        Label.create(tenant_id=own, name="kept")
        try:
            with proxy.atomic():
                Label.create(tenant_id=own, name="undone")
                Label.create(tenant_id=own, name="common")
        except peewee.IntegrityError as error:
            failed = type(error).__name__
        with proxy.savepoint():
            Label.create(tenant_id=own, name="kept too")
    with proxy.transaction() as transaction:
        Label.create(tenant_id=own, name="rolled back")
        transaction.rollback()
    return failed, [label.name for label in Label.select().order_by(Label.id)]


def locked(own: int) -> object:
    with proxy.atomic():
        project = Project.select().where(Project.name == "created").for_update().get()
        project.budget += 7
        saved = project.save()
        query = Task.select().where(Task.project == project).order_by(Task.id)
        task = query.for_update("FOR NO KEY UPDATE", nowait=True).first()
        task.done = True
        task.save()
    return project.budget, task.id, saved


def stale(own: int) -> object:
    """A version in the condition: the count of rows says whether it was still so."""
    mine = Project.get(Project.name == "created")
    same = (Project.id == mine.id) & (Project.version == mine.version)
    again = Project.update(version=Project.version + 1).where(same)
    return again.execute(), again.execute()


def relabelled(own: int) -> object:
    task = Task.select().order_by(Task.id).get()
    labels = list(Label.select().where(Label.name.startswith("kept")).order_by(Label.id))
    rows = [(task, label, own) for label in labels]
    fields = [TaskLabel.task, TaskLabel.label, TaskLabel.tenant_id]
    TaskLabel.insert_many(rows, fields=fields).execute()
    gone = TaskLabel.get(task=task, label=labels[0]).delete_instance()
    found = [row.label.name for row in TaskLabel.select().where(TaskLabel.task == task)]
    return gone, sorted(found), TaskLabel.delete().where(TaskLabel.task == task).execute()


STEPS = (
    created, family, many, changed, changed_together, changed_in_bulk, deleted, deleted_in_bulk,
    upserted, got_or_created, savepoints, locked, stale, relabelled,
)  # fmt: skip


@contextmanager
def connected(desk: Desk, psycopg3: bool) -> Iterator[None]:
    """The models are those of one desk."""
    database = PostgresqlExtDatabase(
        desk.database, user=desk.user, password=desk.password, host="127.0.0.1", port=desk.port,
        prefer_psycopg3=psycopg3,
    )  # fmt: skip
    proxy.initialize(database)
    yield
    database.close()


@pytest.mark.parametrize("psycopg3", [False, True], ids=["psycopg2", "psycopg"])
def test_both_tenants_write_what_is_theirs(tracker: Tracker, psycopg3: bool) -> None:
    def run(desk: Desk) -> dict[str, object]:
        with connected(desk, psycopg3):
            return {step.__name__: step(desk.number) for step in STEPS}

    tracker.compare(run)


def moved() -> None:
    task = Task.select().order_by(Task.id).get()
    task.tenant_id = 2
    task.save()


def notes(number: int, own: int = 1) -> Any:
    return Note.insert_many([(uuid.uuid4(), own, f"note {n}") for n in range(number)])


REFUSED: tuple[tuple[Callable[[], object], str], ...] = (
    (lambda: Label.create(tenant_id=2, name="foreign"), "42501"),
    (lambda: notes(3, own=2).execute(), "42501"),
    (moved, "42501"),
    (lambda: Task.create(tenant_id=1, project=1, title="of another's project"), "23503"),
    (lambda: Currency.update(rate=2).where(Currency.code == "EUR").execute(), "25006"),
    (lambda: notes(41).execute(), "54000"),
    (lambda: Project.update(budget=1).where(Project.name.startswith("acme")).execute(), "54000"),
    (lambda: Event.create(tenant_id=1, kind="no reason"), "QW002"),
)


@pytest.mark.parametrize("psycopg3", [False, True], ids=["psycopg2", "psycopg"])
def test_what_it_may_not_write(tracker: Tracker, psycopg3: bool) -> None:
    with tracker.untouched(), connected(tracker.through["acme"], psycopg3):
        for write, sqlstate in REFUSED:
            with pytest.raises(peewee.DatabaseError) as error:
                write()
            cause: Any = error.value.orig  # type: ignore[attr-defined]
            assert (cause.sqlstate if psycopg3 else cause.pgcode) == sqlstate
            assert Project.select().count() == 6
    assert tracker.through["acme"].leaked() == []


@pytest.mark.parametrize("psycopg3", [False, True], ids=["psycopg2", "psycopg"])
def test_reasons(tracker: Tracker, psycopg3: bool) -> None:
    tracker.renew()
    with connected(tracker.through["acme"], psycopg3), proxy.atomic():
        proxy.execute_sql("SET LOCAL querywarden.reason = 'it was asked for'")
        Event.create(tenant_id=1, kind="first")
        kinds = [row.kind for row in Event.select().order_by(Event.id)]
    assert kinds == ["acme-canary", "first"]
