"""Hidden objects look like missing ones, and no number or parameter turns into a hidden name."""

from __future__ import annotations

import pytest

from tests.attacks.conftest import Worlds
from tests.attacks.conversation import ask, hold
from tests.attacks.wire_client import (
    Message,
    WireClient,
    bind,
    columns,
    describe,
    execute,
    parse,
    rows,
    sync,
)

REGPROC, REGCLASS, REGTYPE, REGROLE = 24, 2205, 2206, 4096


def oid_of(worlds: Worlds, expression: str) -> int:
    """An object's number, which is the same in both worlds."""
    found = [rows(w.inspector.query(f"SELECT {expression}::oid::int8"))[0][0] for w in worlds]
    assert found[0] == found[1]
    return int(found[0] or b"")


# -- types of parameters are chosen by the client, outside any text ------------------------------


@pytest.mark.parametrize(
    ("type_oid", "value"),
    [
        (REGCLASS, "'secrets'::regclass"),
        (REGTYPE, "'user_tier'::regtype"),
        (REGPROC, "'wipe'::regproc"),
        (REGROLE, "'agent'::regrole"),
    ],
    ids=["regclass", "regtype", "regproc", "regrole"],
)
def test_a_parameter_never_becomes_a_hidden_name(worlds: Worlds, type_oid: int, value: str) -> None:
    number = str(oid_of(worlds, value)).encode()

    def talk(client: WireClient) -> list[Message]:
        parts = parse("", "SELECT $1", [type_oid]), bind("", "", [number]), execute(""), sync()
        return ask(client, *parts)

    seen = hold(worlds, talk)
    assert not [v for row in rows(seen.messages) for v in row if v and not v.isdigit()]


@pytest.mark.parametrize("known", ["'pg_class'::regclass", "pg_typeof(1)"])
def test_a_parameter_takes_no_look_up_type_from_its_neighbour(worlds: Worlds, known: str) -> None:
    target = "'secrets'::regclass" if "class" in known else "'user_tier'::regtype"
    number = str(oid_of(worlds, target)).encode()
    hold(worlds, lambda c: c.extended(f"SELECT COALESCE($1, {known})", [number]))


@pytest.mark.parametrize("relation", ["users", "secrets"])
def test_a_row_type_as_parameter_names_no_hidden_column(worlds: Worlds, relation: str) -> None:
    row_type = oid_of(worlds, f"'{relation}'::regtype")

    def talk(client: WireClient) -> list[Message]:
        text = "SELECT (q.x).* FROM (SELECT $1) q(x)"
        return ask(client, parse("", text, [row_type]), describe("S", ""), sync())

    seen = hold(worlds, talk)
    described = [columns(message) for message in seen.messages if message.tag == b"T"]
    assert not {c.name for found in described for c in found} & {"ssn", "value", "key"}


def test_a_hidden_type_as_parameter(worlds: Worlds) -> None:
    tier = oid_of(worlds, "'user_tier'::regtype")

    def talk(client: WireClient) -> list[Message]:
        text = "SELECT $1"
        return ask(client, parse("", text, [tier]), bind("", "", [b"guess"]), execute(""), sync())

    hold(worlds, talk)


# -- what is hidden looks like what is missing ---------------------------------------------------

# A hidden name and a missing one of the same length, and texts with a place for either.
ALIKE = [
    *(
        ("secrets", "nothing", text)
        for text in (
            "SELECT * FROM {}",
            "SELECT * FROM public.{}",
            "SELECT '{}'::regclass",
            "SELECT 'public.{}'::regclass",
            "SELECT to_regclass('{}') IS NULL",
            "SELECT COALESCE('{}', 'pg_class'::regclass) IS NULL",
            "SELECT 'pg_class'::regclass IN ('{}')",
            'SELECT a IS NULL FROM jsonb_to_record(\'{{"a": "{}"}}\') AS r(a regclass)',
            "SELECT JSON_VALUE('\"{}\"', '$' RETURNING regclass) IS NULL",
            "SELECT '{}'::regtype",
            "SELECT to_regtype('{}') IS NULL",
            "SELECT COALESCE('{}', pg_typeof(1)) IS NULL",
            "SELECT NULL::{}",
            "SELECT '()'::{}",
            "SELECT pg_relation_size('{}')",
            "SELECT pg_get_serial_sequence('{}', 'id')",
            "SELECT count(*) FROM pg_class WHERE relname = '{}'",
            "SELECT count(*) FROM pg_tables WHERE tablename = '{}'",
            "SELECT count(*) FROM information_schema.tables WHERE table_name = '{}'",
            "SELECT '{}'::regnamespace",
            "INSERT INTO {} VALUES (1)",
            "SELECT * FROM {}()",
            "SELECT {}.id FROM products",
            "TABLE {}",
        )
    ),
    *(
        ("ssn", "nix", text)
        for text in (
            "SELECT {} FROM users",
            "SELECT users.{} FROM users",
            "SELECT (u).{} FROM users u",
            "SELECT u.{} FROM users u JOIN orders o ON o.user_id = u.id",
            "SELECT 1 FROM users ORDER BY {}",
            "SELECT 1 FROM users GROUP BY {}",
            "SELECT count(*) FROM users JOIN (SELECT 1 AS {}) x USING ({})",
            "SELECT count(*) FROM users NATURAL JOIN (SELECT '111-10-0001'::text AS {}) x",
            "SELECT count(*) FROM information_schema.columns WHERE column_name = '{}'",
            "SELECT count(*) FROM pg_attribute WHERE attname = '{}'",
            "SELECT {}(u) FROM users u",
            "SELECT to_jsonb(u) ? '{}' FROM users u",
        )
    ),
    *(
        ("user_tier", "user_tear", text)
        for text in (
            "SELECT 'basic'::{}",
            "SELECT '{}'::regtype",
            "SELECT to_regtype('{}') IS NULL",
            "SELECT pg_typeof(1) = '{}'",
            "SELECT COALESCE('{}', pg_typeof(1)) IS NULL",
            "SELECT {} 'basic'",
            "SELECT CAST(NULL AS {}[])",
            "SELECT count(*) FROM pg_type WHERE typname IN ('{}', '_{}')",
        )
    ),
    *(
        ("user_ssn", "user_xyz", text)
        for text in (
            "SELECT {}(11)",
            "SELECT '{}'::regproc",
            "SELECT to_regproc('{}') IS NULL",
            "SELECT count(*) FROM pg_proc WHERE proname = '{}'",
            "SELECT COALESCE('{}', typinput) IS NULL FROM pg_type LIMIT 1",
            "SELECT (1).{}",
        )
    ),
]


@pytest.mark.parametrize(
    ("hidden", "missing", "text"), ALIKE, ids=[t.format(*[h] * 3) for h, _, t in ALIKE]
)
def test_hidden_and_missing_look_alike(
    worlds: Worlds, hidden: str, missing: str, text: str
) -> None:
    def answer(name: str) -> list[tuple[bytes, bytes]]:
        seen = hold(worlds, lambda c: c.extended(text.format(*[name] * 3))).messages
        return [(m.tag, m.body.replace(name.encode(), b"NAME")) for m in seen]

    assert answer(hidden) == answer(missing)
