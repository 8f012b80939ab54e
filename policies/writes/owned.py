"""Tenant and owner of a row that is written: the subject's own, whatever the client says.

    DEFAULT          ->   CAST('7' AS integer)
    $1, max(column)  ->   CASE WHEN ($1) = CAST('7' AS integer) THEN CAST('7' AS integer)
                          ELSE <fail> END

Its own 7 or '7' stays, and 8 or NULL is refused when the statement is decided.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from policies import grammar
from policies.grammar import Node
from policies.masks import WHOLE_TYPES, cast_name
from policies.writes.raising import ARGUMENT, only
from policies.writes.settled import Settled
from policies.writes.target import Target, moved

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,30}\s*\Z")
_UUID = re.compile(r"[0-9a-f]{32}\Z")
_TEXTS = frozenset({"text", "character varying"})


Fate = Literal["kept", "replaced", "compared"]


@dataclass(frozen=True)
class Own:
    """The subject's value for tenant or owner: `sql` has the column's type."""

    target: Target
    column: str
    literal: str
    type_name: str

    @cached_property
    def sql(self) -> str:
        return f"CAST({self.literal} AS {cast_name(self.type_name)})"

    @cached_property
    def node(self) -> Node:
        return Settled(grammar.parse_expression(self.sql))

    @cached_property
    def compared(self) -> str:
        """The template of a value that must be this one."""
        return only(self.literal, self.target.forced_check(self.column), self.type_name)

    @cached_property
    def compared_node(self) -> Node:
        """The tree of that, for `filled`."""
        tree: Node = _settled(grammar.parse_expression(self.compared))
        return tree


def fate(own: Own, value: Node) -> Fate:
    """What becomes of the client's value for tenant or owner. Raises Refusal."""
    if "SetToDefault" in value:
        return "replaced"
    return _of_constant(own, value["A_Const"]) if "A_Const" in value else "compared"


def _of_constant(own: Own, constant: Node) -> Fate:
    if constant.get("isnull"):
        raise moved(own.target, own.column)
    if "sval" in constant:
        written = str(constant["sval"].get("sval", ""))
    elif "ival" in constant:
        written = str(constant["ival"].get("ival", 0))
    else:
        return "compared"
    same = _same_value(own.literal[1:-1].replace("''", "'"), written, own.type_name)
    if same is None:
        return "compared"
    if not same:
        raise moved(own.target, own.column)
    return "kept"


def _same_value(own: str, written: str, kind: str) -> bool | None:
    """Whether two texts are one value of a type; None when only PostgreSQL can tell."""
    if kind in WHOLE_TYPES and _WHOLE.match(own) and _WHOLE.match(written):
        return int(own) == int(written)
    if kind in _TEXTS:
        return own == written
    if kind == "uuid":
        one, other = (text.lower().replace("-", "") for text in (own, written))
        return one == other if _UUID.match(one) and _UUID.match(other) else None
    return None


def _settled(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_settled(one) for one in tree]
    if not isinstance(tree, dict) or _is_argument(tree):
        return tree
    if not any(key == "ColumnRef" for key, _ in grammar.walk(tree)):
        return Settled(tree)
    return {key: _settled(value) for key, value in tree.items()}


def _is_argument(tree: Node) -> bool:
    fields = tree.get("ColumnRef", {}).get("fields", [{}])
    return bool(fields[0].get("String", {}).get("sval") == ARGUMENT)


def filled(template: Any, own: Node) -> Any:
    """The tree of a template with the client's own node in it."""
    if isinstance(template, Settled):
        return template
    if isinstance(template, dict):
        if _is_argument(template):
            return own
        return {key: filled(value, own) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(one, own) for one in template]
    return template
