"""How a statement fails by itself when what it is about to write may not be.

    CAST(pg_catalog.concat('querywarden:2') AS pg_catalog.int4)

fails with a text that names the third of the statement's checks, and the session gives the client
the error that check describes. `concat` is STABLE, so the planner does not try it out beforehand.
"""

from __future__ import annotations

from policies.grammar import Node
from policies.masks import cast_name

ARGUMENT = "querywarden_argument"  # the client's own expression, in a template
_PLAIN = frozenset({"A_Const", "ParamRef"})


def raised(number: int, type_name: str = "integer") -> str:
    """An expression of that type that fails with check `number`."""
    failing = f"CAST(pg_catalog.concat('querywarden:{number}') AS pg_catalog.int4)"
    if type_name == "integer":
        return failing
    return f"CAST(CAST({failing} AS pg_catalog.text) AS {cast_name(type_name)})"


def is_plain(value: Node) -> bool:
    """A constant, a parameter, or a cast of one: what may stand in a statement twice."""
    while "TypeCast" in value:
        cast = value["TypeCast"]
        if "typmods" in cast["typeName"]:
            return False
        value = cast["arg"]
    return not value.keys().isdisjoint(_PLAIN)


def only(value: str, number: int, type_name: str) -> str:
    """The template of an expression that must equal `value`, the SQL of one of that type."""
    kind = cast_name(type_name)
    own = f"CAST({value} AS {kind})"
    return f"CASE WHEN ({ARGUMENT}) = {own} THEN {own} ELSE {raised(number, type_name)} END"


def unchanged(shown: str, column: str, number: int, type_name: str) -> str:
    """The template of an expression that must be what a column shows; the column stays."""
    failing = raised(number, type_name)
    return f"CASE WHEN ({ARGUMENT}) IS NOT DISTINCT FROM {shown} THEN {column} ELSE {failing} END"


def unmasked(shown: str, column: str) -> str:
    """The template of a new value for a masked column: what the mask shows means no change."""
    same = f"({ARGUMENT}) IS NOT DISTINCT FROM {shown}"
    return f"CASE WHEN {same} THEN {column} ELSE ({ARGUMENT}) END"
