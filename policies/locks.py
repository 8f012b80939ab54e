"""What FOR UPDATE and its kin lock: the relations of one SELECT's FROM, derived tables included.

    SELECT * FROM users u JOIN (SELECT * FROM orders) o ON true FOR SHARE OF o   ->   orders

Names after OF are aliases of the FROM list, never relations (manual, SELECT, "The Locking Clause").
"""

from __future__ import annotations

from collections.abc import Iterator

from policies import grammar
from policies.grammar import Node
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal


def locked(select: Node, clause: Node) -> Iterator[Node]:
    """RangeVar nodes one LockingClause of a SELECT locks; names of WITH queries are among them.

    Raises Refusal for a name after OF that FROM does not give.
    """
    sources = list(_named(select.get("fromClause", [])))
    if "lockedRels" not in clause:
        for _, source in sources:
            yield from _relations(source)
    for named in clause.get("lockedRels", []):
        alias = named["RangeVar"]
        meant = [source for name, source in sources if name == alias["relname"]]
        if not meant or "schemaname" in alias or "alias" in alias:
            raise Refusal(
                UNSUPPORTED_SYNTAX,
                f'"{alias["relname"]}" after OF is no table of this FROM',
                "name the alias the table has in FROM, without its schema",
            )
        for source in meant:
            yield from _relations(source)


def _named(items: list[Node]) -> Iterator[tuple[str, Node]]:
    """Name and item of everything in FROM that can be locked."""
    for item in items:
        ((kind, node),) = item.items()
        if kind == "JoinExpr":
            yield from _named([node["larg"], node["rarg"]])
        elif kind == "RangeTableSample":
            yield from _named([node["relation"]])
        else:
            yield grammar.alias(node), item


def _relations(item: Node) -> Iterator[Node]:
    """The relations a lock of this item reaches."""
    if "RangeVar" in item:
        yield item["RangeVar"]
    elif "RangeSubselect" in item:
        yield from _of_select(item["RangeSubselect"]["subquery"]["SelectStmt"])


def _of_select(select: Node) -> Iterator[Node]:
    for _, source in _named(select.get("fromClause", [])):
        yield from _relations(source)
    for arm in ("larg", "rarg"):
        if arm in select:
            yield from _of_select(select[arm])
