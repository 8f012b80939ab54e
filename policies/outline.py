"""What conditions a SELECT has and what they are on: the parts of its tree, found in one walk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from policies import grammar
from policies.grammar import Node

_ALIASED = frozenset({"RangeSubselect", "RangeFunction", "JoinExpr"})
_CONDITIONS = frozenset({"whereClause", "havingClause", "quals"})
_RENAMING = frozenset({"colnames", "aliascolnames", "coldeflist"})


@dataclass(slots=True)
class Outline:
    """`selects`: every SELECT with a FROM list; `outputs`: those whose columns go by their names
    elsewhere, arms of set operations each for itself; `united`: those that are such arms;
    `others`: aliases of anything in FROM that is no relation; `renamed`: whether columns go by
    other names than their own; `natural`: whether something is joined by whatever names agree."""

    relations: list[Node] = field(default_factory=list)
    selects: list[Node] = field(default_factory=list)
    outputs: list[Node] = field(default_factory=list)
    united: list[Node] = field(default_factory=list)
    conditions: list[Node] = field(default_factory=list)
    joined_by: list[tuple[str, ...]] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    parameters: Counter[int] = field(default_factory=Counter)
    renamed: bool = False
    natural: bool = False


def outline(root: Node) -> Outline:
    """The outline of a SelectStmt."""
    found = Outline()
    for key, value in grammar.walk({"SelectStmt": root}):
        if key in _CONDITIONS:
            found.conditions.append(value)
        elif key == "RangeVar":
            found.relations.append(value)
        elif key in _ALIASED:
            _note_source(key, value, found)
        elif key == "CommonTableExpr":
            _note_output(value["ctequery"], found)
        elif key == "ParamRef":
            found.parameters[value["number"]] += 1
        elif key == "join_using_alias":
            found.others.add(value["aliasname"])
        elif key in _RENAMING:
            found.renamed = True
        if key in ("SelectStmt", "larg", "rarg") and "fromClause" in value:
            found.selects.append(value)
    found.others |= found.functions
    return found


def _note_source(kind: str, node: Node, found: Outline) -> None:
    found.others.add(grammar.alias(node))
    if kind == "RangeSubselect":
        _note_output(node["subquery"], found)
    elif kind == "JoinExpr":
        found.natural = found.natural or bool(node.get("isNatural"))
        if "usingClause" in node:
            found.joined_by.append(grammar.names(node["usingClause"]))
    else:
        found.functions.add(grammar.alias(node))
        for entry in node["functions"]:
            call = entry["List"]["items"][0].get("FuncCall", {})
            found.functions.update(grammar.names(call.get("funcname", []))[-1:])


def _note_output(query: Node, found: Outline) -> None:
    pending: list[Any] = [query.get("SelectStmt", {})]
    single = pending[0].get("op", "SETOP_NONE") == "SETOP_NONE"
    while pending:
        select = pending.pop()
        if select.get("op", "SETOP_NONE") != "SETOP_NONE":
            pending += [select["larg"], select["rarg"]]
        else:
            (found.outputs if single else found.united).append(select)
