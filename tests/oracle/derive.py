"""Tables under which captured statements run, read off the statements themselves.

A column belongs to the table its alias names, or, unqualified, to the table that all statements
using it have in FROM. Its type is what it is compared with, cast to or given to; its literals are
kept, so that rows can be made which the conditions meet. A guess: where it is wrong PostgreSQL says
so, and `captured.py` mends it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from policies import grammar
from policies.grammar import Node

Table = tuple[str, str]  # schema, name
Place = tuple[Table, str]  # of a column
Frame = dict[str, "Table | frozenset[str]"]  # alias -> table, or the columns of a subquery

_DATE = re.compile(r"\d{4}-\d\d?-\d\d?$")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:")
_NAMED = (
    ("integer", re.compile(r"(id|_sk|key|qty|year|count|num|_no|age|rank|number)$", re.I)),
    ("numeric", re.compile(r"price|amount|cost|total|tax|discount|balance|amt|profit|paid", re.I)),
    ("timestamp", re.compile(r"(_at|time|timestamp|date|joined|created|updated)$", re.I)),
    ("boolean", re.compile(r"^(is|has)_|active|enabled|deleted$", re.I)),
)
_WRITTEN = {
    "int2": "integer", "int4": "integer", "int8": "integer", "float4": "numeric",
    "float8": "numeric", "numeric": "numeric", "bool": "boolean", "varchar": "text",
    "bpchar": "text", "text": "text", "date": "date", "timestamp": "timestamp",
    "timestamptz": "timestamp", "uuid": "uuid", "jsonb": "jsonb", "json": "jsonb",
}  # fmt: skip
_TAKES = {
    "sum": "numeric", "avg": "numeric", "extract": "timestamp", "date_trunc": "timestamp",
    "date_part": "timestamp", "lower": "text", "upper": "text", "substring": "text",
    "to_char": "timestamp", "length": "text", "like": "text", "round": "numeric",
}  # fmt: skip
_STRONG, _WEAK = 10, 1


@dataclass(slots=True)
class Found:
    """What is known of one column: types with their weights, literals it met, columns it met."""

    types: Counter[str] = field(default_factory=Counter)
    literals: set[str] = field(default_factory=set)
    equals: set[Place] = field(default_factory=set)


class Derived:
    """Columns of every table the statements read."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.columns: defaultdict[Table, dict[str, Found]] = defaultdict(dict)
        self._open: list[tuple[str, tuple[Table, ...]]] = []
        self._settling = True
        trees = [grammar.parse_one(text)[1] for text in texts]
        for tree in trees:
            self._select(tree, [], {})
        self._settle()
        self._settling = False
        for tree in trees:
            self._select(tree, [], {})

    def add(self, table: Table, column: str) -> Found:
        """The column of a table, known from now on."""
        return self.columns[table].setdefault(column, Found())

    def type_of(self, place: Place) -> str:
        """The likeliest type: of its own uses, of columns it is equal to, of its name."""
        votes: Counter[str] = Counter()
        for each in {place, *self._find(place).equals}:
            votes += self._find(each).types
        if votes:
            return votes.most_common(1)[0][0]
        return next((kind for kind, name in _NAMED if name.search(place[1])), "text")

    def _find(self, place: Place) -> Found:
        return self.columns[place[0]].get(place[1], Found())

    def _settle(self) -> None:
        """Give unqualified columns of several tables to the one all their uses have in common."""
        candidates: dict[str, list[tuple[Table, ...]]] = defaultdict(list)
        for name, tables in self._open:
            if not any(name in self.columns[table] for table in tables):
                candidates[_prefix(name)].append(tables)
        for name, tables in self._open:
            if any(name in self.columns[table] for table in tables):
                continue
            shared = [t for t in tables if all(t in use for use in candidates[_prefix(name)])]
            likely = [t for t in shared if _initials(t[1]) == _prefix(name)]
            self.add((likely or shared or list(tables))[0], name)

    # One SELECT after the other, with what its FROM shows.

    def _select(self, node: Node, around: list[Frame], queries: dict[str, frozenset[str]]) -> None:
        queries = dict(queries)
        for entry in node.get("withClause", {}).get("ctes", []):
            query = entry["CommonTableExpr"]
            inner = query["ctequery"]["SelectStmt"]
            named = grammar.names(query.get("aliascolnames", []))
            recursive = node["withClause"].get("recursive")
            if recursive:
                queries[query["ctename"]] = frozenset(named) | _outputs(inner)
            self._select(inner, around, queries)
            queries[query["ctename"]] = frozenset(named) | _outputs(inner)
        frame: Frame = {}
        for item in node.get("fromClause", []):
            self._source(item, frame, around, queries)
        frames = [frame, *around]
        aliases = _outputs(node)
        for key, part in node.items():
            if key in ("larg", "rarg"):
                self._select(part, around, queries)
            elif key == "sortClause" or key == "groupClause":
                self._inside(part, [{"": aliases}, *frames], queries)
            elif key not in ("withClause", "fromClause"):
                self._inside(part, frames, queries)
        for item in node.get("fromClause", []):
            self._inside(item, frames, queries, skip=True)

    def _source(
        self, item: Node, frame: Frame, around: list[Frame], queries: dict[str, frozenset[str]]
    ) -> None:
        ((kind, node),) = item.items()
        alias = node.get("alias", {})
        name = alias.get("aliasname", node.get("relname", ""))
        if kind == "RangeVar":
            schema = node.get("schemaname", "")
            if not schema and node["relname"] in queries:
                frame[name] = queries[node["relname"]] | set(
                    grammar.names(alias.get("colnames", []))
                )
            else:
                table = schema or "public", node["relname"]
                self.columns[table].setdefault("", Found())
                frame[name] = table
        elif kind == "JoinExpr":
            self._source(node["larg"], frame, around, queries)
            self._source(node["rarg"], frame, around, queries)
        elif kind == "RangeSubselect":
            inner = node["subquery"]["SelectStmt"]
            self._select(inner, [frame, *around] if node.get("lateral") else around, queries)
            frame[name] = _outputs(inner) | set(grammar.names(alias.get("colnames", [])))
        else:
            frame[name or "?"] = frozenset({name, *grammar.names(alias.get("colnames", []))})

    def _inside(
        self,
        node: object,
        frames: list[Frame],
        queries: dict[str, frozenset[str]],
        skip: bool = False,
    ) -> None:
        if isinstance(node, list):
            for part in node:
                self._inside(part, frames, queries, skip)
        if not isinstance(node, dict):
            return
        for key, value in node.items():
            if key == "SelectStmt":
                if not skip:
                    self._select(value, frames, queries)
                continue
            if key == "ColumnRef":
                self.resolve(value, frames)
            elif key == "JoinExpr":
                self._using(value, frames)
            elif not self._settling:
                self._evidence(key, value, frames)
            self._inside(value, frames, queries, skip and key != "quals")

    def _using(self, join: Node, frames: list[Frame]) -> None:
        for name in grammar.names(join.get("usingClause", [])):
            for table in list(frames[0].values()):
                if isinstance(table, tuple):
                    self.add(table, name)

    def resolve(self, column: Node, frames: list[Frame]) -> Place | None:
        """The column a reference means; None when it is of no table or cannot be told yet."""
        names = grammar.names(column["fields"])
        if not names or "A_Star" in column["fields"][-1]:
            return None
        if len(names) > 1:
            for frame in frames:
                table = frame.get(names[-2])
                if isinstance(table, tuple):
                    self.add(table, names[-1])
                    return table, names[-1]
                if table is not None:
                    return None
            return None
        tables: list[Table] = []
        for frame in frames:
            for source in frame.values():
                if isinstance(source, tuple):
                    tables.append(source)
                elif names[0] in source:
                    return None
        known = [table for table in tables if names[0] in self.columns[table]]
        if known and not self._settling:
            return known[0], names[0]
        if len(tables) == 1:
            self.add(tables[0], names[0])
            return tables[0], names[0]
        if tables and self._settling:
            self._open.append((names[0], tuple(dict.fromkeys(tables))))
        return None

    # What a use says of the type.

    def _evidence(self, key: str, node: Node, frames: list[Frame]) -> None:
        if key == "A_Expr":
            sides = [s for s in (node.get("lexpr"), node.get("rexpr")) if s]
            flat = [part for side in sides for part in _flat(side)]
            columns = [c for c in (self._column(part, frames) for part in flat) if c]
            operator = grammar.names(node["name"])[-1]
            for place in columns:
                found = self.add(*place)
                if "LIKE" in node["kind"] or operator in ("~", "~*", "||", "!~"):
                    found.types["text"] += _WEAK
                    patterns = [_constant(part["A_Const"])[1] for part in flat if "A_Const" in part]
                    found.literals |= {re.sub("[%_]", "x", pattern) for pattern in patterns}
                elif operator in ("*", "/"):
                    found.types["numeric"] += _WEAK
                elif operator in ("->", "->>", "#>", "#>>", "@>", "?"):
                    found.types["jsonb"] += _WEAK * 3
                elif operator in ("=", "<>", "<", ">", "<=", ">=", "BETWEEN", "+", "-"):
                    compared = place if operator not in ("+", "-") else None
                    for part in flat:
                        self._met(found, part, compared, frames)
        elif key == "TypeCast":
            cast = self._column(node["arg"], frames)
            written = _WRITTEN.get(grammar.names(node["typeName"]["names"])[-1], "")
            if cast and written and written != "text":
                self.add(*cast).types[written] += _WEAK
        elif key == "FuncCall":
            taken = _TAKES.get(grammar.names(node["funcname"])[-1])
            for argument in node.get("args", [])[-1:]:
                given = self._column(argument, frames)
                if given and taken:
                    self.add(*given).types[taken] += _WEAK

    def _column(self, node: Node, frames: list[Frame]) -> Place | None:
        return self.resolve(node["ColumnRef"], frames) if "ColumnRef" in node else None

    def _met(self, found: Found, part: Node, place: Place | None, frames: list[Frame]) -> None:
        ((kind, node),) = part.items()
        if kind == "ColumnRef" and place is not None:
            other = self.resolve(node, frames)
            if other is not None and other != place:
                found.equals.add(other)
                self.add(*other).equals.add(place)
        elif kind == "TypeCast":
            written = _WRITTEN.get(grammar.names(node["typeName"]["names"])[-1])
            if written and not node["typeName"].get("arrayBounds"):
                found.types[written] += _STRONG
            if "A_Const" in node["arg"]:
                found.literals |= set(_constant(node["arg"]["A_Const"])[1:])
        elif kind == "A_Const":
            type_, text = _constant(node)
            if place is None and type_ in ("integer", "numeric"):
                found.types["numeric"] += _WEAK
            else:
                found.types[type_] += _STRONG if type_ != "text" else _STRONG // 2
            found.literals.add(text)
        elif kind == "A_Expr":  # date + interval, and the like
            for inner in (node.get("lexpr"), node.get("rexpr")):
                if inner:
                    self._met(found, inner, None, frames)


def _constant(node: Node) -> tuple[str, str]:
    if "ival" in node:
        return "integer", str(node["ival"].get("ival", 0))
    if "fval" in node:
        return "numeric", node["fval"]["fval"]
    if "boolval" in node:
        return "boolean", str(node["boolval"].get("boolval", False))
    text = node.get("sval", {}).get("sval", "")
    if _DATE.match(text):
        return "date", text
    return ("timestamp" if _MOMENT.match(text) else "text"), text


def _flat(node: Node) -> Iterator[Node]:
    if "List" in node:
        yield from node["List"]["items"]
    elif "A_ArrayExpr" in node:
        yield from node["A_ArrayExpr"].get("elements", [])
    else:
        yield node


def _outputs(select: Node) -> frozenset[str]:
    """Names of a result's columns, as far as the text shows them."""
    if "larg" in select:
        return _outputs(select["larg"])
    found = set()
    for target in select.get("targetList", []):
        value = target["ResTarget"]
        if "name" in value:
            found.add(value["name"])
        elif "ColumnRef" in value.get("val", {}):
            found.update(grammar.names(value["val"]["ColumnRef"]["fields"])[-1:])
        elif "FuncCall" in value.get("val", {}):
            found.add(grammar.names(value["val"]["FuncCall"]["funcname"])[-1])
    return frozenset(found)


def _prefix(name: str) -> str:
    return name.partition("_")[0] if "_" in name else name


def _initials(table: str) -> str:
    return "".join(word[0] for word in table.split("_") if word)
