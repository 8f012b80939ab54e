"""What may be shown of a plan: an allow-list of lines, keys, words and names (manual, EXPLAIN).

    ->  Index Scan using users_pkey on users r  (cost=0.15..8.17 rows=1 width=36)   stays
          Index Cond: (id = 5)                                                     goes
          Filter: (tenant_id = 1)                                                  goes

Expressions hold the values of scopes and masks, counts of pages and of rows removed are of rows
the client does not see, and names may be of hidden things. So a line stays only when every part of
it is known; what is not understood is left out. Pure: knows frames of rows and nothing of sessions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from struct import Struct
from typing import Any, Final, Protocol

from proxy.wire.frames import HEADER, HEADER_SIZE
from proxy.wire.messages import DataRow


class Shown(Protocol):
    """The names that may be shown, relations as (schema, name), and the form of the plan."""

    @property
    def json(self) -> bool: ...
    @property
    def relations(self) -> frozenset[tuple[str, str]]: ...
    @property
    def indexes(self) -> frozenset[str]: ...
    @property
    def aliases(self) -> frozenset[str]: ...


_MOST_HELD: Final = 8 * 1024 * 1024  # bytes


class HeldPlan:
    """The rows of one EXPLAIN as they come, whole or in pieces."""

    __slots__ = ("_pieces", "_shown", "_size")

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= _MOST_HELD:
            self._pieces.append(piece)

    def redacted(self) -> list[bytes]:
        """The DataRow frames that may be shown: none of a plan that is too long."""
        if self._size > _MOST_HELD:
            return []
        return redacted(b"".join(self._pieces), self._shown)


def redacted(rows: bytes, shown: Shown) -> list[bytes]:
    """The DataRow frames that stand for these. `rows`: whole DataRow frames."""
    if shown.json:
        lines = [_json(value, shown) for value in _values(rows)]
    else:
        lines = [_line(value, shown) for value in _values(rows)]
    return [DataRow((line.encode(),)).encode() for line in lines if line]


_ONE_COLUMN: Final = Struct("!Hi").unpack_from


def _values(rows: bytes) -> Iterator[str]:
    """The one column of each row. What is no text of one column is left out."""
    at = 0
    while at < len(rows):
        tag, length = HEADER(rows, at)
        body = rows[at + HEADER_SIZE : at + 1 + length]
        at += 1 + length
        if tag == ord("D") and len(body) >= 6 and _ONE_COLUMN(body) == (1, len(body) - 6):
            try:
                yield body[6:].decode()
            except UnicodeDecodeError:
                continue


# Kinds of nodes (explain.c, ExplainNode). Foreign and custom scans print what their makers like,
# but their first line has the usual form.
_KINDS: Final = frozenset({
    "Result", "ProjectSet", "Append", "Merge Append", "Recursive Union", "BitmapAnd", "BitmapOr",
    "Nested Loop", "Merge Join", "Hash Join", "Seq Scan", "Sample Scan", "Gather", "Gather Merge",
    "Index Scan", "Index Only Scan", "Bitmap Index Scan", "Bitmap Heap Scan", "Tid Scan",
    "Tid Range Scan", "Subquery Scan", "Function Scan", "Table Function Scan", "Values Scan",
    "CTE Scan", "Named Tuplestore Scan", "WorkTable Scan", "Foreign Scan", "Custom Scan",
    "Materialize", "Memoize", "Sort", "Incremental Sort", "Group", "Aggregate", "GroupAggregate",
    "HashAggregate", "MixedAggregate", "WindowAgg", "Unique", "SetOp", "HashSetOp", "LockRows",
    "Limit", "Hash",
})  # fmt: skip
_JOINS: Final = ("Left", "Full", "Right", "Semi", "Anti", "Right Semi", "Right Anti")
_SETS: Final = ("Except", "Except All", "Intersect", "Intersect All")
_TEXT_KINDS: Final = (
    _KINDS
    | {f"{scan} Backward" for scan in ("Index Scan", "Index Only Scan")}
    | {f"{way} {join} Join" for way in ("Nested Loop", "Merge", "Hash") for join in _JOINS}
    | {f"{way} {command}" for way in ("SetOp", "HashSetOp") for command in _SETS}
)
_PREFIXES: Final = ("Async ", "Parallel ", "Partial ", "Finalize ")
# They find rows by their index entries, those of others too; the node above removes them.
_COUNTING_ALL: Final = frozenset({"Bitmap Index Scan", "BitmapAnd", "BitmapOr"})
# What stands behind `on` is the name of something else than a relation.
_NO_RELATION: Final = frozenset({
    "Subquery Scan", "Function Scan", "Table Function Scan", "Values Scan", "CTE Scan",
    "Named Tuplestore Scan", "WorkTable Scan",
})  # fmt: skip
# Names PostgreSQL gives by itself.
_GIVEN: Final = re.compile(r"\*VALUES\*|\*SELECT\*( \d+)?|unnamed_(subquery|join)")

_NAME: Final = r'(?:[a-z_][a-z0-9_]*|"(?:[^"]|"")+")'
_NUMBER: Final = r"\d+(?:\.\d+)?"
_NODE: Final = re.compile(
    rf"(?P<indent> *(?:->  )?)(?P<kind>[A-Z][A-Za-z]*(?: [A-Z][A-Za-z]*)*)"
    rf"(?: using (?P<using>{_NAME}))?"
    rf"(?: on (?:(?P<schema>{_NAME})\.)?(?P<name>{_NAME})(?: (?P<alias>{_NAME}))?)?"
    rf"(?P<cost>  \(cost={_NUMBER}\.\.{_NUMBER} rows={_NUMBER} width=\d+\))?"
    rf"(?P<actual> \((?:actual (?:time={_NUMBER}\.\.{_NUMBER} )?rows={_NUMBER} loops={_NUMBER}"
    r"|never executed)\))?"
)
_PROPERTY: Final = re.compile(
    r" *(?:Sort Method: (?:top-N heapsort|quicksort|external sort|external merge)"
    r"  (?:Memory|Disk): \d+kB"
    r"|Buckets: \d+(?: \(originally \d+\))?  Batches: \d+(?: \(originally \d+\))?"
    r"  Memory Usage: \d+kB"
    r"|(?:Planned Partitions: \d+  )?Batches: \d+  Memory Usage: \d+kB(?:  Disk Usage: \d+kB)?"
    r"|Planned Partitions: \d+"
    r"|Workers (?:Planned|Launched): \d+|Single Copy: true|Disabled: true"
    r"|(?:Planning|Execution) Time: \d+\.\d+ ms"
    r"|(?:InitPlan|SubPlan) \d+(?: \(returns [$\d,]+\))?)"
)
_WITH_QUERY: Final = re.compile(rf"(?P<indent> *)CTE (?P<name>{_NAME})")


def _line(line: str, shown: Shown) -> str:
    """What may be shown of one line, "" for nothing."""
    if _PROPERTY.fullmatch(line):
        return line
    query = _WITH_QUERY.fullmatch(line)
    if query is not None:
        return query["indent"] + " ".join(["CTE", *_alias(query["name"], shown)])
    node = _NODE.fullmatch(line)
    if node is None:
        return ""
    kind, bare = node["kind"], node["kind"]
    for prefix in _PREFIXES:
        bare = bare.removeprefix(prefix)
    if bare not in _TEXT_KINDS:
        return ""
    parts = [node["indent"] + kind]
    if node["using"] and _plain(node["using"]) in shown.indexes:
        parts += ["using", node["using"]]
    named = list(_named(node, bare, shown))
    if named:
        parts += ["on", *named]
    actual = "" if bare in _COUNTING_ALL else node["actual"] or ""
    return " ".join(parts) + (node["cost"] or "") + actual


def _named(node: re.Match[str], kind: str, shown: Shown) -> Iterator[str]:
    """What may be shown behind `on`."""
    name, schema, alias = node["name"], node["schema"], node["alias"]
    if name is None:
        return
    if kind == "Bitmap Index Scan":
        if _plain(name) in shown.indexes:
            yield name
    elif kind in _NO_RELATION:
        # A function's name is left out, for the alias it goes by says enough.
        if kind not in ("Function Scan", "Table Function Scan") or alias is None:
            yield from _alias(name, shown)
        if alias is not None:
            yield from _alias(alias, shown)
    else:
        relation = _plain(name)
        if any(relation == own and (schema is None or _plain(schema) == of)
               for of, own in shown.relations):  # fmt: skip
            yield name if schema is None else f"{schema}.{name}"
        if alias is not None:
            yield from _alias(alias, shown)


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _alias(name: str, shown: Shown) -> Iterator[str]:
    """The name, when the client or PostgreSQL gave it; `u_1` is the second `u`."""
    plain = _plain(name)
    first = re.sub(r"_\d+\Z", "", plain)
    if plain in shown.aliases or first in shown.aliases or _GIVEN.fullmatch(first):
        yield name


# The same of the JSON form, by key.
_NUMBERS: Final = frozenset({
    "Startup Cost", "Total Cost", "Plan Rows", "Plan Width", "Actual Startup Time",
    "Actual Total Time", "Actual Rows", "Actual Loops", "Workers Planned", "Workers Launched",
    "Sort Space Used", "Hash Buckets", "Original Hash Buckets", "Hash Batches",
    "Original Hash Batches", "Peak Memory Usage", "HashAgg Batches", "Disk Usage",
    "Planned Partitions", "Planning Time", "Execution Time",
})  # fmt: skip
_SWITCHES: Final = frozenset({
    "Parallel Aware", "Async Capable", "Single Copy", "Inner Unique", "Disabled",
})  # fmt: skip
_WORDS: Final[dict[str, frozenset[str]]] = {
    "Node Type": _KINDS,
    "Strategy": frozenset({"Plain", "Sorted", "Hashed", "Mixed"}),
    "Partial Mode": frozenset({"Simple", "Partial", "Finalize"}),
    "Parent Relationship": frozenset(
        {"Outer", "Inner", "Member", "InitPlan", "SubPlan", "Subquery"}
    ),
    "Join Type": frozenset({"Inner", *_JOINS}),
    "Scan Direction": frozenset({"Forward", "Backward", "NoMovement"}),
    "Command": frozenset(_SETS),
    "Sort Method": frozenset({"top-N heapsort", "quicksort", "external sort", "external merge"}),
    "Sort Space Type": frozenset({"Memory", "Disk"}),
}
_SUBPLAN: Final = re.compile(r"(?:InitPlan|SubPlan) \d+(?: \(returns [$\d,]+\))?")


def _json(text: str, shown: Shown) -> str:
    """The document with known keys only, "[]" for one that is none."""
    try:
        plans = json.loads(text)
        kept = [_kept(plan, shown) for plan in plans if isinstance(plan, dict)]
        return json.dumps(kept, indent=2, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return "[]"


def _kept(plan: dict[str, Any], shown: Shown) -> dict[str, Any]:
    """A node, or what is around the first."""
    kept: dict[str, Any] = {}
    hidden = plan.get("Node Type") in _COUNTING_ALL
    for key, value in plan.items():
        if key == "Plan" and isinstance(value, dict):
            kept[key] = _kept(value, shown)
        elif key == "Plans" and isinstance(value, list):
            kept[key] = [_kept(child, shown) for child in value if isinstance(child, dict)]
        elif key in _NUMBERS:
            if type(value) in (int, float) and not (hidden and key.startswith("Actual ")):
                kept[key] = value
        elif key in _SWITCHES:
            if isinstance(value, bool):
                kept[key] = value
        elif isinstance(value, str) and _may_stand(key, value, plan, shown):
            kept[key] = value
    return kept


def _may_stand(key: str, value: str, plan: dict[str, Any], shown: Shown) -> bool:
    """Whether a text may be shown under that key."""
    if key in _WORDS:
        return value in _WORDS[key]
    match key:
        case "Relation Name" | "Schema":
            of, name = plan.get("Schema"), plan.get("Relation Name")
            return any(name == own and of in (None, schema) for schema, own in shown.relations)
        case "Index Name":
            return value in shown.indexes
        case "Alias" | "CTE Name":
            return any(_alias(value, shown))
        case "Subplan Name":
            query = value.removeprefix("CTE ")
            return bool(_SUBPLAN.fullmatch(value)) or (query != value and any(_alias(query, shown)))
        case _:
            return False
