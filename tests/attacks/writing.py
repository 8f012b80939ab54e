"""What a writing login may have changed, and what it did change: told by the superuser.

`look` reads everything; `damage` compares two looks with what the rules permit the login, read
straight from the rules file; `restore` puts everything back. Knows the tables of the two worlds and
nothing of how the proxy works.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.attacks.catalogue import HERE
from tests.attacks.wire_client import errors, rows
from tests.attacks.worlds import World

Row = Mapping[str, Any]

# Rows of tenant 1. Every other row of every table is foreign, and so are tables not named here.
_OWN = {
    "orgs": "id = 1",
    "users": "tenant_id = 1",
    "users_archive": "tenant_id = 1",
    "orders": "tenant_id = 1",
    "events_p1": "true",
    "products": "true",
    "notes": "tenant_id = 1",
    "tickets": "tenant_id = 1",
    "parcels": "tenant_id = 1",
    "codes": "tenant_id = 1",
    "trees": "tenant_id = 1",
    "dials": "tenant_id = 1",
}
_ENTITY = {"events_p1": "events", "users_archive": "users"}
_KEY = {"codes": "code"}
_GENERATED = {"notes": {"loud"}}
# What columns hold when nothing is said, as in world_writes.sql.
_DEFAULTS: dict[str, Row] = {
    "users": {"role": "member", "balance": 0, "created_at": "2024-01-01T00:00:00+00:00",
              "deleted_at": None, "prefs": {}},
    "orders": {"note": None, "created_at": "2024-02-02T00:00:00+00:00"},
    "notes": {"stars": 0, "mail": None, "gone": None},
    "tickets": {"state": "open", "owner_id": 1},
    "parcels": {"weight": 1},
}  # fmt: skip
_SECRET_DEFAULTS = {"ssn": ("111-10-0009", "900-00-0000"), "pin": re.compile("PINVAL-[089]|WBPIN")}
_NUMBERED = {"users": {"id"}, "notes": {"id", "serial"}, "tickets": {"id"}}
_MASKED = {"email": re.compile(r".?\*\*\*@"), "mail": re.compile(r".?\*\*\*@"),
           "full_name": re.compile(r"[0-9a-f]{16,}")}  # fmt: skip
_REFERENCES = {
    "orders": ("user_id", "users"),
    "notes": ("user_id", "users"),
    "trees": ("parent_id", "trees"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """Every row at one moment: digests of the foreign ones, the own ones as they are."""

    foreign: Mapping[str, str]
    own: Mapping[str, tuple[Row, ...]]
    places: str  # where every own row lies
    sequences: str


@dataclass(frozen=True, slots=True)
class May:
    """What a login may write of one table."""

    insert: frozenset[str] = frozenset()
    update: frozenset[str] = frozenset()
    delete: bool = False
    hard: bool = True


def permitted(login: str) -> dict[str, May]:
    """Table -> what the rules permit the login."""
    rules = yaml.safe_load((HERE / "rules_writing.yaml").read_text())
    (subject,) = (s for s in rules["subjects"] if s["login"] == login)
    found: dict[str, May] = {}
    for capability in (rules["capabilities"][c] for r in subject["roles"]
                       for c in rules["roles"][r]["can"] if c != "read"):  # fmt: skip
        for table in rules["entities"]:
            soft = "soft_delete" in rules["entities"][table]
            deletes = capability.get("delete", {}).get(table)
            found[table] = May(
                _columns(capability, "insert", table), _columns(capability, "update", table),
                deletes is not None, not soft or bool((deletes or {}).get("hard")),
            )  # fmt: skip
    return found


def _columns(capability: Mapping[str, Any], verb: str, table: str) -> frozenset[str]:
    return frozenset(capability.get(verb, {}).get(table, {}).get("columns", ()))


def look(world: World) -> Look:
    """Read everything."""
    parts, own = [], []
    for (name,) in rows(world.inspector.query(_TABLES)):
        table = (name or b"").decode()
        mine = _OWN.get(table, "false")
        parts.append(_FOREIGN.format(table, mine))
        if table in _OWN:
            own.append(_MINE.format(table, mine))
    answer = world.inspector.query(";".join([" UNION ALL ".join(parts), " UNION ALL ".join(own),
                                             _SEQUENCES]))  # fmt: skip
    assert not errors(answer), errors(answer)
    seen = [[(value or b"").decode() for value in row] for row in rows(answer)]
    mine = [row for row in seen if len(row) == 4]
    listed = {table: [json.loads(row[2]) for row in mine if row[1] == table] for table in _OWN}
    return Look(
        {row[0]: row[1] for row in seen if len(row) == 2},
        {table: tuple(sorted(some, key=repr)) for table, some in listed.items()},
        repr(sorted((row[1], row[3]) for row in mine)),
        repr([row for row in seen if len(row) == 3]),
    )


_TABLES = (
    "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.relnamespace ="
    " 'public'::regnamespace ORDER BY 1"
)
# Where a row lies and who wrote it: writing the same values again shows too.
_FOREIGN = (
    "SELECT '{0}', count(*) || ' ' || coalesce(md5(string_agg(concat(t.ctid, t.xmin, t::text),"
    " E'\\n' ORDER BY t.ctid)), '') FROM ONLY {0} t WHERE ({1}) IS NOT TRUE"
)
_MINE = "SELECT 'own', '{0}', to_jsonb(t), concat(t.ctid, t.xmin) FROM ONLY {0} t WHERE {1}"
_SEQUENCES = "SELECT 'sequence', sequencename, last_value FROM pg_sequences ORDER BY 2"


def damage(before: Look, after: Look, may: Mapping[str, May], sent: str) -> Iterator[str]:
    """Every change that the login was not permitted, one line each."""
    for table, digest in after.foreign.items():
        if before.foreign.get(table) != digest:
            yield f"foreign rows of {table} were changed"
    for table, now in after.own.items():
        yield from _Own(table, before, after, may, sent).damage(now)


@dataclass(slots=True)
class _Own:
    """The own rows of one table."""

    table: str
    before: Look
    after: Look
    permitted: Mapping[str, May]
    sent: str
    may: May = field(init=False)

    def __post_init__(self) -> None:
        self.may = self.permitted.get(_ENTITY.get(self.table, self.table), May())

    def damage(self, now: tuple[Row, ...]) -> Iterator[str]:
        known: dict[Any, list[Row]] = {}
        for row in self.before.own[self.table]:
            known.setdefault(self._key(row), []).append(row)
        kept = {self._key(row) for row in now}
        for row in now:
            old = known.get(self._key(row), [])
            if row in old:
                continue
            wrong = self._inserted(row) if not old else self._updated(old, row)
            if wrong:
                yield f"{self.table} {self._key(row)}: {wrong}"
        for key, old in known.items():
            if key not in kept:
                if not self.may.delete or not all(self._visible(row) for row in old):
                    yield f"{self.table} {key} was deleted"
                elif not self.may.hard:
                    yield f"{self.table} {key} was deleted for good"

    def _key(self, row: Row) -> Any:
        return row[_KEY.get(self.table, "id")]

    def _visible(self, row: Row) -> bool:
        if self.table == "tickets":
            return bool(row["owner_id"] == 1 and row["state"] != "draft")
        return row.get("gone") is None

    def _updated(self, old: list[Row], row: Row) -> str:
        if not all(self._visible(one) for one in old):
            return "was changed though it is not visible"
        changed = min(({c for c in row if row[c] != one[c]} for one in old), key=len)
        changed -= _GENERATED.get(self.table, set())
        if changed == {"gone"} and self.may.delete:
            return ""
        if not changed <= self.may.update:
            return f"{sorted(changed - self.may.update)} were changed"
        return self._as_written(row, changed)

    def _inserted(self, row: Row) -> str:
        if not self.may.insert:
            return "was inserted"
        for column in row.keys() - self.may.insert - {"tenant_id"} - {"loud"}:
            secret = _SECRET_DEFAULTS.get(column)
            if isinstance(secret, tuple):
                fine = row[column] in secret
            elif secret is not None:
                fine = secret.fullmatch(row[column]) is not None
            elif column in _NUMBERED.get(self.table, ()):
                fine = 700 <= row[column] < 5000
            else:
                fine = column in _DEFAULTS.get(self.table, {}) and (
                    row[column] == _DEFAULTS[self.table][column]
                )
            if not fine:
                return f"was inserted with {column} {row[column]!r}"
        return self._as_written(row, set(row))

    def _as_written(self, row: Row, columns: set[str]) -> str:
        """What must hold of a row that was written."""
        if not self._visible(row):
            return "is not visible as it was written"
        for column, output in _MASKED.items():
            value = str(row.get(column))
            if column in columns and output.match(value) and value not in self.sent:
                return f"holds what a mask showed: {column} {value}"
        reference, there = _REFERENCES.get(self.table, ("", ""))
        if reference in columns and row[reference] is not None:
            known = {self._key(other) for other in self.after.own[there]}
            if row[reference] not in known:
                return f"refers to the foreign {row[reference]} of {there}"
        return ""


def restore(world: World) -> None:
    """Put every row back, in its old order, as `keep` found it, and the sequences."""
    answer = world.inspector.query(_RESTORE)
    assert not errors(answer), errors(answer)


def keep(world: World) -> None:
    """Remember every row for `restore`, the first time."""
    answer = world.inspector.query(_KEEP)
    assert not errors(answer), errors(answer)


# The copies are temporary tables of the superuser's connection.
_KEEP = """
DO $$DECLARE t text; BEGIN
  CREATE TEMP TABLE IF NOT EXISTS kept_sequences AS
    SELECT * FROM pg_sequences WHERE schemaname = 'public';
  FOR t IN SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
  LOOP EXECUTE format('CREATE TEMP TABLE IF NOT EXISTS %I AS SELECT * FROM ONLY public.%I',
                        'kept_' || t, t);
  END LOOP; END$$
"""
_RESTORE = """
DO $$DECLARE t text; listed text; BEGIN
  PERFORM set_config('session_replication_role', 'replica', true);
  SELECT string_agg('public.' || quote_ident(relname), ', ') INTO listed
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace;
  EXECUTE 'TRUNCATE ' || listed;
  FOR t IN SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
  LOOP
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO listed FROM pg_attribute
      WHERE attrelid = ('public.' || quote_ident(t))::regclass AND attnum > 0
        AND NOT attisdropped AND attgenerated = '';
    EXECUTE format('INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %I',
                   t, listed, listed, 'kept_' || t);
  END LOOP;
  PERFORM setval(('public.' || quote_ident(sequencename))::regclass,
                 coalesce(last_value, start_value), last_value IS NOT NULL) FROM kept_sequences;
END$$
"""
