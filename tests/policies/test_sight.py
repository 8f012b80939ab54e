"""What is seen of what a definition names, and the SQL of guards and system views."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import grammar
from policies.catalog import Catalog, Default, Index, Relation, Sequence, UserType
from policies.guards import companion_of, guard_of
from policies.hidden_columns import named
from policies.infoschema import INFORMATION_SCHEMA
from policies.reasons import Refusal
from policies.sight import Sight, sight
from policies.statement import Reading
from policies.sysview import SystemView, blank, everything, named_rows
from tests.policies.lab import CATALOG, allowed, refused

T = next(relation for relation in CATALOG.relations if relation.name == "t")
OPEN = frozenset({"id", "a", "mood"})


def look(relation: Relation, **catalog: object) -> Sight:
    changed: Catalog = replace(CATALOG, relations=(relation,), **catalog)  # type: ignore[arg-type]
    return sight([(relation, OPEN)], changed)


@pytest.mark.parametrize(
    ("needs", "seen"),
    [
        ((), True),
        ((("type", 16500, 0),), True),  # of a column that is seen
        ((("type", 16501, 0),), False),
        ((("relation", 20001, 3),), True),
        ((("relation", 20001, 5),), False),
        ((("relation", 20007, 0),), False),
        ((("function", 16600, 0),), False),
        ((("other", 16700, 0),), False),
    ],
)
def test_an_object_is_seen_when_all_its_definition_names_is(
    needs: tuple[tuple[str, int, int], ...], seen: bool
) -> None:
    found = look(
        replace(
            T,
            indexes=(Index(1, "i", (3,), needs=needs),),
            defaults=(Default(2, 3, (), needs), Default(3, 5)),
        )
    )
    assert (1 in found.indexes) == seen
    assert (2 in found.defaults) == seen
    assert (("public", "t", "a") in found.default_names) != seen
    assert 3 not in found.defaults  # of a column that is not


def test_a_default_that_reads_a_hidden_column_is_hidden() -> None:
    assert look(replace(T, defaults=(Default(2, 3, (5,)),))).defaults == frozenset()


def test_a_sequence_is_seen_with_the_column_that_owns_it() -> None:
    found = look(
        T,
        sequences=(
            Sequence(1, "public", "a", 20001, 1),
            Sequence(2, "public", "b", 20001, 5),
            Sequence(3, "public", "c"),
        ),
    )
    assert found.sequences == {1}
    assert found.sequence_names == {("public", "a")}
    assert 1 in found.classes


def test_the_rows_behind_a_type_are_seen_with_it() -> None:
    pair = UserType(16500, "public", "mood", "c", relation=16550)
    assert look(T, types=(pair,)).composites == {16550}


def test_kinds_of_guards_are_known() -> None:
    with pytest.raises(ValueError, match="unknown guard"):
        Sight().guard("tables", "x")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("col_description(c.oid, a.attnum)", ("column", "a")),
        ("col_description(c.oid, attnum)", ("column", "attnum")),
        ("col_description(a.b.c, s.a.attnum)", ("column", "a")),
        ("col_description(c.oid, 5)", ("system", "")),
        ("col_description(c.oid, g.c)", ("system", "")),
        ("col_description(c.oid, s.g.c)", ("system", "")),
        ("col_description(c.oid, $1)", ("system", "")),
        ("col_description(c.oid, g.n)", ("system", "")),
        ("col_description(c.oid, oid)", ("system", "")),
        ("col_description(c.oid, a.attnum + 1)", ("system", "")),
        ("pg_get_expr(d.adbin, d.adrelid)", ("expression", "d")),
        ("pg_get_expr(lower(x)::pg_node_tree, d.adrelid)", ("system", "")),
        ("obj_description(oid)", ("system", "")),
        ("obj_description(oid, 'pg_class')", ("relation", "")),
        ("obj_description(oid, 'pg_trigger')", ("system", "")),
        ("has_table_privilege(c.oid, 'SELECT')", ("relation", "")),
        ("has_table_privilege('users', 'SELECT')", ("relation_name", "")),
        ("has_schema_privilege(CURRENT_USER, n.nspname, 'USAGE')", ("schema_name", "")),
    ],
)
def test_the_guard_of_a_call(call: str, expected: tuple[str, str]) -> None:
    node = grammar.parse_expression(call)["FuncCall"]
    guard = guard_of(node)
    assert guard is not None
    companion = companion_of(node, guard)
    first = grammar.names(companion["ColumnRef"]["fields"])[0] if companion else ""
    assert (guard.kind, first) == expected


@pytest.mark.parametrize("call", ["has_table_privilege('x', 't', 'SELECT')", "pg_has_role('x')"])
def test_privileges_of_others_are_not_told(call: str) -> None:
    with pytest.raises(Refusal):
        guard_of(grammar.parse_expression(call)["FuncCall"])


def test_hidden_columns_of_system_tables() -> None:
    assert named(Reading(columns=[("c", "tableoid")]), {}, CATALOG) == frozenset()
    assert 'r.tableoid AS "tableoid"' in allowed("SELECT c.tableoid FROM pg_class c")
    assert "r.tableoid" not in allowed("SELECT c.oid FROM pg_class c")
    for of_others in ("SELECT t.tableoid, * FROM t", "SELECT t.xmin, t.*, oid FROM t, pg_class c"):
        assert "r.tableoid" not in allowed(of_others)
    assert "r.tableoid" in allowed("SELECT c.tableoid, t.* FROM pg_class c, t")
    for beside in ("*, c.tableoid", "c, tableoid", "c.*, tableoid"):
        assert refused(f"SELECT {beside} FROM pg_class c").reason.code == "UNSUPPORTED_SYNTAX"


def test_columns_of_a_system_view() -> None:
    view = SystemView(everything, {"a": "1", "b": lambda s: str(len(s.types))}, frozenset({"c"}))
    assert [view.column(name, Sight()) for name in "abcd"] == ["1", "0", None, blank("d")]
    assert INFORMATION_SCHEMA["views"].column("view_definition", Sight()) is not None


def test_names_are_matched_row_by_row() -> None:
    assert named_rows("s t", []) == "false"
    assert named_rows("s t", [("a", "b'")]) == (
        "(s::pg_catalog.text, t::pg_catalog.text) IN (('a','b'''))"
    )
