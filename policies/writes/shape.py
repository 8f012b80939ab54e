"""A writing statement as the query that finds its rows, for the steps that know queries only.

    UPDATE orders o SET a = x FROM users u WHERE o.b = u.b RETURNING o.c
    ->  SELECT o.c FROM users u, orders o WHERE o.b = u.b      (and x, as another clause)

The nodes inside are the statement's own, so that what is found in them can be found again.
"""

from __future__ import annotations

from policies.grammar import Node

VERBS = {
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
}
_BARE: Node = {"limitOption": "LIMIT_OPTION_DEFAULT", "op": "SETOP_NONE"}


def shape(kind: str, node: Node) -> Node:
    """The node of a SelectStmt. A query without writes in it is itself."""
    match kind:
        case "SelectStmt":
            own = node
        case "InsertStmt":
            own = _insert(node)
        case "UpdateStmt":
            assigned = [target["ResTarget"].get("val", {}) for target in node["targetList"]]
            own = _found(node, node.get("fromClause", []), node.get("whereClause"), assigned)
        case "DeleteStmt":
            own = _found(node, node.get("usingClause", []), node.get("whereClause"), [])
        case "MergeStmt":
            source, condition = node["sourceRelation"], node["joinCondition"]
            own = _found(node, [source], condition, node["mergeWhenClauses"])
        case _:
            raise ValueError(kind)
    return _with(own, node.get("withClause"))


def _found(node: Node, sources: list[Node], condition: Node | None, assigned: list[Node]) -> Node:
    """The target stands last: what comes before it may not look at it."""
    relation = {"RangeVar": node["relation"]}
    found = {**_BARE, **_results(node), "fromClause": [*sources, relation], "assigned": assigned}
    return {**found, "whereClause": condition} if condition is not None else found


def _insert(node: Node) -> Node:
    source = node.get("selectStmt", {}).get("SelectStmt", {})
    found = {**_BARE, **_results(node), "assigned": [node.get("onConflictClause", {})]}
    if "valuesLists" in source:
        return {**found, "assigned": [*found["assigned"], source["valuesLists"]]}
    if source:
        subquery = {"SelectStmt": shape("SelectStmt", source)}
        alias = {"aliasname": "querywarden"}
        found["fromClause"] = [{"RangeSubselect": {"subquery": subquery, "alias": alias}}]
    return found


def _results(node: Node) -> Node:
    clause = node.get("returningClause")
    return {"targetList": clause["exprs"]} if clause is not None else {}


def _with(own: Node, clause: Node | None) -> Node:
    if clause is None:
        return own
    queries = []
    for entry in clause["ctes"]:
        query = entry["CommonTableExpr"]
        ((kind, node),) = query["ctequery"].items()
        if kind in VERBS:
            shaped = {"SelectStmt": shape(kind, node)}
            entry = {"CommonTableExpr": {**query, "ctequery": shaped}}
        queries.append(entry)
    if all(one is other for one, other in zip(queries, clause["ctes"], strict=True)):
        return own if own.get("withClause") is clause else {**own, "withClause": clause}
    return {**own, "withClause": {**clause, "ctes": queries}}
