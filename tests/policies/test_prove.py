"""The proof refuses whatever a fault in the steps before it could have written."""

from __future__ import annotations

import pytest

from policies.pipeline import STEPS
from policies.reasons import Refusal
from policies.statement import Statement
from policies.steps.prove import prove
from tests.policies.lab import begun


def _written(sql: str, login: str = "ann") -> Statement:
    """A statement after every step but the proof."""
    statement = begun(sql, login)
    for step in STEPS:
        if step is not prove:
            step(statement)
    return statement


def _refused_with(wrong: str, right: str, statement: Statement) -> None:
    """As written it passes, with `wrong` in place of `right` it does not."""
    prove(statement)
    text = statement.output.decode()
    assert right in text
    statement.output = text.replace(right, wrong, 1).encode()
    with pytest.raises(Refusal):
        prove(statement)


TAMPERED = [
    # statement, what a fault writes instead of what
    ("SELECT id FROM t", """ WHERE r."org" = '1'""", ""),
    ("SELECT id FROM t", "'1'", "'2'"),
    ("SELECT id FROM t", '"org" = ', '"org" <> '),
    ("SELECT id FROM t", 'r."n", r."mood"', 'r."n", r."mood", r."secret"'),
    ("SELECT id FROM t", 'NULL::text AS "mail"', '"mail"'),
    ("SELECT id FROM t", '"public"."t"', '"public"."hidden"'),
    ("SELECT id FROM t", 'AS "t"', 'AS "s"'),
    ("SELECT id FROM t WHERE n > 1", " OFFSET 0", ""),
    ("SELECT id FROM t WHERE n > 1", "n > 1", "n > 1 OR true"),
    ("SELECT id FROM t WHERE n > 1", 'COALESCE(r."n", r."n") AS "n"', 'r."n"'),
    ("SELECT id FROM t WHERE n > 1", 'COALESCE(r."n", r."n")', 'COALESCE(r."n", r."secret")'),
    ("SELECT id FROM t WHERE n > 1 AND id = 5", 'AND r."id" = 5', 'AND r."id" = 6'),
    ("SELECT id FROM t WHERE n > 1 AND id = 5", 'AND r."id" = 5', 'OR r."id" = 5'),
    ("SELECT id FROM t WHERE n > 1 AND id = 5", 'AND r."id" = 5', 'AND r."n" > 1'),
    ("SELECT 1 FROM t u JOIN t v ON v.id = u.org AND v.n > 1 WHERE u.id = 5", "LATERAL ", ""),
    ("SELECT 1 FROM t u JOIN t v ON v.id = u.org AND v.n > 1 WHERE u.id = 5",
     '= "u"."org"', '= "u"."id"'),
    ("SELECT id FROM t WHERE n > 1", "n > 1", "n > 2"),
    ("SELECT id FROM t", "LIMIT 101", ""),
    ("SELECT id FROM t", "LIMIT 101", "LIMIT 1000"),
    ("SELECT id FROM t LIMIT 5", "LIMIT 5", "LIMIT 6"),
    ("SELECT id FROM t LIMIT 500", "LIMIT 101", "LIMIT 500"),
    ("SELECT id FROM t LIMIT $1", ", 101", ", 1000"),
    ("SELECT id FROM t LIMIT $1", "LEAST", "GREATEST"),
    ("SELECT id FROM t LIMIT $1", "$1", "$2"),
    ("SELECT id FROM t LIMIT $1", "pg_catalog.int8", "pg_catalog.int4"),
    ("SELECT id FROM s ORDER BY id FETCH FIRST 1 ROWS WITH TIES", "LIMIT 101", "LIMIT 102"),
    ("SELECT 1 ORDER BY 1 FETCH FIRST 1 ROW WITH TIES", "SELECT * FROM (", "SELECT 1 FROM ("),
    ("SELECT col_description(c.oid, c.relname) FROM pg_class c", '("c"."relname")', '("c"."oid")'),
    ("SELECT pg_get_expr(c.relname, c.oid) FROM pg_class c", "NOT EXISTS", "EXISTS"),
    ("SELECT pg_get_userbyid(1)", "CURRENT_USER", "'postgres'"),
    ("SELECT tableoid FROM pg_class", "r.tableoid AS", "r.relowner AS"),
    ("SELECT oid FROM pg_class", "SELECT r.", "SELECT r.tableoid, r."),
    ("SELECT to_regclass($1)", "ELSE false", "ELSE true"),
    ("SELECT to_regtype($1) = 5", "::pg_catalog.oid = 5", " = 5"),
    ("SELECT has_schema_privilege($1, 'USAGE')", "'public'", "'private'"),
    ("SELECT 1 FROM pg_show_all_settings()", "lower(s.name) IN", "lower('ssl') IN"),
    ("SELECT COALESCE('20007', 's'::regclass)", "::pg_catalog.oid", ""),
    ("SELECT COALESCE('20007', pg_typeof(1))", "::pg_catalog.oid", ""),
    ("SELECT c.oid::regclass FROM pg_class c", "::pg_catalog.text", ""),
    ("SELECT 's'::regclass", ' AS "regclass"', ' AS "oid"'),
    ("SELECT relid FROM pg_partition_ancestors(1)", "WHERE false", "WHERE true"),
    ("SELECT lower('A')", "pg_catalog.", ""),
    ("SELECT lpad(a, $1) FROM t", "numeric(5,0)", "numeric(9,0)"),
    ("SELECT lpad(a, $1) FROM t", "::pg_catalog.numeric(5,0)", ""),
    ("SELECT lpad(a, $1) FROM t", "$1", "$2"),
    ("SELECT oid::regtype[] FROM pg_class", "e.v < 16384 OR", "true OR"),
    ("SELECT oid::regtype[] FROM pg_class", "THEN e.v END", "THEN e.v ELSE e.v END"),
    ("SELECT oid::regtype[] FROM pg_class", "::pg_catalog.text[]", ""),
    ("SELECT max(oid::regtype[]) FROM pg_class", "::pg_catalog.oid[])", "::pg_catalog.text[])"),
    ("SELECT has_table_privilege(a, 'SELECT') FROM t", "ELSE false", "ELSE true"),
    ("SELECT has_table_privilege(a, 'SELECT') FROM t", "(SELECT (a)::", "(SELECT (mail)::"),
    ("SELECT has_schema_privilege(a, 'USAGE') FROM t", "'public'", "'private'"),
    ("SELECT 1 FROM pg_partition_tree(1)", "WHERE false", "WHERE true"),
    ("SELECT repeat(a, id) FROM t", "( id\n)::pg_catalog.int4::pg_catalog.numeric(5,0)", "id"),
    ("SELECT (a || 'x')::regtype FROM t", "to_regtype", "to_regclass"),
    ("SELECT (a || 'x')::regtype FROM t", "< 16384 OR", "< 99999 OR"),
    ("SELECT unnest(1, 2)", "pg_catalog.", ""),
    ("SELECT lower('A')", "pg_catalog.", "public."),
    ("SELECT t.id, t.a FROM t GROUP BY t.id", '"t"."a", ', '"t"."n", '),
    ("SELECT t.id FROM t GROUP BY t.id", "GROUP BY t.id", "GROUP BY t.a, t.id"),
    ("SELECT id FROM s TABLESAMPLE system(1)", "system(1)", "system(2)"),
    ("SELECT id FROM s TABLESAMPLE system(1)", "system", "bernoulli"),
    ("SELECT id FROM s TABLESAMPLE system(1) REPEATABLE (2)", "REPEATABLE (2)", ""),
    ("SELECT id FROM s TABLESAMPLE system(1)", "TABLESAMPLE system(1)", ""),
    ("SELECT id FROM s TABLESAMPLE system(1)", '"s" r', '"t" r'),
    ("SELECT id FROM s TABLESAMPLE system(1)", "(1))", "(1) WHERE r.id > 1)"),
    ("SELECT id FROM s", '"s" r', '"s" r TABLESAMPLE system (1)'),
    ("SELECT id FROM t", '"t" r', '"t" r TABLESAMPLE system (1)'),
    ("SELECT x.id FROM s x", '(SELECT r."id", r."x" FROM "public"."s" r)', "s"),
    ("WITH s AS (SELECT 1) TABLE public.s",
     '(SELECT r."id", r."x" FROM "public"."s" r)', "public.s"),
    ("SELECT pg_get_viewdef(c.oid) FROM pg_class c", "WHERE false", "WHERE true"),
    ("SELECT c.oid::regclass FROM pg_class c", "20005", "20007"),
    ("SELECT c.oid::regclass FROM pg_class c", "(c.oid)", "(20007)"),
    ("SELECT relname FROM pg_class", "20001,", ""),
    ("SELECT 1", "1\n", "1, 2\n"),
    ("SELECT 'a'", "'a'", "'b'"),
    ("SELECT id FROM s -- x", "-- x\n", "-- x "),
    ("SELECT 1", "LIMIT 101", "LIMIT 101; SELECT 2"),
    ("SELECT 1", "SELECT 1", "DELETE FROM s --"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "right", "wrong"), TAMPERED)
def test_a_tampered_text_is_refused(sql: str, right: str, wrong: str) -> None:
    _refused_with(wrong, right, _written(sql))


LOCKING = [
    ("SELECT id FROM t FOR UPDATE", "FOR UPDATE", ""),
    ("SELECT id FROM t FOR SHARE", "SHARE", "UPDATE"),
    ("SELECT id FROM t FOR UPDATE NOWAIT", "NOWAIT", "SKIP LOCKED"),
    ("SELECT t.id FROM t, s FOR UPDATE OF t", "OF t", "OF s"),
    ("SELECT t.id FROM t, s FOR UPDATE OF t", "OF t", ""),
    ("SELECT id FROM t", "LIMIT 101", "LIMIT 101 FOR UPDATE"),
    ("SELECT id FROM t FOR UPDATE", "'1')", "'1' FOR UPDATE)"),
    ("SELECT id FROM t FOR UPDATE OF t", """ WHERE r."org" = '1'""", ""),
    ("SELECT id FROM t WHERE EXISTS (SELECT FROM own FOR SHARE)", "OFFSET 0", ""),
]


@pytest.mark.parametrize(("sql", "right", "wrong"), LOCKING)
def test_a_lock_is_neither_added_nor_changed(sql: str, right: str, wrong: str) -> None:
    _refused_with(wrong, right, _written(sql, "kim"))


CALLING = [
    ("SELECT total(1)", '"public".total', '"private".total'),
    ("SELECT total(1)", '"public".total', "pg_catalog.total"),
    ("SELECT total(1)", '"public".total', "total"),
    ("SELECT total(1)", '"public".total', '"public".wild'),
    ("SELECT private.total(1)", "private.total", "public.total"),
    ("SELECT lower('a')", "pg_catalog.lower", "public.lower"),
    ("SELECT who FROM own WHERE total(who) > 1", " OFFSET 0", ""),
]


@pytest.mark.parametrize(("sql", "right", "wrong"), CALLING)
def test_a_function_of_the_database_is_the_one_that_was_meant(
    sql: str, right: str, wrong: str
) -> None:
    _refused_with(wrong, right, _written(sql, "kim"))


def test_a_view_put_where_the_client_wrote_one_by_hand_changes_nothing() -> None:
    """A client cannot fake a policy view: its own derived table names the relation again."""
    statement = _written('SELECT * FROM (SELECT r."id", r."x" FROM "public"."s" r) AS "s"')
    prove(statement)
    assert statement.output.decode().count('"public"."s"') == 1
