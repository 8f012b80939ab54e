"""Captured statements, and a database and rules under which every relation they name exists.

The corpora are not part of the project; QUERYWARDEN_CORPORA or `--corpora` says where they are
(default: ../shared/corpora beside the project). Each is one JSON object per line, gzipped.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import postgast

from policies.catalog import FIRST_NORMAL_OID, Catalog, Column, Relation
from policies.rules import RuleSet, parse
from policies.rules_writes import MAX_AFFECTED
from policies.subject import Subject

DIRECTORY = Path(
    os.environ.get("QUERYWARDEN_CORPORA", Path(__file__).parents[2] / "shared" / "corpora")
)
NAMES = ("orm", "clients", "tpch", "tpcds", "job", "llm_bird", "sqleval", "regress")
TENANT = 1
ROWS = 100_000
# What is measured must not be refused for its size.
BUDGET = {"rows": ROWS, "columns": 1664, "joins": 1000, "complexity": 1_000_000}
SUBJECT = Subject(login="bench", tenant=TENANT, roles=("reader",))
SYSTEM = ("pg_catalog", "information_schema")
_FIRST_OID = 100_000
_WRITERS = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_WRITING = frozenset({"insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"})


def available(name: str, directory: Path = DIRECTORY) -> bool:
    """Whether that corpus is there."""
    return (directory / f"{name}.jsonl.gz").exists()


def selects(name: str, directory: Path = DIRECTORY) -> list[str]:
    """The statements of a corpus that PostgreSQL's grammar accepts as one SELECT."""
    return [text for text, _ in selects_by_database(name, directory)]


def selects_by_database(name: str, directory: Path = DIRECTORY) -> list[tuple[str, str]]:
    """The same with the database each was written for, "" when the corpus says none."""
    with gzip.open(directory / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [(each["sql"], each.get("db") or "") for each in found if _is_select(each["sql"])]


def writes(name: str, directory: Path = DIRECTORY) -> list[str]:
    """The statements of a corpus that PostgreSQL's grammar accepts as one INSERT, UPDATE, DELETE or
    MERGE, or as a SELECT with one of them in WITH."""
    with gzip.open(directory / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["sql"] for line in lines]
    return [text for text in texts if _writes(text)]


def _writes(text: str) -> bool:
    kind = _kind(text)
    if kind != "select_stmt":
        return kind in _WRITING
    named = (type(node).__name__ for _, node in postgast.walk(postgast.parse(text)))
    return not _WRITERS.isdisjoint(named)


def _kind(text: str) -> str:
    """What the only statement of a text is, "" for none or several."""
    try:
        statements = postgast.parse(text).stmts
    except (postgast.PgQueryError, UnicodeEncodeError):
        return ""
    return str(statements[0].stmt.WhichOneof("node")) if len(statements) == 1 else ""


def _is_select(text: str) -> bool:
    return _kind(text) == "select_stmt"


def relations(texts: Iterable[str]) -> set[tuple[str, str]]:
    """Every (schema, name) the statements read, schema "public" when not written; names of WITH
    queries are left out, which a statement of the corpora never gives to a table it reads too."""
    found = set()
    for text in texts:
        named = set()
        queries = set()
        for _, node in postgast.walk(postgast.parse(text)):
            if type(node).__name__ == "RangeVar":
                named.add((node.schemaname or "public", node.relname))
            elif type(node).__name__ == "CommonTableExpr":
                queries.add(("public", node.ctename))
        found |= named - queries
    return found


def _named(tree: Any, *types: str) -> Iterator[str]:
    """Texts of literals cast to one of these types: `'users'::regclass`."""
    for _, node in postgast.walk(tree):
        if type(node).__name__ != "TypeCast" or _last(node.type_name.names) not in types:
            continue
        if node.arg.a_const.HasField("sval"):
            yield node.arg.a_const.sval.sval


def _last(names: Any) -> str:
    return names[-1].string.sval if len(names) else ""


def looked_up(texts: Iterable[str]) -> tuple[set[tuple[str, str]], set[int]]:
    """Relations the statements look up by name, as (schema, name), and by number."""
    names, numbers = set(), set()
    for text in texts:
        for named in _named(postgast.parse(text), "regclass"):
            parts = named.split(".")
            if named.isdigit():
                numbers.add(int(named))
            elif len(parts) <= 2 and all(re.fullmatch(r"[a-z_]\w*", part) for part in parts):
                names.add((parts[0] if len(parts) == 2 else "public", parts[-1]))
    return names, numbers


def names_nothing(text: str, system: Catalog) -> bool:
    """Whether a statement names a type, or looks up a function, that no PostgreSQL has: one that
    the database of whoever wrote it had."""
    tree = postgast.parse(text)
    types = {_last(n.names) for _, n in postgast.walk(tree) if type(n).__name__ == "TypeName"}
    if types - system.builtin_types - {""}:
        return True
    found = _named(tree, "regproc", "regprocedure")
    return any(re.sub(r"\(.*", "", name) not in system.system_functions for name in found)


def reads_own_tables(text: str, system: Catalog) -> bool:
    """Whether a statement reads any relation that is not a system one."""
    known = {relation.name for relation in system.relations}
    return any(schema not in SYSTEM and name not in known for schema, name in relations([text]))


def permissive(texts: list[str], system: Catalog) -> tuple[RuleSet, Catalog]:
    """Rules and a catalog for these statements: each relation they name that `system` (the catalog
    of an empty database) does not have exists, belongs to a tenant and may be read."""
    known = {r.name for r in system.relations if r.schema in SYSTEM}
    named, numbers = looked_up(texts)
    numbers = {number for number in numbers if number >= FIRST_NORMAL_OID}
    wanted = sorted(
        (schema, name)
        for schema, name in relations(texts) | named
        if schema not in SYSTEM and not (schema == "public" and name in known)
    )
    catalog = Catalog(
        **{
            **{field: getattr(system, field) for field in Catalog.__dataclass_fields__},
            "relations": (*system.relations, *_tables(wanted, sorted(numbers))),
            "search_path": ("public",),
        }
    )
    return parse(json.dumps(_rules(wanted)), "permissive.yaml"), catalog


def writable(texts: list[str], system: Catalog) -> tuple[RuleSet, Catalog]:
    """The same for statements that write: each relation has the columns they name as well, and all
    may be inserted into, updated and deleted from."""
    _, catalog = permissive(texts, system)
    relations = []
    own = {}
    targets = written(texts)
    for relation in catalog.relations:
        if relation.oid >= FIRST_NORMAL_OID and relation.schema not in SYSTEM:
            relation = _widened(relation, *targets.get(relation.name, ({}, 0)))
            own[(relation.schema, relation.name)] = [c.name for c in relation.columns]
        relations.append(relation)
    wanted = sorted(own)
    rules = _rules(wanted)
    rules["capabilities"]["write"] = _everything([own[name] for name in wanted])
    rules["roles"]["reader"]["can"].append("write")
    catalog = replace(catalog, relations=tuple(relations))
    return parse(json.dumps(rules), "writable.yaml"), catalog


def _everything(columns: list[list[str]]) -> dict[str, Any]:
    """A capability for writing all columns of e0, e1 ..."""
    may = {
        f"e{at}": {"columns": [c for c in names if c not in ("tenant_id", "id")]}
        for at, names in enumerate(columns)
    }
    inserted = {name: {"columns": [*rule["columns"], "id"]} for name, rule in may.items()}
    many: dict[str, Any] = {"rows": MAX_AFFECTED}
    return {
        "insert": {name: rule | many for name, rule in inserted.items()},
        "update": {name: rule | many | {"key": False} for name, rule in may.items()},
        "delete": {name: many | {"key": False} for name in may},
        "merge": True,
        "reason": "optional",
    }


def written(texts: Iterable[str]) -> dict[str, tuple[dict[str, None], int]]:
    """Of each table statements write to: the columns they name of it, and the most values they
    write to it without naming any."""
    found: dict[str, tuple[dict[str, None], int]] = {}
    for text in texts:
        for _, node in postgast.walk(postgast.parse(text)):
            if type(node).__name__ not in _WRITERS:
                continue
            named, most = found.get(node.relation.relname, ({}, 0))
            if type(node).__name__ == "InsertStmt" and not node.cols:
                most = max(most, _width(node.select_stmt.select_stmt))
            found[node.relation.relname] = (named | dict.fromkeys(_columns(node)), most)
    return found


def _columns(node: Any) -> Iterator[str]:
    """Names that may be columns of the target: more than those do no harm."""
    for _, part in postgast.walk(node):
        match type(part).__name__:
            case "ResTarget" | "IndexElem":
                yield part.name
            case "ColumnRef":
                yield _last(part.fields)


def _width(source: Any) -> int:
    rows = source.values_lists
    return max((len(row.list.items) for row in rows), default=len(source.target_list))


def _widened(relation: Relation, named: Iterable[str], most: int) -> Relation:
    """The relation with more columns; the tenant's is the last."""
    have = [c.name for c in relation.columns if c.name != "tenant_id"]
    more = [name for name in named if name and name not in (*have, "tenant_id")]
    more += [f"column_{n}" for n in range(most - len(have) - len(more))]
    made = [c for c in relation.columns if c.name != "tenant_id"]
    made += [Column(name, 0, "text", 25) for name in more]
    made += [c for c in relation.columns if c.name == "tenant_id"]
    numbered = tuple(replace(c, number=at) for at, c in enumerate(made, start=1))
    return replace(relation, columns=numbered)


def _tables(wanted: list[tuple[str, str]], numbers: list[int]) -> Iterator[Relation]:
    """Tables of these names; the first bear the numbers that are looked up."""
    plain = [("id", "bigint", 20), ("tenant_id", "bigint", 20), ("name", "text", 25)]
    for at, (schema, name) in enumerate(wanted):
        yield Relation(
            oid=numbers[at] if at < len(numbers) else _FIRST_OID + at,
            schema=schema,
            name=name,
            kind="r",
            columns=tuple(
                Column(column, number + 1, kind, oid)
                for number, (column, kind, oid) in enumerate(plain)
            ),
            primary_key=("id",),
            row_estimate=1000.0,
        )


def _rules(wanted: list[tuple[str, str]]) -> dict[str, Any]:
    entities = {
        f"e{at}": {"table": f"{_quoted(schema)}.{_quoted(name)}", "tenant": "tenant_id"}
        for at, (schema, name) in enumerate(wanted)
    }
    return {
        "version": 1,
        "profile": "dev",
        "entities": entities,
        "capabilities": {"read": {"select": list(entities), "lock": True}},
        "roles": {"reader": {"can": ["read"], "budget": BUDGET}},
        "subjects": [{"login": SUBJECT.login, "tenant": TENANT, "roles": ["reader"]}],
        "defaults": {"deny_columns": [], "mask_columns": {}},
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
