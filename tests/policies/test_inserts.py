"""INSERT, ON CONFLICT and MERGE: where their parts stand, what is proven of them, how many rows.

What a statement becomes is in tests/cases/insert.sql and merge.sql, with policies/writes/insert.py,
policies/writes/conflict.py, policies/writes/owned.py, policies/writes/settled.py,
policies/writes/unnested.py and policies/writes/merge.py.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import grammar
from policies.decision import Allow, Deny
from policies.pipeline import STEPS, Snapshot
from policies.reasons import Refusal
from policies.steps.prove import prove
from policies.writes.sources import find_source
from policies.writes.spans import region
from tests.policies.lab import CATALOG, SNAPSHOT, ask, begun

FOUND = [
    ("INSERT INTO public . t AS x (a, b) VALUES (1, f(2, 3)), (DEFAULT, '),(')",
     [[["1", "f(2, 3)"], ["DEFAULT", "'),('"]]]),
    ("INSERT INTO t (a) OVERRIDING SYSTEM VALUE ((SELECT 1 AS from, x.from IS DISTINCT FROM y))",
     [[["1 AS from", "x.from IS DISTINCT FROM y"]]]),
    ("INSERT INTO t (SELECT DISTINCT ON (a, b) 1 FROM c JOIN d ON conflict) ON CONFLICT DO NOTHING",
     [[["1"]]]),
    ("INSERT INTO t WITH a (x, y) AS NOT MATERIALIZED (SELECT 1, 2), b AS (SELECT 3) SELECT ALL 4",
     [[["4"]]]),
    ("INSERT INTO t SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY a), -- ,\n b FROM c",
     [[["percentile_disc(0.5) WITHIN GROUP (ORDER BY a)", "b"]]]),
    ("INSERT INTO t SELECT 1 UNION ALL (VALUES (2) LIMIT 1) EXCEPT TABLE b ORDER BY 1",
     [[["1"]], [["2"]], []]),
    ("INSERT INTO t VALUES (ARRAY[1, 2], (SELECT 1 FROM a UNION SELECT 2)) RETURNING 5",
     [[["ARRAY[1, 2]", "(SELECT 1 FROM a UNION SELECT 2)"]]]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "values"), FOUND)
def test_values_are_found(sql: str, values: list[list[list[str]]]) -> None:
    statement = begun(sql, "wes")
    place = statement.node["relation"]["location"]
    source = find_source(region(statement, place), statement.node, 0)
    found = [[[sql[i.start : i.end] for i in row] for row in leaf] for leaf in source.leaves]
    assert found == values


UPSERT = """INSERT INTO pairs (a, b, x) VALUES (1, 2, 'y') ON CONFLICT (a, b)
            DO UPDATE SET x = excluded.x, a = excluded.a WHERE pairs.x <> 'z'"""
MERGE = """MERGE INTO pairs p USING tags t ON p.a = t.id AND p.b = 1 AND p.x LIKE 'a%'
           WHEN MATCHED AND t.n > 1 THEN DELETE WHEN MATCHED AND t.n < 0 THEN DO NOTHING
           WHEN MATCHED THEN UPDATE SET x = t.x, org = $1
           WHEN NOT MATCHED AND t.x = 'y' THEN INSERT (a, b) VALUES (t.id, 1)"""
TAMPERED = [
    ("INSERT INTO pairs (a, b) VALUES (1, 2)", ', "org")', ', "x")'),
    ("INSERT INTO pairs (a, b) VALUES (1, 2)", "CAST('1' AS integer)", "CAST('2' AS integer)"),
    ("INSERT INTO pairs (a, b) VALUES (1, 2)", "CAST('1' AS integer)", "DEFAULT"),
    ("INSERT INTO pairs (a, b) VALUES (1, 2), (3, 4)", "(3, 4, CAST('1' AS integer))",
     "(3, 4, CAST('2' AS integer))"),
    ("INSERT INTO pairs (a, b) VALUES (1, 2), (3, 4)", "), (3, 4, CAST('1' AS integer))", ")"),
    ("INSERT INTO pairs (a, b) VALUES (1, 2)", "(1, 2", "(2, 1"),
    ("INSERT INTO pairs (a, b) VALUES (1, 2)", '"pairs"', '"jobs"'),
    ("INSERT INTO pairs VALUES (1, 2)", '("a", "b"', '("b", "a"'),
    ("INSERT INTO pairs VALUES (1, 2)", '"b"', '"y"'),
    ("INSERT INTO pairs DEFAULT VALUES", "'1'", "'2'"),
    ("INSERT INTO pairs (org) VALUES (DEFAULT)", "CAST('1' AS integer)", "DEFAULT"),
    ("INSERT INTO pairs (org) VALUES (1 + 1)", "CAST('1' AS integer)", "1 + 1"),
    ("INSERT INTO pairs (org) VALUES ('1')", "'1'", "'2'"),
    ("INSERT INTO pairs (org) VALUES ($1)", "THEN CAST('1' AS integer)", "THEN $1"),
    ("INSERT INTO pairs (org) VALUES ($1)", "($1)", "($2)"),
    ("INSERT INTO pairs (org) VALUES ($1)", "querywarden:0", "querywarden:1"),
    ("INSERT INTO pairs (org) VALUES ($1)", "pg_catalog.concat", "pg_catalog.lower"),
    ("INSERT INTO pairs (a, b) SELECT 1, 2 UNION SELECT 3, 4",
     "3, 4, CAST('1' AS integer)", "3, 4, CAST('2' AS integer)"),
    ("INSERT INTO pairs (a, b) SELECT id, 1 FROM t", """ WHERE r."org" = '1'""", ""),
    ("INSERT INTO pairs (a, org) SELECT id, t.org FROM t", "THEN CAST('1' AS integer)",
     "THEN t.org"),
    ("INSERT INTO pairs (a, org) SELECT * FROM unnest($1::int4[], $2::int4[])",
     'THEN CAST', 'THEN querywarden."2" + CAST'),
    ("INSERT INTO pairs (a, org) SELECT * FROM unnest($1::int4[], $2::int4[])",
     'querywarden("1", "2")', 'querywarden("2", "1")'),
    ("INSERT INTO pairs (a, org) SELECT * FROM unnest($1::int4[], $2::int4[])", "$2", "$1"),
    ("INSERT INTO jobs (title) VALUES ('x')", "IS NOT TRUE", "IS NULL"),
    ("INSERT INTO jobs (title) VALUES ('x') RETURNING mail", "RETURNING", "RETURNING secret,"),
    ("INSERT INTO tags (x) OVERRIDING USER VALUE VALUES ('x')", "USER", "SYSTEM"),
    (UPSERT, """"pairs"."org" = '1' AND""", ""),
    (UPSERT, "ELSE false", "ELSE true"),
    (UPSERT, "THEN ( pairs.x <> 'z'", "THEN ( true"),
    (UPSERT, "ON CONFLICT (a, b)", "ON CONFLICT (a)"),
    (UPSERT, "x = excluded.x", "x = excluded.y"),
    (UPSERT, 'THEN "pairs"."a"', "THEN excluded.a"),
    (UPSERT, "DO UPDATE SET", "DO UPDATE SET b = 5,"),
    ("INSERT INTO pairs (a) VALUES (1) ON CONFLICT (a, b) DO UPDATE SET x = 'y'",
     """WHERE "pairs"."org" = '1'""", ""),
    ("INSERT INTO pairs (a) VALUES (1) ON CONFLICT DO NOTHING", "ON CONFLICT DO NOTHING", ""),
    ("INSERT INTO pairs (a) VALUES (1)", "integer))",
     "integer)) ON CONFLICT (a, b) DO UPDATE SET x = 'y'"),
    (MERGE, """"p"."org" = '1' AND""", ""),
    (MERGE, "ELSE false", "ELSE true"),
    (MERGE, "p.x LIKE 'a%'", "true"),
    (MERGE, "t.n > 1", "true"),
    (MERGE, "DELETE", "DO NOTHING"),
    (MERGE, "t.n < 0 THEN DO NOTHING", "t.n < 0 THEN DELETE"),
    (MERGE, "x = t.x", "y = t.x"),
    (MERGE, "THEN CAST('1' AS integer)", "THEN $1"),
    (MERGE, "AND t.x = 'y'", ""),
    (MERGE, "WHEN NOT MATCHED AND", "WHEN NOT MATCHED BY SOURCE AND"),
    (MERGE, "(t.id, 1, CAST('1' AS integer))", "(t.id, 1, CAST('2' AS integer))"),
    (MERGE, '(a, b, "org")', '(a, "org", b)'),
    (MERGE, '"public"."tags" r', '"public"."jobs" r'),
    (MERGE, 'INTO "public"."pairs"', 'INTO ONLY "public"."pairs"'),
    (MERGE, "WHEN MATCHED THEN UPDATE", "WHEN MATCHED THEN DELETE WHEN MATCHED THEN UPDATE"),
    ("MERGE INTO jobs USING tags t ON jobs.id = t.id WHEN MATCHED THEN DELETE",
     "UPDATE SET \"died\" = CURRENT_TIMESTAMP", "DELETE"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "right", "wrong"), TAMPERED)
def test_a_tampered_text_is_refused(sql: str, right: str, wrong: str) -> None:
    statement = begun(sql, "wes")
    for step in STEPS:
        step(statement)
    text = statement.output.decode()
    assert right in text, text
    statement.output = text.replace(right, wrong, 1).encode()
    with pytest.raises(Refusal):
        prove(statement)


@pytest.mark.parametrize(
    ("sql", "bound"),
    [
        ("INSERT INTO tags (x) VALUES ('a'), ('b')", 2),
        ("INSERT INTO tags (x) VALUES (lower('A'))", 1),
        ("INSERT INTO tags DEFAULT VALUES", 1),
        ("INSERT INTO tags (n) VALUES (generate_series(1, 5))", None),
        ("INSERT INTO tags (n) VALUES (1 + unnest('{1,2}'::int4[]))", None),
        ("INSERT INTO tags (x) SELECT x FROM tags", None),
        ("INSERT INTO tags (x) SELECT x FROM tags LIMIT 3", 3),
        ("INSERT INTO tags (x) SELECT x FROM tags LIMIT 1001", None),
        ("INSERT INTO tags (x) SELECT x FROM tags LIMIT $1", None),
        ("INSERT INTO tags (x) SELECT x FROM tags ORDER BY 1 FETCH FIRST 1 ROW WITH TIES", None),
    ],
)
def test_rows_that_its_own_words_limit(sql: str, bound: int | None) -> None:
    decision = ask(sql, "wes")
    assert isinstance(decision, Allow), decision
    write = decision.statements[0].write
    assert write is not None and write.bound == bound and write.most == 1000


def test_the_next_number_is_not_taken_for_the_tenant() -> None:
    relations = tuple(
        replace(one, columns=tuple(replace(c, identity=c.name == "org") for c in one.columns))
        if one.name == "pairs"
        else one
        for one in CATALOG.relations
    )
    snapshot = Snapshot(SNAPSHOT.rules, replace(CATALOG, relations=relations), b"k" * 32, "v2")
    said = ask("INSERT INTO pairs (a) OVERRIDING USER VALUE VALUES (1)", "wes", snapshot)
    assert isinstance(said, Deny) and "OVERRIDING USER VALUE" in said.message
    said = ask("INSERT INTO pairs (a) OVERRIDING SYSTEM VALUE VALUES (1)", "wes", snapshot)
    assert isinstance(said, Allow)


def test_merge_looks_at_rows_only_where_it_gives_them_back() -> None:
    old = Snapshot(SNAPSHOT.rules, replace(CATALOG, server_version=160000), b"k" * 32, "v3")
    on = "MERGE INTO jobs j USING tags t ON j.id = t.id WHEN "
    said = ask(f"{on} NOT MATCHED THEN INSERT (title) VALUES ('x')", "wes", old)
    assert isinstance(said, Deny) and "MERGE cannot do here" in said.message
    said = ask(f"{on} MATCHED THEN UPDATE SET title = 'x'", "wes", old)
    assert isinstance(said, Deny)
    said = ask(
        "MERGE INTO tags USING pairs p ON tags.id = p.a WHEN MATCHED THEN DELETE", "wes", old
    )
    assert isinstance(said, Allow)


def test_the_least_limit_of_the_actions_holds() -> None:
    merge = """MERGE INTO jobs j USING tags t ON j.id = t.id
               WHEN MATCHED THEN UPDATE SET title = 'x'
               WHEN NOT MATCHED THEN INSERT (title) VALUES ('x')"""
    upsert = "INSERT INTO jobs (title) VALUES ('x') ON CONFLICT (id) DO UPDATE SET title = 'y'"
    for sql in (merge, upsert):
        decision = ask(sql, "wes")
        assert isinstance(decision, Allow)
        write = decision.statements[0].write
        assert write is not None
        assert (write.most, write.most_rule) == (2, "capabilities.work.update.jobs.rows")


def test_fields_written_are_those_the_client_gives_values_to() -> None:
    decision = ask("INSERT INTO pairs (a, b, org) VALUES (1, DEFAULT, $1)", "wes")
    assert isinstance(decision, Allow)
    assert decision.statements[0].facts.affected_fields == ("pairs.a",)


def test_every_row_is_one_tree() -> None:
    rows = ", ".join("($1, $2)" for _ in range(500))
    decision = ask(f"INSERT INTO tags (x, n) VALUES {rows}", "wes")
    assert isinstance(decision, Allow)
    _, node = grammar.parse_one(decision.text)
    assert len(node["selectStmt"]["SelectStmt"]["valuesLists"]) == 500
