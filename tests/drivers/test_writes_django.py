"""Django on psycopg: an application that writes, as two tenants, with both ways of binding values.

Each step runs through the proxy and straight, and must give and leave the same.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import DatabaseError, IntegrityError, connections, models, transaction
from django.db.models import Case, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Concat, Now, Upper

from tests.drivers.django_setup import described
from tests.drivers.tracker import Tracker


class Project(models.Model):
    tenant_id = models.IntegerField()
    name = models.CharField(max_length=80)
    owner_email = models.EmailField()
    status = models.CharField(max_length=10, default="open")
    budget = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal(0))
    settings = models.JSONField(default=dict)
    tags = ArrayField(models.TextField(), default=list)
    version = models.IntegerField(default=1)
    started = models.DateField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label, db_table, managed = "drivers", "projects", False


class Task(models.Model):
    tenant_id = models.IntegerField()
    project = models.ForeignKey(Project, models.CASCADE, related_name="tasks")
    parent = models.ForeignKey("self", models.SET_NULL, null=True, related_name="parts")
    title = models.TextField()
    estimate = models.IntegerField(default=1)
    done = models.BooleanField(default=False)
    due = models.DateField(null=True)
    labels: Any = models.ManyToManyField("Label", through="TaskLabel", related_name="tasks")

    class Meta:
        app_label, db_table, managed = "drivers", "tasks", False


class Label(models.Model):
    tenant_id = models.IntegerField(db_default=0)  # the database knows which
    name = models.TextField()
    color = models.TextField(db_default="grey")
    uses = models.IntegerField(default=0)

    class Meta:
        app_label, db_table, managed = "drivers", "labels", False


class TaskLabel(models.Model):
    pk = models.CompositePrimaryKey("task_id", "label_id")
    tenant_id = models.IntegerField()
    task = models.ForeignKey(Task, models.CASCADE)
    label = models.ForeignKey(Label, models.CASCADE)

    class Meta:
        app_label, db_table, managed = "drivers", "task_labels", False


class Note(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    tenant_id = models.IntegerField()
    body = models.TextField()

    class Meta:
        app_label, db_table, managed = "drivers", "notes", False


class Preference(models.Model):
    pk = models.CompositePrimaryKey("tenant_id", "name")
    tenant_id = models.IntegerField()
    name = models.TextField()
    value: Any = models.JSONField()

    class Meta:
        app_label, db_table, managed = "drivers", "preferences", False


class Event(models.Model):
    tenant_id = models.IntegerField()
    kind = models.TextField()

    class Meta:
        app_label, db_table, managed = "drivers", "events", False


class Currency(models.Model):
    code = models.TextField(primary_key=True)
    rate = models.DecimalField(max_digits=12, decimal_places=4)

    class Meta:
        app_label, db_table, managed = "drivers", "currencies", False


def created(db: str, own: int) -> object:
    project = Project(tenant_id=own, name="created", owner_email="c@example.org", tags=["a"])
    project.save(using=db)
    label = Label.objects.using(db).create(name="made")
    label.refresh_from_db()
    return project.pk, project.version, label.pk, label.tenant_id, label.color


def family(db: str, own: int) -> object:
    with transaction.atomic(using=db):
        project = Project.objects.using(db).create(
            tenant_id=own, name="family", owner_email="f@example.org", settings={"n": 1}
        )
        tasks = [project.tasks.create(tenant_id=own, title=f"task {n}") for n in range(3)]
        part = Task(tenant_id=own, project=project, parent=tasks[0], title="part")
        part.save(using=db)
        label = Label.objects.using(db).get(name="common")
        for task in tasks:
            task.labels.add(label, through_defaults={"tenant_id": own})
        made = tasks[0].labels.create(name="child", through_defaults={"tenant_id": own})
    return project.pk, [task.pk for task in tasks], part.pk, made.pk


def many(db: str, own: int) -> object:
    project = Project.objects.using(db).get(name="created")
    rows = [Task(tenant_id=own, project=project, title=f"bulk {n}") for n in range(24)]
    made = Task.objects.using(db).bulk_create(rows, batch_size=10)
    Note.objects.using(db).bulk_create(Note(tenant_id=own, body=f"note {n}") for n in range(3))
    Preference.objects.using(db).bulk_create(
        Preference(tenant_id=own, name=f"p{n}", value=n) for n in range(3)
    )
    return [task.pk for task in made]


def changed(db: str, own: int) -> object:
    """save() writes every column, what the client sees of a masked one included."""
    project = Project.objects.using(db).filter(tasks__isnull=False).earliest("id")
    project.budget = Decimal("12.50")
    project.status = "paused"
    project.settings["deep"] = {"a": [1, None]}
    project.tags.append("b")
    project.save()
    project.started = dt.date(2025, 5, 5)
    project.save(update_fields=["started"])
    project.version = F("version") + 1
    project.save()
    project.refresh_from_db()
    part = Project.objects.using(db).only("name").get(name="family")
    part.name = "family renamed"
    part.save()  # the columns that were read
    return project.version, project.budget, project.settings, project.tags, project.started


def changed_together(db: str, own: int) -> object:
    tasks = list(Task.objects.using(db).filter(title__startswith="bulk").order_by("id"))
    for n, task in enumerate(tasks):
        task.estimate = n
        task.due = dt.date(2026, 1, 1) + dt.timedelta(n)
        task.title = Upper("title") if n % 2 else f"bulk again {n}"
    return Task.objects.using(db).bulk_update(tasks, ["estimate", "due", "title"])


def changed_in_bulk(db: str, own: int) -> object:
    tasks = Task.objects.using(db)
    size = Case(When(estimate__gt=10, then=Value("long")), default=Value("short"))
    newest = Project.objects.using(db).filter(pk=OuterRef("project_id")).values("name")[:1]
    return (
        tasks.filter(title__startswith="bulk", estimate__gt=3).update(estimate=F("estimate") * 2),
        tasks.filter(title__startswith="BULK").update(title=Concat("title", Value(" "), size)),
        tasks.filter(project__status="paused").update(due=None),
        tasks.filter(Q(title="task 0") | Q(title="task 1")).update(title=Subquery(newest)),
        tasks.filter(pk__in=[1, 2, 3, 4]).update(done=True),
        Project.objects.using(db).filter(name="created").count(),
    )


def deleted(db: str, own: int) -> object:
    """With what depends on it: rows of task_labels go, parts lose their parent."""
    task = Task.objects.using(db).get(title="task 2")
    gone = [task.delete()]
    gone.append(Task.objects.using(db).filter(parts__title="part").get().delete())
    gone.append(Project.objects.using(db).get(name="family renamed").delete())
    gone.append(Note.objects.using(db).get(body="note 1").delete())
    gone.append(Preference.objects.using(db).get(pk=(own, "p1")).delete())
    return gone, list(Note.objects.using(db).order_by("body").values_list("body", flat=True))


def deleted_in_bulk(db: str, own: int) -> object:
    return (
        Task.objects.using(db).filter(title__startswith="bulk", estimate__lt=14).delete(),
        TaskLabel.objects.using(db).filter(task__title__endswith="task 1").delete(),
        Task.objects.using(db).filter(title__startswith="BULK")._raw_delete(db),
    )


def upserted(db: str, own: int) -> object:
    def rows() -> list[Label]:
        return [Label(tenant_id=own, name=name, uses=5) for name in ("common", "fresh")]

    made = Label.objects.using(db).bulk_create(
        rows(), update_conflicts=True, unique_fields=["tenant_id", "name"],
        update_fields=["uses", "color"],
    )  # fmt: skip
    Label.objects.using(db).bulk_create(rows(), ignore_conflicts=True)
    Preference.objects.using(db).bulk_create(
        [Preference(tenant_id=own, name=name, value={"dark": True}) for name in ("theme", "new")],
        update_conflicts=True, unique_fields=["tenant_id", "name"], update_fields=["value"],
    )  # fmt: skip
    return [label.pk for label in made]


def got_or_created(db: str, own: int) -> object:
    labels = Label.objects.using(db)
    found = [
        labels.get_or_create(name="common", tenant_id=own, defaults={"uses": 1}),
        labels.get_or_create(name="new", tenant_id=own, defaults={"uses": 1}),
        labels.update_or_create(name="common", tenant_id=own, defaults={"uses": F("uses") + 3}),
        labels.update_or_create(
            name="newer", tenant_id=own, defaults={"uses": 2}, create_defaults={"uses": 7}
        ),
    ]
    for label, _ in found:
        label.refresh_from_db()
    project, made = Project.objects.using(db).update_or_create(
        name="created", defaults={"budget": Decimal(9), "tenant_id": own}
    )
    return [(n.pk, n.uses, new) for n, new in found], project.pk, project.budget, made


def savepoints(db: str, own: int) -> object:
    labels = Label.objects.using(db)
    with transaction.atomic(using=db):
        labels.create(name="kept")
        try:
            with transaction.atomic(using=db):
                labels.create(name="undone")
                labels.create(name="common")
        except IntegrityError as error:
            failed = type(error).__name__
        with transaction.atomic(using=db):
            labels.create(name="kept too")
    try:
        with transaction.atomic(using=db):
            labels.create(name="rolled back")
            raise KeyError
    except KeyError:
        return failed, list(labels.order_by("id").values_list("name", flat=True))


def locked(db: str, own: int) -> object:
    with transaction.atomic(using=db):
        project = Project.objects.using(db).select_for_update().get(name="created")
        project.budget += 7
        project.save()
        tasks = Task.objects.using(db).select_for_update(skip_locked=True, of=("self",))
        task = tasks.select_related("project").order_by("id")[0]
        task.done = True
        task.save(force_update=True)
    return project.budget, task.pk


def stale(db: str, own: int) -> object:
    """A version in the condition: the count of rows says whether it was still so."""
    mine = Project.objects.using(db).get(name="created")
    Project.objects.using(db).filter(pk=mine.pk, version=mine.version).update(
        version=F("version") + 1
    )
    again = Project.objects.using(db).filter(pk=mine.pk, version=mine.version)
    gone = Label(pk=10_000, tenant_id=own, name="gone")
    try:
        gone.save(using=db, force_update=True)
    except DatabaseError as error:
        return again.update(version=mine.version + 1), type(error).__name__
    return "not noticed"


def relabelled(db: str, own: int) -> object:
    tasks = Task.objects.using(db).order_by("id")
    task, other = tasks[0], tasks[1]
    labels = list(Label.objects.using(db).filter(name__startswith="kept").order_by("id"))
    task.labels.set(labels, through_defaults={"tenant_id": own})
    task.labels.remove(labels[0])
    found = [label.name for label in task.labels.all()]
    other.labels.add(*labels, through_defaults={"tenant_id": own})
    other.labels.clear()
    parts = other.parts
    parts.add(task)
    kept = list(parts.values_list("pk"))
    parts.remove(task)
    return found, kept, other.labels.count()


STEPS = (
    created, family, many, changed, changed_together, changed_in_bulk, deleted, deleted_in_bulk,
    upserted, got_or_created, savepoints, locked, stale, relabelled,
)  # fmt: skip


@pytest.fixture(scope="module")
def databases(tracker: Tracker) -> Iterator[None]:
    desks = (*tracker.through.values(), *tracker.straight.values())
    known = {
        f"of {desk.user}{' bound' * bound}": described(desk.database, desk, bound=bound)
        for desk in desks
        for bound in (False, True)
    }
    connections.settings = connections.configure_settings({"default": {}, **known})
    yield
    connections.close_all()


@pytest.mark.parametrize("binding", ["", " bound"], ids=["client", "server"])
def test_both_tenants_write_what_is_theirs(tracker: Tracker, databases: None, binding: str) -> None:
    tracker.compare(
        lambda desk: {s.__name__: s(f"of {desk.user}{binding}", desk.number) for s in STEPS}
    )


def foreign(db: str) -> None:
    Project(tenant_id=2, name="foreign", owner_email="f@example.org").save(using=db)


def foreign_among_own(db: str) -> None:
    Note.objects.using(db).bulk_create(Note(tenant_id=own, body="mixed") for own in (1, 2))


def foreign_upsert(db: str) -> None:
    Preference.objects.using(db).bulk_create(
        [Preference(tenant_id=2, name="theme", value="taken")],
        update_conflicts=True, unique_fields=["tenant_id", "name"], update_fields=["value"],
    )  # fmt: skip


def moved(db: str) -> None:
    task = Task.objects.using(db).earliest("id")
    task.tenant_id = 2
    task.save()


def foreign_parent(db: str) -> None:
    Task.objects.using(db).create(tenant_id=1, project_id=1, title="of another's project")


def moved_to_foreign_parent(db: str) -> None:
    Task.objects.using(db).update(parent_id=1)


def not_permitted(db: str) -> None:
    Currency.objects.using(db).filter(code="EUR").update(rate=2)


def too_many(db: str) -> None:
    Note.objects.using(db).bulk_create(Note(tenant_id=1, body=f"note {n}") for n in range(41))


def without_a_key(db: str) -> None:
    Project.objects.using(db).filter(name__startswith="acme").update(budget=1)


def without_a_reason(db: str) -> None:
    Event.objects.using(db).create(tenant_id=1, kind="no reason")


@pytest.mark.parametrize("binding", ["", " bound"], ids=["client", "server"])
@pytest.mark.parametrize(
    ("write", "sqlstate"),
    [
        (foreign, "42501"), (foreign_among_own, "42501"), (foreign_upsert, "42501"),
        (moved, "42501"), (foreign_parent, "23503"), (moved_to_foreign_parent, "23503"),
        (not_permitted, "25006"), (too_many, "54000"), (without_a_key, "54000"),
        (without_a_reason, "QW002"),
    ],
)  # fmt: skip
def test_what_it_may_not_write(
    tracker: Tracker, databases: None, binding: str, write: Any, sqlstate: str
) -> None:
    db = f"of acme{binding}"
    with tracker.untouched():
        with pytest.raises(DatabaseError) as error:
            write(db)
        cause: Any = error.value.__cause__
        assert cause.sqlstate == sqlstate
        with pytest.raises(DatabaseError), transaction.atomic(using=db):
            Label.objects.using(db).create(name="undone")
            write(db)
    assert Project.objects.using(db).count() == 6
    assert tracker.through["acme"].leaked() == []


def test_reasons(tracker: Tracker, databases: None) -> None:
    """Of a whole transaction, or in a comment at each statement."""

    def commented(execute: Any, sql: str, *rest: Any) -> Any:
        return execute(f"{sql} /* reason='monthly%%20report' */", *rest)

    tracker.renew()
    events = Event.objects.using("of acme")
    with transaction.atomic(using="of acme"):
        with connections["of acme"].cursor() as cursor:
            cursor.execute("SET LOCAL querywarden.reason = 'it was asked for'")
        events.create(tenant_id=1, kind="first")
    with connections["of acme"].execute_wrapper(commented):
        events.create(tenant_id=1, kind="second")
    assert list(events.order_by("id").values_list("kind", flat=True)) == [
        "acme-canary", "first", "second"
    ]  # fmt: skip
