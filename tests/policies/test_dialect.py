"""The plainer spelling: same length, same structure, nothing sqlglot trips over."""

from __future__ import annotations

import pytest
from sqlglot import exp

from policies import dialect, functions

SPELLED = [
    ("f($1,$2)", "f(11,12)"),
    ("a <-> b", "a -   b"),
    ("'it''s' || $q$ ' $q$", "'xxxxx' -  'xxxxxxx'"),
    ("E'\\'' = U&'!0041'", "'xxx' = 'xxxxxxx'"),
    ("1 /* , */ -- end", "1                "),
    ("x::int4[]", "x::int4  "),
    ("date_part('year', a)", None),
    ("ONLY (t)", "ONLY  t "),
    ("TABLE t", "FROM  t"),
    ("é = 1", "xx = 1"),
    ("0x1F + 1_000", "1111 + 11111"),
    ("(a) OVERRIDING SYSTEM VALUE VALUES (1, DEFAULT)",
     "(a)                         VALUES (1, NULL   )"),
    ("RETURNING a, b", "RETURNING a, b"),
    ("JSON_VALUE(a RETURNING int4)", "xxxxxxxxxx(a               )"),
    ("THEN INSERT (a) VALUES (b)", "THEN INSERT (a) VALUES (b)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SPELLED)
def test_plain_keeps_every_byte_in_its_place(text: str, expected: str | None) -> None:
    spelled = dialect.plain(text.encode())
    assert len(spelled) == len(text.encode())
    if expected is not None:
        assert spelled.rstrip() == expected.rstrip()


def test_a_function_sqlglot_would_check_loses_its_name() -> None:
    assert dialect.plain(b"SELECT to_char(a)") == "SELECT xxxxxxx(a)"
    assert dialect.plain(b"SELECT extract(year FROM a)") == "SELECT extract(year FROM a)"


def test_tables_carry_their_places() -> None:
    table = dialect.tree("SELECT * FROM public.users u").find(exp.Table)
    assert table is not None
    assert (table.args["db"].meta["start"], table.this.meta["end"]) == (14, 25)


@pytest.mark.parametrize("text", ["SELECT (", "SELECT 1; SELECT 2", "", "SELECT 'x"])
def test_what_is_not_one_statement_is_unparsed(text: str) -> None:
    with pytest.raises(dialect.Unparsed):
        dialect.tree(text)


def test_dangerous_functions_are_on_no_list() -> None:
    known = functions.ALLOWED | functions.GUARDED.keys() | functions.PRIVILEGES.keys()
    dangerous = """
        pg_sleep pg_read_file pg_ls_dir lo_import lo_export dblink query_to_xml cursor_to_xml
        database_to_xml set_config current_setting current_query pg_terminate_backend
        pg_cancel_backend pg_reload_conf pg_advisory_lock nextval setval currval lastval ts_stat
        txid_current pg_notify has_column_privilege has_parameter_privilege
        pg_stat_file pg_logical_emit_message inet_server_addr
        currtid2 pg_stat_get_activity pg_export_snapshot
        json_populate_record jsonb_populate_recordset xpath xmlparse xmltable array_fill
    """.split()
    assert not known.intersection(dangerous)


def test_privileges_are_asked_only_of_what_was_found_by_a_guard() -> None:
    plain = functions.ALLOWED | functions.GUARDED.keys()
    assert [name for name in plain if "privilege" in name or "role" in name] == []
