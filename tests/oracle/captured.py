"""Captured statements as designs: tables they need, rows they find, a tenant beside each row.

Every table gets a column `tenant_id` and rows of two tenants; the subject is one of them. What the
derivation of tables got wrong is mended by asking PostgreSQL, until it has nothing left to say that
is understood. Statements it still refuses fail on both sides and are counted so.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import corpora
from policies import grammar
from proxy.testing import PostgresServer
from tests.oracle.derive import Derived, Place, Table
from tests.oracle.grammar import Statement
from tests.oracle.world import LOGIN, Design

CORPORA = ("tpch", "tpcds", "job", "orm", "clients", "sqleval", "llm_bird")
TENANT, ROWS, ROUNDS = 1, 60, 12
_VALUES = {
    "integer": ["1", "2", "3", "5", "7", "10", "30"],
    "numeric": ["0.50", "1.00", "2.50", "10.00", "99.99"],
    "text": ["a", "b", "red", "x1", "Smith", "10"],
    "boolean": ["t", "f"],
    "date": ["2000-05-01", "2001-01-15", "2023-04-02", "1998-12-01"],
    "timestamp": ["2000-05-01 10:00:00", "2023-04-02 00:00:00", "1998-12-01 23:30:00"],
    "uuid": ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-00000000000a"],
    "jsonb": ['{"a": 1, "k": "v"}', "[1, 2]", "{}"],
    "text[]": ["{a,b}", "{}", "{x}"],
    "integer[]": ["{1,2}", "{}", "{3}"],
    "regconfig": ["simple", "english"],
}
_OPERATOR = re.compile(r"operator does not exist: (.+?) \S+ (.+)$")
_MISSING = re.compile(r'column "?([^" ]+?)"? does not exist')
_FUNCTION = re.compile(r"function (?:pg_catalog\.)?(\w+)\((.*)\) does not exist")
_BY_FUNCTION = {
    "timestamp": ("extract", "date_part", "date_trunc", "age", "to_char", "timezone"),
    "numeric": ("sum", "avg", "round", "abs", "stddev", "percentile_cont"),
    "text": ("lower", "upper", "substring", "left", "length", "btrim", "like_escape", "strpos",
             "split_part", "replace", "concat", "regexp_replace", "to_date", "string_agg"),
    "jsonb": ("jsonb_extract_path_text", "jsonb_array_length", "jsonb_exists"),
    "text[]": ("unnest", "array_length", "cardinality"),
}  # fmt: skip
_PLAIN = {
    "bigint": "integer", "smallint": "integer", "character varying": "text", "unknown": "text",
    "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamp",
    "double precision": "numeric", "real": "numeric", "character": "text",
    "character varying[]": "text[]", "bigint[]": "integer[]", "interval": "timestamp",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Statements that belong to one database."""

    name: str
    texts: tuple[str, ...]


def groups(directory: Path = corpora.DIRECTORY) -> Iterator[Group]:
    """The captured SELECTs that read tables of their own, by database; each text once."""
    for corpus in CORPORA:
        by_database: dict[str, dict[str, None]] = {}
        for text, database in corpora.selects_by_database(corpus, directory):
            if _reads_tables_only(text):
                by_database.setdefault(database or corpus, {})[text] = None
        for database, texts in by_database.items():
            name = corpus if database == corpus else f"{corpus} {database}"
            yield Group(name, tuple(texts))


def _reads_tables_only(text: str) -> bool:
    found = corpora.relations([text])
    return bool(found) and not any(
        schema in corpora.SYSTEM or name.startswith("pg_") for schema, name in found
    )


class Application:
    """The tables of a group, their types mended until its statements are understood."""

    def __init__(self, group: Group, server: PostgresServer) -> None:
        self.group = group
        self._derived = Derived(group.texts)
        self._types: dict[Place, str] = {
            (table, column): self._derived.type_of((table, column))
            for table, columns in self._derived.columns.items()
            for column in columns
            if column and column != "tenant_id"
        }
        for table in self._derived.columns:
            self._types[table, "tenant_id"] = "integer"
        self.parameters: dict[str, tuple[int, ...]] = {}
        self.columns: dict[str, int] = {}
        self._mend(server)

    def _mend(self, server: PostgresServer) -> None:
        """Let every statement that fails vote for another type; a type that more of them wanted
        once is not taken back for fewer."""
        most: dict[Place, Counter[str]] = defaultdict(Counter)
        for _ in range(ROUNDS):
            server.create_database("captured", self.schema())
            known, votes = len(self._types), Counter[tuple[Place, str]]()
            with psycopg.connect(server.dsn("captured"), autocommit=True) as connection:
                for text in self.group.texts:
                    votes.update(self._ask(connection, text))
            changed = len(self._types) > known
            for (place, kind), count in votes.most_common():
                if count > most[place][self._types[place]] and self._types[place] != kind:
                    self._types[place], changed = kind, True
                most[place][kind] = max(most[place][kind], count)
            if not changed:
                return

    def _ask(self, connection: psycopg.Connection[Any], text: str) -> list[tuple[Place, str]]:
        """Have PostgreSQL read one statement; the types its error asks for."""
        wire = connection.pgconn
        if (result := wire.prepare(b"", text.encode())).status == psycopg.pq.ExecStatus.COMMAND_OK:
            described = wire.describe_prepared(b"")
            self.parameters[text] = tuple(map(described.param_type, range(described.nparams)))
            self.columns[text] = described.nfields
            return []
        field = psycopg.pq.DiagnosticField
        message = (result.error_field(field.MESSAGE_PRIMARY) or b"").decode()
        place = int(result.error_field(field.STATEMENT_POSITION) or 0) - 1
        return self._learn(text, message, len(text[:place].encode()) if place > 0 else 0)

    def _learn(self, text: str, message: str, place: int) -> list[tuple[Place, str]]:
        tree = grammar.parse_one(text)[1]
        if missing := _MISSING.match(message):
            self._add(tree, missing[1].split("."))
        node = _node_at(tree, place)
        if node is None:
            return []
        if found := _OPERATOR.match(message):
            left, right = (_PLAIN.get(side, side) for side in found.groups())
            return self._votes(node.get("lexpr"), right) or self._votes(node.get("rexpr"), left)
        if found := _FUNCTION.match(message):
            for kind, functions in _BY_FUNCTION.items():
                if found[1] in functions:
                    return [v for a in node.get("args", []) for v in self._votes(a, kind)]
        return []

    def _add(self, tree: grammar.Node, names: list[str]) -> None:
        """A column nobody knew of: it goes to the table of its alias, else to the first."""
        for _, node in grammar.walk(tree):
            if isinstance(node, dict) and "relname" in node:
                alias = node.get("alias", {}).get("aliasname", node["relname"])
                table = node.get("schemaname", "public"), node["relname"]
                if table in self._derived.columns and (len(names) == 1 or alias == names[0]):
                    self._types.setdefault((table, names[-1]), "text")
                    return

    def _votes(self, node: grammar.Node | None, kind: str) -> list[tuple[Place, str]]:
        """A vote for the type of every column of that name."""
        if node is None or "ColumnRef" not in node or kind not in _VALUES:
            return []
        name = grammar.names(node["ColumnRef"]["fields"])[-1]
        return [(place, kind) for place in self._types if place[1] == name]

    @property
    def tables(self) -> dict[Table, list[str]]:
        """Columns of each table."""
        made: dict[Table, list[str]] = {table: [] for table in self._derived.columns}
        for table, column in self._types:
            made[table].append(column)
        return made

    def schema(self) -> str:
        """CREATE TABLE for all of them."""
        schemas = sorted({schema for schema, _ in self.tables if schema != "public"})
        parts = [f"CREATE SCHEMA {_quoted(schema)};\n" for schema in schemas]
        for table, columns in self.tables.items():
            written = [f"{_quoted(c)} {self._types[table, c]}" for c in columns]
            if self._has_key(table):
                written.append("PRIMARY KEY (id)")
            parts.append(f"CREATE TABLE {_name(table)} ({', '.join(written)});\n")
        return "".join(parts)

    def _has_key(self, table: Table) -> bool:
        return self._types.get((table, "id")) == "integer"

    def rows(self, seed: int) -> str:
        """INSERT for all of them: NULLs, literals of the statements, few different keys."""
        r = random.Random(f"{self.group.name} {seed}")
        parts = []
        for table, columns in self.tables.items():
            values = [
                "(" + ", ".join(self._value(table, c, i, r) for c in columns) + ")"
                for i in range(1, ROWS + 1)
            ]
            listed = ", ".join(map(_quoted, columns))
            parts.append(f"INSERT INTO {_name(table)} ({listed}) VALUES\n{','.join(values)};\n")
        return "".join(parts)

    def _value(self, table: Table, column: str, number: int, r: random.Random) -> str:
        if column == "tenant_id":
            return str(TENANT if r.random() < 0.6 else 2)
        if column == "id" and self._has_key(table):
            return str(number)
        if r.random() < 0.06:
            return "NULL"
        kind = self._types[table, column]
        found = self._derived.columns[table].get(column)
        known = [text for text in sorted(found.literals) if _fits(text, kind)] if found else []
        if kind == "integer" and (not known or r.random() < 0.4):
            return str(r.randint(1, ROWS // 4))
        pool = known if known and r.random() < 0.7 else _VALUES[kind]
        return "'" + r.choice(pool).replace("'", "''") + f"'::{kind}"

    def design(self, seed: int) -> Design:
        """The group as a design whose every table is scoped to one tenant."""
        reference = []
        for table, columns in self.tables.items():
            moved = "base" if table[0] == "public" else f"base {table[0]}"
            base, listed = _name((moved, table[1])), ", ".join(map(_quoted, columns))
            reference.append(
                f"ALTER TABLE {base} ENABLE ROW LEVEL SECURITY;\n"
                f"CREATE POLICY own ON {base} TO oracle_owner USING (tenant_id = {TENANT});\n"
                f"CREATE VIEW {_name(table)} WITH (security_barrier) AS"
                f" SELECT {listed} FROM {base};\n"
            )
        return Design(
            name="captured",
            schema=self.schema(),
            rows=self.rows(seed),
            digests="",
            reference="".join(reference),
            keys={_name(table): "id" for table in self.tables if self._has_key(table)},
            rules=json.dumps(self._rules()),
        )

    def _rules(self) -> dict[str, Any]:
        entities = {
            f"e{at}": {"table": _name(table, always=True), "tenant": "tenant_id"}
            for at, table in enumerate(self.tables)
        }
        budget = {"rows": 1_000_000, "time": "20s", "columns": 1664, "joins": 1000,
                  "complexity": 1_000_000}  # fmt: skip
        return {
            "version": 1,
            "profile": "dev",
            "entities": entities,
            "capabilities": {"read": {"select": list(entities), "lock": True}},
            "roles": {"reader": {"can": ["read"], "budget": budget}},
            "subjects": [{"login": LOGIN, "tenant": TENANT, "roles": ["reader"]}],
            "defaults": {"deny_columns": [], "mask_columns": {}},
        }

    def statements(self, seed: int) -> Iterator[tuple[int, Statement]]:
        """The texts with values for their parameters, limits in a total order."""
        r = random.Random(f"values {self.group.name} {seed}")
        for number, text in enumerate(self.group.texts):
            values = [("given", _given(oid, r)) for oid in self.parameters.get(text, ())]
            ordered = _ordered(text, self.columns.get(text, 0))
            yield number, Statement(f"{self.group.name} {number}", ordered, tuple(values))


def _node_at(tree: grammar.Node, place: int) -> grammar.Node | None:
    found = (n for k, n in grammar.walk(tree) if k in ("A_Expr", "FuncCall"))
    return next((node for node in found if node.get("location", 0) == place), None)


def _fits(text: str, kind: str) -> bool:
    pattern = {
        "integer": r"-?\d{1,9}$", "numeric": r"-?\d{0,9}\.?\d{1,4}$", "boolean": "(True|False)$",
        "date": r"\d{4}-[01]\d-[0-2]\d$", "timestamp": r"\d{4}-[01]\d-[0-2]\d( \d\d:\d\d:\d\d)?$",
        "text": r"[^\0]{0,60}$",
    }.get(kind)  # fmt: skip
    return bool(pattern and re.match(pattern, text))


_KINDS = {
    20: "integer", 21: "integer", 23: "integer", 1700: "numeric", 701: "numeric", 16: "boolean",
    1082: "date", 1114: "timestamp", 1184: "timestamp", 2950: "uuid", 3802: "jsonb", 114: "jsonb",
    1007: "integer[]", 1016: "integer[]", 1009: "text[]", 1015: "text[]",
    3734: "regconfig",
}  # fmt: skip


def _given(oid: int, r: random.Random) -> str:
    return r.choice(_VALUES[_KINDS.get(oid, "text")])


def _ordered(text: str, columns: int) -> str:
    """The statement with its outermost order made total, if it has a limit: else rows that tie
    may come or stay away as they please."""
    tree = grammar.parse_one(text)[1]
    if not columns or not {"limitCount", "limitOffset"} & tree.keys():
        return text
    data = text.encode()
    depth, place = 0, -1
    for token in grammar.tokens(data):
        depth += {"ASCII_40": 1, "ASCII_41": -1}.get(token.name, 0)
        if depth == 0 and token.name in ("LIMIT", "OFFSET", "FETCH") and place < 0:
            place = token.start
        elif depth == 0 and token.name in ("UNION", "INTERSECT", "EXCEPT"):
            place = -1
    every = ", ".join(str(at + 1) for at in range(columns))
    added = f", {every} " if "sortClause" in tree else f" ORDER BY {every} "
    return (data[:place].rstrip() + added.encode() + data[place:]).decode()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _name(table: Sequence[str], *, always: bool = False) -> str:
    return f"{_quoted(table[0])}.{_quoted(table[1])}"
