"""Captured statements, and a database and rules under which every relation they name exists.

The corpora are not part of the project; QUERYWARDEN_CORPORA or `--corpora` says where they are
(default: ../shared/corpora beside the project). Each is one JSON object per line, gzipped.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import postgast

from policies.catalog import Catalog, Column, Relation
from policies.rules import RuleSet, parse
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


def available(name: str, directory: Path = DIRECTORY) -> bool:
    """Whether that corpus is there."""
    return (directory / f"{name}.jsonl.gz").exists()


def selects(name: str, directory: Path = DIRECTORY) -> list[str]:
    """The statements of a corpus that PostgreSQL's grammar accepts as one SELECT."""
    with gzip.open(directory / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["sql"] for line in lines]
    return [text for text in texts if _is_select(text)]


def _is_select(text: str) -> bool:
    try:
        statements = postgast.parse(text).stmts
    except (postgast.PgQueryError, UnicodeEncodeError):
        return False
    return len(statements) == 1 and statements[0].stmt.WhichOneof("node") == "select_stmt"


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


def reads_own_tables(text: str, system: Catalog) -> bool:
    """Whether a statement reads any relation that is not a system one."""
    known = {relation.name for relation in system.relations}
    return any(schema not in SYSTEM and name not in known for schema, name in relations([text]))


def permissive(texts: list[str], system: Catalog) -> tuple[RuleSet, Catalog]:
    """Rules and a catalog for these statements: each relation they name that `system` (the catalog
    of an empty database) does not have exists, belongs to a tenant and may be read."""
    known = {r.name for r in system.relations if r.schema in SYSTEM}
    wanted = sorted(
        (schema, name)
        for schema, name in relations(texts)
        if schema not in SYSTEM and not (schema == "public" and name in known)
    )
    catalog = Catalog(
        **{
            **{field: getattr(system, field) for field in Catalog.__dataclass_fields__},
            "relations": (*system.relations, *_tables(wanted)),
            "search_path": ("public",),
        }
    )
    return parse(json.dumps(_rules(wanted)), "permissive.yaml"), catalog


def _tables(wanted: Iterable[tuple[str, str]]) -> Iterator[Relation]:
    plain = [("id", "bigint", 20), ("tenant_id", "bigint", 20), ("name", "text", 25)]
    for at, (schema, name) in enumerate(wanted):
        yield Relation(
            oid=_FIRST_OID + at,
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
        "capabilities": {"read": {"select": list(entities)}},
        "roles": {"reader": {"can": ["read"], "budget": BUDGET}},
        "subjects": [{"login": SUBJECT.login, "tenant": TENANT, "roles": ["reader"]}],
        "defaults": {"deny_columns": [], "mask_columns": {}},
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
