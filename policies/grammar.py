"""PostgreSQL's own grammar (libpg_query): trees as plain dicts, tokens, fingerprints, scopes.

The tree is libpg_query's JSON: `{"SelectStmt": {"targetList": [...]}}`, keys in upper case are node
types, zero-valued fields are left out. This file knows the shape of trees and nothing of policies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import postgast
from postgast import native

Node = dict[str, Any]


class GrammarError(ValueError):
    """The text is not one PostgreSQL would parse. `position`: 1-based character, 0 if unknown."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


class TooDeep(ValueError):
    """The tree nests deeper than the engine is willing to walk."""


@dataclass(frozen=True, slots=True)
class Raw:
    """One statement of a text: its bytes, its offset in the text, its node type and node."""

    text: bytes
    start: int
    kind: str
    node: Node


@dataclass(frozen=True, slots=True)
class Token:
    """A lexical token; `start` and `end` are byte offsets, `name` libpg_query's token name."""

    start: int
    end: int
    name: str


# postgast's Python side offers protobuf; the same shared library also gives JSON, which loads into
# dicts and walks several times faster.
_LIBRARY = native.lib

# Where a node stood in its text, and whether pg_stat_statements tells its values apart
# (jumble_args: SET TIME ZONE and SET timezone); everything else in a tree is meaning.
PLACES = frozenset(
    "location stmt_location stmt_len name_location rexpr_list_start rexpr_list_end "
    "list_start list_end jumble_args".split()
)


def _json(text: bytes) -> Any:
    """libpg_query's parse of `text`. Raises GrammarError, TooDeep."""
    result = _LIBRARY.pg_query_parse(text)
    try:
        if result.error:
            error = result.error.contents
            message = error.message.decode("utf-8", "replace")
            if message.startswith("memory exhausted") or "stack depth" in message:
                raise TooDeep(message)
            raise GrammarError(message, error.cursorpos)
        tree: bytes = result.parse_tree
    finally:
        _LIBRARY.pg_query_free_parse_result(result)
    try:
        return orjson.loads(tree)
    except orjson.JSONDecodeError as error:  # its only fault with this input: nesting
        raise TooDeep("the statement nests too deeply") from error


def parse(text: bytes) -> tuple[Raw, ...]:
    """Split a text into its statements (empty ones left out). Raises GrammarError, TooDeep."""
    raws = []
    for entry in _json(text)["stmts"]:
        start = entry.get("stmt_location", 0)
        length = entry.get("stmt_len", 0)
        piece = text[start : start + length] if length else text[start:]
        stripped = piece.lstrip()
        start += len(piece) - len(stripped)
        ((kind, node),) = entry["stmt"].items()
        raws.append(Raw(stripped.rstrip(), start, kind, node))
    return tuple(raws)


def parse_one(text: bytes | str) -> tuple[str, Node]:
    """The node type and node of a text that must hold exactly one statement.

    Raises GrammarError (also for none or several) and TooDeep.
    """
    data = text.encode() if isinstance(text, str) else text
    statements = _json(data)["stmts"]
    if len(statements) != 1:
        raise GrammarError(f"expected one statement, found {len(statements)}")
    ((kind, node),) = statements[0]["stmt"].items()
    return kind, node


def parse_expression(text: str) -> Node:
    """The tree of a boolean or scalar expression. Raises GrammarError when it is not just that."""
    depth = 0
    for token in tokens(text.encode()):
        depth += {"ASCII_40": 1, "ASCII_41": -1}.get(token.name, 0)
        if depth < 0:
            raise GrammarError("a closing parenthesis has no opening one")
    kind, node = parse_one(f"SELECT ({text}\n)")
    targets = node.get("targetList", [])
    plain = {"targetList", "limitOption", "op"}
    if kind != "SelectStmt" or set(node) - plain or len(targets) != 1:
        raise GrammarError("not a single expression")
    target: Node = targets[0]["ResTarget"]
    if "name" in target:
        raise GrammarError("not a single expression")
    value: Node = target["val"]
    return value


def same(left: Any, right: Any) -> bool:
    """Whether two trees mean the same: equal but for the places nodes stood at."""
    if isinstance(left, dict):
        if not isinstance(right, dict):
            return False
        missing = len(left)
        for key in left:
            if key in PLACES:
                missing -= 1
        for key, value in right.items():
            if key in PLACES:
                continue
            if key not in left:
                return False
            own = left[key]
            if own is not value and not (
                same(own, value) if isinstance(value, dict | list) else own == value
            ):
                return False
            missing -= 1
        return missing == 0
    if isinstance(left, list):
        return (
            isinstance(right, list)
            and len(left) == len(right)
            and all(same(one, other) for one, other in zip(left, right, strict=True))
        )
    return bool(left == right)


def walk(node: Any) -> Iterator[tuple[str, Any]]:
    """Every (key, value) pair of a tree, in no particular order, without recursion.

    FOR UPDATE OF names aliases that look like relations, so what is in a locking clause is left
    out; `policies.locks` reads it.
    """
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            for key, value in item.items():
                yield key, value
                if isinstance(value, dict | list) and key != "lockingClause":
                    pending.append(value)
        elif isinstance(item, list):
            pending.extend(item)


def conjuncts(condition: Node | None) -> Iterator[Node]:
    """The conditions a condition demands all of, in their order; none of None."""
    pending = [condition] if condition else []
    while pending:
        one = pending.pop()
        expression = one.get("BoolExpr", {})
        if expression.get("boolop") == "AND_EXPR":
            pending.extend(reversed(expression["args"]))
        else:
            yield one


def alias(source: Node) -> str:
    """What an item of FROM goes by: its alias, else a relation's own name, else ""."""
    return str(source.get("alias", {}).get("aliasname") or source.get("relname", ""))


def names(parts: list[Node]) -> tuple[str, ...]:
    """The strings of a name list: `pg_catalog.lower` -> ("pg_catalog", "lower")."""
    return tuple(part["String"].get("sval", "") for part in parts if "String" in part)


_TOKEN_NAMES = {number: name for name, number in postgast.pg_query_pb2.Token.items()}


def tokens(text: bytes) -> list[Token]:
    """PostgreSQL's own tokens of a text, comments included. Raises GrammarError."""
    try:
        scanned = postgast.scan(text.decode())
    except postgast.PgQueryError as error:
        raise GrammarError(str(error)) from error
    # Characters that begin nothing in SQL, as `{`, are tokens without a name.
    name = _TOKEN_NAMES.get
    return [Token(t.start, t.end, name(t.token, "")) for t in scanned.tokens]


def without_comments(text: bytes) -> bytes:
    """The text with every comment as blanks; to PostgreSQL they are the same."""
    blank = bytearray(text)
    for token in tokens(text):
        if token.name in ("SQL_COMMENT", "C_COMMENT"):
            lines = text[token.start : token.end].split(b"\n")
            blank[token.start : token.end] = b"\n".join(b" " * len(line) for line in lines)
    return bytes(blank)


def fingerprint(text: bytes) -> str:
    """libpg_query's fingerprint, 16 hex digits: equal for texts that differ only in values."""
    try:
        return str(postgast.fingerprint(text.decode()).hex)
    except postgast.PgQueryError:
        return ""


# PREPARE, EXECUTE, COMMENT and the like keep their literals in libpg_query's normal form.
NORMAL_KINDS = frozenset("SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt".split())
_LITERALS = frozenset("SCONST USCONST ICONST FCONST BCONST XCONST".split())


def template(text: bytes, kind: str) -> str:
    """The text with every literal as `$n`; "" when it cannot be made free of values."""
    if kind in NORMAL_KINDS:
        try:
            return str(postgast.normalize(text.decode()))
        except postgast.PgQueryError:
            return ""
    try:
        found = tokens(text)
    except GrammarError:
        return ""
    own = [int(text[t.start + 1 : t.end]) for t in found if t.name == "PARAM"]
    count, position, pieces = max(own, default=0), 0, []
    for token in found:
        if token.name in _LITERALS:
            count += 1
            pieces += [text[position : token.start], b"$%d" % count]
            position = token.end
    return b"".join([*pieces, text[position:]]).decode()


@dataclass(frozen=True, slots=True)
class Scope:
    """The names of WITH queries visible at a place. A schema-qualified name is never one."""

    names: frozenset[str] = frozenset()

    def hides(self, relation: Node) -> bool:
        """Whether this RangeVar names a WITH query rather than a relation."""
        return "schemaname" not in relation and relation["relname"] in self.names

    def within(self, clause: Node) -> tuple[list[Scope], Scope]:
        """Scopes inside each WITH query of `clause`, and in the statement that carries it.

        Without RECURSIVE a query sees only those before it; with RECURSIVE it sees all of them
        (PostgreSQL manual, SELECT, "WITH Clause").
        """
        own = [entry["CommonTableExpr"]["ctename"] for entry in clause["ctes"]]
        after = Scope(self.names.union(own))
        if clause.get("recursive"):
            return [after] * len(own), after
        return [Scope(self.names.union(own[:i])) for i in range(len(own))], after
