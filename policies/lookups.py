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
    EMPTY_SOURCES,
    GUARDED,
    LOOKUP_RESULTS,
    LOOKUP_TYPES,
    SETTING_READERS,
    Guard,
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
    name = function_name(grammar.names(cast["typeName"].get("names", [])))
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
                    pending.append((value["arg"], "cast"))
                elif key == "FuncCall":
                    if called(value) in LOOKUP_RESULTS:
                        yield Lookup("call", value, _closing(place))
                    pending.append((value, ""))
                elif key == "RangeFunction":
                    yield from _source(value, pending)
                else:
                    pending.append((value, ""))


def called(call: Node) -> str:
    """The bare name of the pg_catalog function a FuncCall calls, "" for another schema's."""
    return function_name(grammar.names(call.get("funcname", [])))


def _closing(place: str) -> str:
    if place == "cast":
        return ""
    return "text" if place.startswith("shown") else "oid"


def _cast(cast: Node, place: str) -> Lookup:
    # A cast literal is called after its type, a column or call keeps its name through the casts.
    unnamed = place == "shown unnamed" and constant_text(cast["arg"]) is not None
    return Lookup("cast", cast, _closing(place), lookup_type(cast) if unnamed else "")


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


def guard_of(call: Node) -> Guard | None:
    """The guard a FuncCall needs, None when it needs none. A setting named by a literal is judged
    when the statement is decided."""
    name = called(call)
    arguments = call.get("args", [])
    if name in SETTING_READERS:
        plain = bool(arguments) and constant_text(arguments[0]) is not None
        return None if plain else Guard(0, "setting")
    return GUARDED.get(name)


def cast_guard(lookup: str, operand: Node) -> str:
    """The guard kind for a cast of this operand: by OID for columns and calls, else by name."""
    kind = LOOKUP_TYPES[lookup]
    if "ColumnRef" in operand or "FuncCall" in operand:
        return kind
    if kind != "relation":
        raise Refusal(
            TYPE_NOT_ALLOWED, f"a cast to {lookup} is supported for names and columns only"
        )
    return "relation_name"


def operand_name(node: Node, fallback: str) -> str:
    """What PostgreSQL calls a result column made of this operand; casts pass the name on."""
    if "TypeCast" in node:
        return operand_name(node["TypeCast"]["arg"], fallback)
    parts: tuple[str, ...] = ()
    if "ColumnRef" in node:
        parts = grammar.names(node["ColumnRef"]["fields"])
    elif "FuncCall" in node:
        parts = grammar.names(node["FuncCall"]["funcname"])
    return parts[-1] if parts else fallback


def constant_text(node: Node) -> str | None:
    """The text of a string or whole-number literal, None for anything else."""
    literal = node.get("A_Const", {})
    if "sval" in literal:
        return str(literal["sval"].get("sval", ""))
    if "ival" in literal:
        return str(literal["ival"].get("ival", 0))
    return None
