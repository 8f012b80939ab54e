"""Twin databases that differ in everything a subject may not see answer the same.

One database stands for both: it is asked, the hidden objects are created, it is asked again. What
is asked: every column of every system relation, every guarded function for every OID there is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from policies import functions, syscat
from policies.decision import Allow
from policies.pipeline import Snapshot, decide
from policies.rules import RuleSet, parse
from proxy.introspect import read_catalog
from proxy.testing import PostgresServer

HERE = Path(__file__).parent
RULES = """
version: 1
profile: dev
entities:
  orgs: {columns: {"zqx_*": deny}}
  users: {columns: {"zqx_*": deny}}
  notes: {}
  child: {}
  parent: {}
  moods: {}
  totals: {}
  events: {table: shop.events}
  events_2024: {table: shop.events_2024}
functions: {twice: {function: shop.twice}}
capabilities:
  browse:
    select: [orgs, users, notes, child, parent, moods, totals, events, events_2024]
    call: [twice]
roles: {reader: {can: [browse]}}
subjects: [{login: ann, roles: [reader]}]
"""
NAMES = (
    "users", "public.users", "orgs", "notes", "zqx_secrets", "zqx_schema.users", "zqx_view",
    "zqx_sequence", "users_id_seq", "orgs_id_seq", "users_zqx_serial_seq", "zqx_users",
    "users_pkey", "zqx_function", "zqx_mood", "mood", "zqx_role", "twins_app", "postgres",
    "zqx_schema", "shop", "public", "zqx_search", "english", "zqx_server", "nothing",
)  # fmt: skip
_COLUMNS = ("id", "name", "zqx_ssn", "zqx_serial", "org_id", "nothing")
# Of arguments beyond the one guarded: one value, or several, for every function.
_REST = {
    "acldefault": ("'r'::\"char\", {}",),
    "col_description": ("{}, n",),
    "obj_description": ("{}", "{}, 'pg_class'", "{}, 'pg_proc'", "{}, 'pg_type'",
                        "{}, 'pg_constraint'", "{}, 'pg_namespace'", "{}, 'pg_trigger'"),
    "shobj_description": ("{}, 'pg_authid'",),
    "format_type": ("{}, NULL",),
    "pg_describe_object": ("1259, {}, 0",),
    "pg_get_function_arg_default": ("{}, 1",),
    "pg_index_has_property": ("{}, 'clusterable'",),
    "pg_index_column_has_property": ("{}, 1, 'asc'",),
    "pg_indexam_has_property": ("{}, 'can_order'",),
    "pg_get_indexdef": ("{}", "{}, 1, true"),
    "pg_get_constraintdef": ("{}", "{}, true"),
    **{name: ("{}, 'SELECT'",) for name in functions.PRIVILEGES},
    "has_function_privilege": ("{}, 'EXECUTE'",),
    "has_language_privilege": ("{}, 'USAGE'",),
    "has_schema_privilege": ("{}, 'USAGE'",),
    "has_database_privilege": ("{}, 'CONNECT'",),
    "has_tablespace_privilege": ("{}, 'CREATE'",),
    "has_type_privilege": ("{}, 'USAGE'",),
    "pg_has_role": ("{}, 'MEMBER'",),
}  # fmt: skip
_BY_NAME = {"pg_get_expr", "pg_get_serial_sequence", "to_regclass", "to_regtype"}  # below
_SETS = {"pg_partition_ancestors", "pg_partition_tree", "ts_token_type"}
_CLOCK = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d+-]*")


def statements(oids: tuple[int, int]) -> Iterator[str]:
    """Everything that is asked."""
    for schema, name in sorted(syscat.SYSTEM_VIEWS):
        yield f"SELECT v::text FROM {schema}.{name} AS v ORDER BY 1"
    for name in ("pg_class", "pg_attribute", "pg_proc", "pg_constraint", "pg_namespace"):
        yield f"SELECT tableoid, xmin, count(1) FROM {name} GROUP BY 1, 2"
    number = f"generate_series({oids[0]}, {oids[1]}) x"
    every = f"(SELECT g::oid AS oid FROM {number.replace('x', 'g')}) s"
    for name in sorted(functions.GUARDED.keys() | functions.PRIVILEGES.keys()):
        for rest in _REST.get(name, ("{}",)):
            numbers = ", generate_series(0, 20) n" if "n" in rest.split(", ") else ""
            call = f"{name}({rest.format('s.oid')})"
            if name not in _BY_NAME:
                where = "" if name in _SETS else f" WHERE {call} IS NOT NULL"
                yield f"SELECT s.oid, {call} FROM {every}{numbers}{where}"
    yield (
        "SELECT c.relname, pg_get_expr(d.adbin, c.oid) FROM pg_attrdef d, pg_class c "
        "WHERE c.oid > 16383 ORDER BY 1, 2"
    )
    yield "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint ORDER BY 1"
    yield (
        "SELECT pg_get_expr(i.indpred, c.oid) FROM pg_index i, pg_class c "
        "WHERE c.oid > 16383 ORDER BY 1"
    )
    for kind in ("regclass", "regtype", "regproc", "regprocedure", "regoper", "regoperator",
                 "regnamespace", "regcollation", "regdictionary"):  # fmt: skip
        yield f"SELECT s.oid, s.oid::{kind} FROM {every} WHERE (s.oid::{kind})::oid IS NOT NULL"
    for named in NAMES:
        yield f"SELECT to_regclass('{named}')::oid, to_regtype('{named}')::oid"
        yield f"SELECT '{named}'::regclass::oid"
        yield f"SELECT to_tsvector('{named}'::regconfig, 'x')"
        for name, (_, by_name) in functions.PRIVILEGES.items():
            rest = _REST[name][0].format(f"'{named}'")
            if by_name:
                yield f"SELECT {name}({rest})"
                yield f"SELECT {name}(CURRENT_USER, {rest})"
                yield f"SELECT {name}('{named}', {rest})"
        for column in _COLUMNS:
            yield f"SELECT pg_get_serial_sequence('{named}', '{column}')"
    yield "SELECT * FROM pg_show_all_settings() ORDER BY 1"


def answer(
    text: str, rules: RuleSet, snapshot: Snapshot, connection: psycopg.Connection[Any]
) -> object:
    """What a client gets."""
    subject = rules.subject("ann")
    assert subject is not None
    decision = decide(text.encode(), subject, snapshot)
    if not isinstance(decision, Allow):
        return decision.reason.code, decision.message, decision.hint, decision.fault
    try:
        return [
            tuple(_CLOCK.sub("TIME", v) if isinstance(v, str) else v for v in row)
            for row in connection.execute(decision.text).fetchall()
        ]
    except psycopg.Error as error:
        return error.sqlstate, str(error)


@pytest.fixture(scope="module")
def answers(postgres: PostgresServer) -> Iterator[dict[str, list[object]]]:
    """Statement -> what was answered by the one twin and by the other."""
    owner = postgres.create_database("twins", HERE / "twins.sql")
    dsn = postgres.dsn("twins", "twins_app")
    rules = parse(RULES, "rules.yaml")
    found: dict[str, list[object]] = {}
    with (
        psycopg.connect(owner, autocommit=True) as admin,
        psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection,
    ):
        first = admin.execute("SELECT min(oid::int8) FROM pg_class WHERE oid > 16383").fetchone()
        assert first is not None
        lowest = max(16384, first[0] - 20)
        for script in (None, HERE / "twins_hidden.sql"):
            if script is not None:
                postgres.execute("twins", script)
            snapshot = Snapshot(rules, asyncio.run(read_catalog(dsn)), b"k" * 32, "v1")
            for text in statements((lowest, lowest + 600)):
                found.setdefault(text, []).append(answer(text, rules, snapshot, connection))
        highest = admin.execute("SELECT max(oid::int8) FROM pg_class").fetchone()
        assert highest is not None and highest[0] < lowest + 600
    yield found
    postgres.drop_database("twins")
    for role in ("zqx_role", "zqx_group", "twins_app"):
        postgres.execute("postgres", f"DROP ROLE {role}")


def test_both_answer_the_same(answers: dict[str, list[object]]) -> None:
    unlike = {text: pair for text, pair in answers.items() if pair[0] != pair[1]}
    assert unlike == {}


def test_nothing_hidden_is_named(answers: dict[str, list[object]]) -> None:
    asked = [text for text in answers if "zqx_" not in text]
    assert [text for text in asked if "zqx_" in str(answers[text][1])] == []


def test_the_proxy_is_at_fault_nowhere(answers: dict[str, list[object]]) -> None:
    assert [t for t, pair in answers.items() if "INTERNAL_ERROR" in str(pair[0])] == []


def test_what_is_seen_is_there(answers: dict[str, list[object]]) -> None:
    def answered(view: str) -> str:
        return str(answers[f"SELECT v::text FROM {view} AS v ORDER BY 1"][1])

    for view, names in {
        "pg_catalog.pg_proc": "twice",
        "pg_catalog.pg_class": "users_id_seq users_lower pair events_2024 totals",
        "pg_catalog.pg_attrdef": "VAR",
        "pg_catalog.pg_description": "people full how.one.is for.search doubles",
        "information_schema.table_constraints": "users_email_key users_org_id_fkey",
        "information_schema.columns": "nextval upper(name) 'ok'::mood",
        "information_schema.check_constraints": "users_email_check short_check",
        "information_schema.routines": "twice",
        "pg_catalog.pg_partitioned_table": "r,1",
    }.items():
        seen = answered(view)
        assert [name for name in names.split() if name.replace(".", " ") not in seen] == [], view
