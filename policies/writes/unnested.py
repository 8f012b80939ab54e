"""`INSERT ... SELECT * FROM unnest(...)`: rows that come as one array for each column.

    INSERT INTO t (a, org) SELECT * FROM unnest($1::text[], $2::int4[])
    ->  INSERT INTO t (a, org) SELECT q."1", <q."2", which must be the subject's>
        FROM unnest($1::text[], $2::int4[]) AS q("1", "2")

The columns are given names, so that the one for tenant or owner can be told.
"""

from __future__ import annotations

from policies import grammar
from policies.catalog import Catalog
from policies.grammar import Node
from policies.sql import identifier

ROWS = "querywarden"  # what the rows of the arrays go by
_BARE = frozenset({"targetList", "fromClause", "limitOption", "op"})


def arrays(leaf: Node, count: int, catalog: Catalog) -> Node | None:
    """The RangeFunction, when this is `SELECT * FROM unnest(...)` of so many arrays; else None.

    An array of rows would give several columns; a cast says that it is none.
    """
    targets, sources = leaf.get("targetList", []), leaf.get("fromClause", [])
    if leaf.keys() - _BARE or len(targets) != 1 or len(sources) != 1:
        return None
    fields = targets[0]["ResTarget"]["val"].get("ColumnRef", {}).get("fields", [])
    source = sources[0].get("RangeFunction", {})
    if len(fields) != 1 or "A_Star" not in fields[0] or len(source.get("functions", [])) != 1:
        return None
    if source.keys() - {"functions"}:
        return None  # ROWS FROM, an alias, WITH ORDINALITY
    call = source["functions"][0]["List"]["items"][0].get("FuncCall", {})
    name, given = grammar.names(call.get("funcname", [])), call.get("args", [])
    if name not in (("unnest",), ("pg_catalog", "unnest")) or len(given) != count:
        return None
    if call.keys() & {"agg_order", "agg_filter", "over", "func_variadic"}:
        return None
    return source if all(_is_array(one, catalog) for one in given) else None


def _is_array(value: Node, catalog: Catalog) -> bool:
    type_name = value.get("TypeCast", {}).get("typeName", {})
    parts = grammar.names(type_name.get("names", []))
    if "arrayBounds" not in type_name or not parts:
        return False
    if parts[-1] in catalog.builtin_types and parts[:-1] in ((), ("pg_catalog",)):
        return True
    return any(t.name == parts[-1] and t.kind in ("b", "e") for t in catalog.types)


def column(number: int) -> str:
    """The SQL of one of the columns, counted from 1."""
    return f"{ROWS}.{identifier(str(number))}"


def names(count: int) -> str:
    """The alias with the names of that many columns."""
    listed = ", ".join(identifier(str(number)) for number in range(1, count + 1))
    return f" AS {ROWS}({listed})"


def named(source: Node, count: int) -> Node:
    """The tree of the function in FROM with that alias."""
    columns = [{"String": {"sval": str(number)}} for number in range(1, count + 1)]
    return {"RangeFunction": {**source, "alias": {"aliasname": ROWS, "colnames": columns}}}
