"""Tortoise ORM on asyncpg and psycopg: an application that writes, as two tenants.

Each step runs through the proxy and straight, and must give and leave the same.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from enum import Enum
from typing import Any

import asyncpg
import psycopg
import pytest
from tortoise import Tortoise, fields
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.exceptions import BaseORMException, IntegrityError
from tortoise.expressions import F, Q
from tortoise.functions import Upper
from tortoise.models import Model
from tortoise.transactions import in_transaction

from tests.drivers.tracker import Desk, Tracker


class Status(Enum):
    open = "open"
    paused = "paused"
    closed = "closed"


class Project(Model):
    id = fields.IntField(primary_key=True)
    tenant_id = fields.IntField()
    name = fields.CharField(max_length=80)
    owner_email = fields.TextField()
    status = fields.CharEnumField(Status, default=Status.open)
    budget = fields.DecimalField(max_digits=12, decimal_places=2, default=Decimal(0))
    settings: Any = fields.JSONField(default=dict)
    tags = ArrayField(element_type="text", default=list)
    version = fields.IntField(default=1)
    started = fields.DateField(null=True)
    updated_at = fields.DatetimeField(auto_now=True)
    tasks: fields.ReverseRelation[Task]

    class Meta:
        table = "projects"


class Task(Model):
    id = fields.IntField(primary_key=True)
    tenant_id = fields.IntField()
    project: Any = fields.ForeignKeyField("tracker.Project", related_name="tasks")
    parent: Any = fields.ForeignKeyField("tracker.Task", related_name="parts", null=True)
    title = fields.TextField()
    estimate = fields.IntField(default=1)
    done = fields.BooleanField(default=False)
    due = fields.DateField(null=True)
    labels: Any = fields.ManyToManyField(
        "tracker.Label", through="task_labels", forward_key="label_id", backward_key="task_id",
        related_name="tasks",
    )  # fmt: skip

    class Meta:
        table = "tasks"


class Label(Model):
    id = fields.IntField(primary_key=True)
    tenant_id = fields.IntField()
    name = fields.TextField()
    color = fields.TextField(default="grey")
    uses = fields.IntField(default=0)

    class Meta:
        table = "labels"
        unique_together = (("tenant_id", "name"),)


class Note(Model):
    id = fields.UUIDField(primary_key=True)
    tenant_id = fields.IntField()
    body = fields.TextField()

    class Meta:
        table = "notes"


class Event(Model):
    id = fields.BigIntField(primary_key=True)
    tenant_id = fields.IntField()
    kind = fields.TextField()

    class Meta:
        table = "events"


class Currency(Model):
    code = fields.CharField(max_length=3, primary_key=True)
    rate = fields.DecimalField(max_digits=12, decimal_places=4)

    class Meta:
        table = "currencies"


async def created(own: int) -> object:
    project = await Project.create(
        tenant_id=own, name="created", owner_email="c@example.org", tags=["a"]
    )
    label = Label(tenant_id=own, name="made")
    await label.save()
    return project.pk, label.pk


async def family(own: int) -> object:
    async with in_transaction() as connection:
        project = await Project.create(
            tenant_id=own, name="family", owner_email="f@example.org", settings={"n": 1},
            using_db=connection,
        )  # fmt: skip
        tasks = [
            await Task.create(
                tenant_id=own, project=project, title=f"task {n}", using_db=connection
            )
            for n in range(3)
        ]
        part = await Task.create(
            tenant_id=own, project=project, parent=tasks[0], title="part", using_db=connection
        )
    # Tortoise writes the two keys of a many-to-many row; the tenant is filled in.
    labels = await Label.filter(name__in=["made", "common"]).order_by("id")
    await tasks[0].labels.add(*labels)
    await tasks[1].labels.add(labels[0])
    return project.pk, [task.pk for task in tasks], part.pk


async def many(own: int) -> object:
    project = await Project.get(name="created")
    await Task.bulk_create(
        [Task(tenant_id=own, project=project, title=f"bulk {n}") for n in range(24)],
        batch_size=10,
    )
    await Note.bulk_create([Note(tenant_id=own, body=f"note {n}") for n in range(3)])
    return await Task.filter(title__startswith="bulk").order_by("id").values_list("id", "title")


async def changed(own: int) -> object:
    """save() writes every column, what the client sees of a masked one included."""
    project = await Project.filter(tasks__title__contains="task").order_by("id").first()
    assert project is not None
    project.budget = Decimal("12.50")
    project.status = Status.paused
    project.settings["deep"] = {"a": [1, None]}
    project.tags.append("b")
    await project.save()
    project.started = dt.date(2025, 5, 5)
    await project.save(update_fields=["started"])
    await project.update_from_dict({"version": 2}).save()
    await project.refresh_from_db()
    part = await Project.get(name="family").only("id", "name")
    part.name = "family renamed"
    await part.save(update_fields=["name"])
    return project.version, project.budget, project.settings, project.tags, project.started


async def changed_together(own: int) -> object:
    tasks = await Task.filter(title__startswith="bulk").order_by("id")
    for n, task in enumerate(tasks):
        task.estimate = n
        task.due = dt.date(2026, 1, 1) + dt.timedelta(n)
        task.title = f"bulk again {n}"
    return await Task.bulk_update(tasks, ["estimate", "due", "title"])


async def changed_in_bulk(own: int) -> object:
    return (
        await Task.filter(title__startswith="bulk", estimate__gt=3).update(
            estimate=F("estimate") * 2
        ),
        await Task.filter(estimate__gt=20).update(title=Upper("title"), done=True),
        await Task.filter(project__status=Status.paused).update(due=None),
        await Task.filter(Q(title="task 0") | Q(title="task 1")).update(title="renamed"),
        await Task.filter(pk__in=[1, 2, 3, 4]).update(done=True),
    )


async def deleted(own: int) -> object:
    task = await Task.get(title="part")
    await task.delete()
    await (await Note.get(body="note 1")).delete()
    last = await Project.create(tenant_id=own, name="last", owner_email="l@example.org")
    await last.delete()
    return await Note.all().order_by("body").values_list("body", flat=True)


async def deleted_in_bulk(own: int) -> object:
    return (
        await Task.filter(title__startswith="bulk", estimate__lt=14).delete(),
        await Task.filter(title__startswith="BULK", done=True).delete(),
        await Label.filter(name="nowhere").delete(),
    )


async def upserted(own: int) -> object:
    def rows() -> list[Label]:
        return [Label(tenant_id=own, name=name, uses=5) for name in ("common", "fresh")]

    await Label.bulk_create(
        rows(), on_conflict=["tenant_id", "name"], update_fields=["uses", "color"]
    )
    await Label.bulk_create(rows(), ignore_conflicts=True)
    return await Label.filter(name__in=["common", "fresh"]).order_by("id").values_list("id", "uses")


async def got_or_created(own: int) -> object:
    found = [
        await Label.get_or_create(name="common", tenant_id=own, defaults={"uses": 1}),
        await Label.get_or_create(name="new", tenant_id=own, defaults={"uses": 1}),
        await Label.update_or_create(name="common", tenant_id=own, defaults={"uses": 9}),
        await Label.update_or_create(name="newer", tenant_id=own, defaults={"uses": 2}),
    ]
    return [(label.pk, label.uses, made) for label, made in found]


async def savepoints(own: int) -> object:
    failed = ""
    async with in_transaction() as outer:
        await Label.create(tenant_id=own, name="kept", using_db=outer)
        try:
            async with outer._in_transaction() as inner:
                await Label.create(tenant_id=own, name="undone", using_db=inner)
                await Label.create(tenant_id=own, name="common", using_db=inner)
        except IntegrityError as error:
            failed = type(error).__name__
        async with outer._in_transaction() as inner:
            await Label.create(tenant_id=own, name="kept too", using_db=inner)
    try:
        async with in_transaction() as outer:
            await Label.create(tenant_id=own, name="rolled back", using_db=outer)
            raise KeyError
    except KeyError:
        return failed, await Label.all().order_by("id").values_list("name", flat=True)


async def locked(own: int) -> object:
    async with in_transaction() as connection:
        project = await Project.select_for_update().using_db(connection).get(name="created")
        project.budget += 7
        await project.save(using_db=connection)
        task = await Task.filter(project=project).using_db(connection).order_by("id").first()
        assert task is not None
        task.done = True
        await task.save(using_db=connection, force_update=True)
    return project.budget, task.pk


async def stale(own: int) -> object:
    """A version in the condition: the count of rows says whether it was still so."""
    mine = await Project.get(name="created")
    again = Project.filter(pk=mine.pk, version=mine.version)
    return (
        await again.update(version=F("version") + 1),
        await again.update(version=F("version") + 1),
    )


async def relabelled(own: int) -> object:
    task = await Task.filter(title="renamed").order_by("id").first()
    assert task is not None
    labels = await Label.filter(name__startswith="kept").order_by("id")
    await task.labels.add(*labels)
    await task.labels.remove(labels[0])
    found = sorted([label.name async for label in task.labels])
    await task.labels.clear()
    return found, await task.labels.all().count()


STEPS = (
    created, family, many, changed, changed_together, changed_in_bulk, deleted, deleted_in_bulk,
    upserted, got_or_created, savepoints, locked, stale, relabelled,
)  # fmt: skip


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[None]:
    """Tortoise with its models on one database."""
    await Tortoise.init(
        db_url=dsn, modules={"tracker": [__name__]}, use_tz=True, timezone="UTC"
    )  # fmt: skip
    EXECUTOR_CACHE.clear()  # it holds texts in the other driver's style
    try:
        yield
    finally:
        await Tortoise.close_connections()


@pytest.mark.parametrize("scheme", ["asyncpg", "psycopg"])
def test_both_tenants_write_what_is_theirs(tracker: Tracker, scheme: str) -> None:
    async def talk(desk: Desk) -> dict[str, object]:
        async with connected(desk.dsn(scheme)):
            return {step.__name__: await step(desk.number) for step in STEPS}

    tracker.compare(lambda desk: asyncio.run(talk(desk)))


async def moved() -> None:
    task = await Task.all().order_by("id").first()
    assert task is not None
    task.tenant_id = 2
    await task.save()


# Tortoise hands on what it does not know.
ERRORS = (BaseORMException, psycopg.DatabaseError, asyncpg.PostgresError)
REFUSED: tuple[tuple[Callable[[], Awaitable[object]], str], ...] = (
    (lambda: Label.create(tenant_id=2, name="foreign"), "42501"),
    (lambda: Note.bulk_create([Note(tenant_id=own, body="mixed") for own in (1, 2)]), "42501"),
    (moved, "42501"),
    (lambda: Task.create(tenant_id=1, project_id=1, title="of another's project"), "23503"),
    (lambda: Currency.filter(code="EUR").update(rate=2), "25006"),
    (lambda: Label.all().update(uses=1), "54000"),
    (lambda: Project.filter(name__startswith="acme").update(budget=1), "54000"),
    (lambda: Event.create(tenant_id=1, kind="no reason"), "QW002"),
)


@pytest.mark.parametrize("scheme", ["asyncpg", "psycopg"])
async def test_what_it_may_not_write(tracker: Tracker, scheme: str) -> None:
    with tracker.untouched():
        async with connected(tracker.through["acme"].dsn(scheme)):
            for write, sqlstate in REFUSED:
                with pytest.raises(ERRORS) as error:
                    await write()
                assert sqlstate_of(error.value) == sqlstate
                assert await Project.all().count() == 6
    assert tracker.through["acme"].leaked() == []


def sqlstate_of(error: BaseException) -> str:
    """Of the driver's error, which Tortoise may have wrapped."""
    while not hasattr(error, "sqlstate"):
        error = error.args[0]
    return str(error.sqlstate)


async def test_reasons(tracker: Tracker) -> None:
    tracker.renew()
    async with (
        connected(tracker.through["acme"].dsn("asyncpg")),
        in_transaction() as connection,
    ):
        await connection.execute_query("SET LOCAL querywarden.reason = 'it was asked for'")
        await Event.create(tenant_id=1, kind="first")
        kinds = await Event.all().order_by("id").values_list("kind", flat=True)
    assert kinds == ["acme-canary", "first"]
