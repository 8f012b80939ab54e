"""Values of the look-up types (regclass, regtype ...): where they arise, and how each is closed.

Such a value prints a name for an OID, and PostgreSQL turns any untyped literal that meets one into
another: `COALESCE('16390', x::regclass)` prints the name of an object nobody showed. So none may
meet anything. What is only displayed becomes text, what an explicit cast consumes stays, all else
becomes an OID.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from policies import grammar
from policies.functions import (
    CONFIGURED,
    EMPTY_SOURCES,
    LOOKUP_RESULTS,
    LOOKUP_TYPES,
    SIZED,
    SOURCES_ONLY,
)
from policies.grammar import Node
from policies.reasons import FUNCTION_NOT_ALLOWED, TYPE_NOT_ALLOWED, Refusal


@dataclass(frozen=True, slots=True)
class Lookup:
    """A cast or call whose value is of a look-up type. `closing`: the type it is cast to at once,
    "" when the statement itself does; `label`: the name its result column must be given so that it
    keeps the one PostgreSQL gave it."""

    kind: str  # cast, call, source, or spread: an unnest of several arrays, which has no value
    node: Node
    closing: str = ""
    label: str = ""


def function_name(parts: tuple[str, ...]) -> str:
    """The bare name of a pg_catalog function or type, "" for any other schema's."""
    if len(parts) == 2 and parts[0] == "pg_catalog":
        return parts[1]
    return parts[0] if len(parts) == 1 else ""


def lookup_type(cast: Node) -> str:
    """The look-up type a cast is to (regclass ...), "" for any other cast."""
    name = _type(cast)
    return name if name in LOOKUP_TYPES else ""


def find(root: Node) -> Iterator[Lookup]:
    """Every look-up value of a SELECT, each once. Raises Refusal for one that cannot be closed."""
    pending: list[tuple[Any, str]] = []
    for key, value in root.items():
        if key == "targetList" and root.get("op") == "SETOP_NONE":
            for target in value:
                result = target["ResTarget"]
                place = "shown" if "name" in result else "shown unnamed"
                pending.append((result.get("val"), place))
        else:
            pending.append((value, ""))
    while pending:
        item, place = pending.pop()
        if isinstance(item, list):
            pending.extend((child, "") for child in item)
        elif isinstance(item, dict):
            for key, value in item.items():
                if key == "TypeCast":
                    if lookup_type(value):
                        yield _cast(value, place)
                    pending.extend(_below(value))
                elif key == "FuncCall":
                    if called(value) in SOURCES_ONLY:
                        name = called(value)
                        raise Refusal(FUNCTION_NOT_ALLOWED, f"function {name} belongs in FROM")
                    if called(value) in LOOKUP_RESULTS:
                        yield Lookup("call", value, _closing(place))
                    pending.append((value, ""))
                    if called(value) in CONFIGURED:  # takes such a value as it is
                        pending.pop()
                        pending.extend((arg, "cast") for arg in value.get("args", []))
                elif key == "RangeFunction":
                    yield from _source(value, pending)
                else:
                    pending.append((value, ""))


def _below(cast: Node) -> list[tuple[Any, str]]:
    """What a cast is of. COALESCE(x::regtype, ...)::text shows names, so its arguments may."""
    arg = cast["arg"]
    if "CoalesceExpr" in arg and _type(cast) == "text":
        return [(value, "text") for value in arg["CoalesceExpr"]["args"]]
    return [(arg, "cast")]


def _type(cast: Node) -> str:
    return function_name(grammar.names(cast["typeName"].get("names", [])))


def called(call: Node) -> str:
    """The bare name of the pg_catalog function a FuncCall calls, "" for another schema's."""
    return function_name(grammar.names(call.get("funcname", [])))


def _closing(place: str) -> str:
    if place == "cast":
        return ""
    return "text" if place.startswith(("shown", "text")) else "oid"


def _cast(cast: Node, place: str) -> Lookup:
    # A cast literal is called after its type, a column or call keeps its name through the casts.
    unnamed = place == "shown unnamed" and constant_text(cast["arg"]) is not None
    closing = _closing(place)
    if closing and cast["typeName"].get("arrayBounds"):
        closing += "[]"
    return Lookup("cast", cast, closing, lookup_type(cast) if unnamed else "")


def _source(source: Node, pending: list[tuple[Any, str]]) -> Iterator[Lookup]:
    """Functions in FROM. One whose result is always empty for a subject becomes just that."""
    for entry in source["functions"]:
        call = entry["List"]["items"][0].get("FuncCall", {})
        name = called(call)
        if name in EMPTY_SOURCES:
            if len(source["functions"]) != 1 or source.keys() & {"is_rowsfrom", "coldeflist"}:
                raise Refusal(FUNCTION_NOT_ALLOWED, f"function {name} is not supported here")
            yield Lookup("source", source, name)
            return
        if name in LOOKUP_RESULTS:
            raise Refusal(FUNCTION_NOT_ALLOWED, f"function {name} is not supported in FROM")
        if _is_spread(call, entry["List"]["items"][1:]):
            yield Lookup("spread", call)
        pending.append((entry, ""))


def _is_spread(call: Node, columns: list[Node]) -> bool:
    """`FROM unnest(a, b)`: PostgreSQL knows the form by the bare name only, and makes calls of
    pg_catalog's unnest of it (transformRangeFunction). Anywhere else, or with anything more, it is
    a call like any other."""
    return (
        grammar.names(call.get("funcname", [])) == ("unnest",)
        and len(call.get("args", [])) > 1
        and call.keys() <= {"funcname", "args", "funcformat", "location"}
        and not any(columns)
    )


_BY_NAME = {"relation": "relation_name", "type": "type_name"}


def is_measured(call: Node) -> bool:
    """Whether a call's length argument is measured when it runs: it is no constant."""
    place = SIZED.get(called(call))
    arguments = call.get("args", [])
    return place is not None and len(arguments) > place and "A_Const" not in arguments[place]


def cast_guard(cast: Node) -> str:
    """The guard kind of a cast to a look-up type: by OID for columns and calls, else by name."""
    lookup, operand = lookup_type(cast), cast["arg"]
    kind = LOOKUP_TYPES[lookup]
    if cast["typeName"].get("arrayBounds"):
        if kind != "type" or "ColumnRef" not in operand:
            raise Refusal(TYPE_NOT_ALLOWED, f"arrays of {lookup} are not supported here")
        return "type_array"
    by_number = any(number in operand for number in ("ColumnRef", "FuncCall", "A_Indirection"))
    if by_number or kind == "configuration":
        return kind
    if kind not in _BY_NAME:
        raise Refusal(
            TYPE_NOT_ALLOWED, f"a cast to {lookup} is supported for names and columns only"
        )
    return _BY_NAME[kind]


def written_type(text: str) -> Node:
    """The TypeName of a type written as text: `int4`, `numeric(5,2)[]`. Raises ValueError."""
    try:
        cast = grammar.parse_expression(f"NULL::{text}").get("TypeCast", {})
    except (grammar.GrammarError, grammar.TooDeep) as error:
        raise ValueError("not a type") from error
    if not cast.get("arg", {}).get("A_Const", {}).get("isnull"):
        raise ValueError("not a type")
    found: Node = cast["typeName"]
    return found


def operand_name(node: Node, fallback: str) -> str:
    """What PostgreSQL calls a result column made of this operand; casts pass the name on
    (FigureColname in its source)."""
    ((kind, value),) = node.items()
    parts: tuple[str, ...] = ()
    match kind:
        case "TypeCast" | "A_Indirection" | "CollateClause":
            return operand_name(value["arg"], fallback)
        case "ColumnRef":
            parts = grammar.names(value["fields"])
        case "FuncCall":
            parts = grammar.names(value["funcname"])
        case "CoalesceExpr":
            return "coalesce"
        case "MinMaxExpr":
            return "greatest" if value.get("op", "IS_GREATEST") == "IS_GREATEST" else "least"
        case "A_Expr" if value["kind"] == "AEXPR_NULLIF":
            return "nullif"
        case "SubLink" if value["subLinkType"] == "EXPR_SUBLINK":
            (target, *_) = value["subselect"]["SelectStmt"].get("targetList", [{}])
            result = target.get("ResTarget", {})
            if "name" in result:
                return str(result["name"])
            return operand_name(result["val"], fallback) if "val" in result else fallback
    return parts[-1] if parts else fallback


def constant_text(node: Node) -> str | None:
    """The text of a string or whole-number literal, None for anything else."""
    literal = node.get("A_Const", {})
    if "sval" in literal:
        return str(literal["sval"].get("sval", ""))
    if "ival" in literal:
        return str(literal["ival"].get("ival", 0))
    return None
