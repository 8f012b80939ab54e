"""named: statements that make or use a name: PREPARE, EXECUTE, DECLARE, FETCH, MOVE.

    fetch 5 c          ->   FETCH FORWARD 5 FROM "c"
    execute p(1, $2)   ->   EXECUTE "p" (1, $2)

Written anew from PostgreSQL's tree. A decision knows no names: what a statement makes or uses goes
to the session as a `Naming`, and the session says whether it may.
"""

from __future__ import annotations

from policies.catalog import Catalog
from policies.comments import CAPABILITY
from policies.decision import Naming
from policies.envelope import Cover, closing
from policies.grammar import Node, names
from policies.reasons import STATEMENT_NOT_ALLOWED, TYPE_NOT_ALLOWED, UNSUPPORTED_SYNTAX, Refusal
from policies.sql import identifier
from policies.statement import Statement
from policies.steps.read import check_type

# Bits of DeclareCursorStmt.options (PostgreSQL source, nodes/parsenodes.h) in the order in which
# the words may stand.
_OPTIONS = (
    (0x01, "BINARY "),
    (0x08, "INSENSITIVE "),
    (0x10, "ASENSITIVE "),
    (0x02, "SCROLL "),
    (0x04, "NO SCROLL "),
)
_HOLD = 0x20
_ALL = (1 << 63) - 1  # FETCH_ALL
_DIRECTIONS = {
    "FETCH_FORWARD": "FORWARD",
    "FETCH_BACKWARD": "BACKWARD",
    "FETCH_ABSOLUTE": "ABSOLUTE",
    "FETCH_RELATIVE": "RELATIVE",
}


def prepare(statement: Statement) -> Cover:
    """What stands before the query of a PREPARE."""
    node, types = statement.node, ""
    statement.operation = "prepare"
    if node["name"] in statement.views.statements:
        raise Refusal(
            STATEMENT_NOT_ALLOWED,
            f'"{node["name"]}" is a statement of the rules',
            "give what you prepare another name",
        )
    statement.naming = Naming("prepare", node["name"])
    if "argtypes" in node:
        for entry in node["argtypes"]:
            _check_parameter(entry["TypeName"], statement)
        types = f" {_parenthesised(statement)}"
    return Cover(f"PREPARE {identifier(node['name'])}{types} AS ")


def declare(statement: Statement) -> Cover:
    """What stands before the query of a DECLARE. Its rows are read in steps, forth and back, so
    nobody could take an extra one out again."""
    node = statement.node
    options, hold = node["options"], bool(node["options"] & _HOLD)
    statement.operation = "declare"
    statement.naming = Naming("declare", node["portalname"], hold=hold)
    words = "".join(word for bit, word in _OPTIONS if options & bit)
    name = identifier(node["portalname"])
    return Cover(f"DECLARE {name} {words}CURSOR {'WITH HOLD ' if hold else ''}FOR ", spare=0)


def execute(node: Node, statement: Statement) -> str:
    """EXECUTE, with arguments that read nothing and call nothing."""
    statement.operation = "execute"
    wanted = statement.said.get(CAPABILITY, "")
    statement.naming = Naming("execute", node["name"], capability=wanted)
    for argument in node.get("params", []):
        check_argument(argument, statement)
    arguments = f" {_parenthesised(statement)}" if "params" in node else ""
    return f"EXECUTE {identifier(node['name'])}{arguments}"


def fetch(node: Node, statement: Statement) -> str:
    """FETCH and MOVE in any direction."""
    moves = node.get("ismove", False)
    statement.operation = "move" if moves else "fetch"
    statement.naming = Naming("fetch", node["portalname"])
    direction, count = _DIRECTIONS[node["direction"]], node.get("howMany", 0)
    many = "ALL" if count == _ALL else str(count)
    verb, name = "MOVE" if moves else "FETCH", identifier(node["portalname"])
    return f"{verb} {direction} {many} FROM {name}"


def parameter_types(seen: frozenset[int], catalog: Catalog) -> frozenset[int]:
    """Of the user types a subject sees, those a parameter may have: no rows, nor what is made of
    them."""
    rows = {known.oid for known in catalog.types if known.kind == "c"}
    return seen.difference(
        rows, (known.oid for known in catalog.types if rows.intersection(known.parts))
    )


def _check_parameter(node: Node, statement: Statement) -> None:
    """A parameter's type picks the operators around it, so it must be one the decision knows."""
    check_type(node, False, statement)
    _check_modifiers(node)
    catalog, name = statement.catalog, names(node["names"])[-1]
    seen = statement.views.sight.types
    named = {known.oid for known in catalog.types if known.name == name and known.oid in seen}
    if not named <= parameter_types(seen, catalog):
        raise Refusal(
            TYPE_NOT_ALLOWED,
            f"type {name} cannot be the type of a parameter",
            "leave the parameter's type open",
        )


def check_argument(argument: Node, statement: Statement) -> None:
    """A constant, a parameter, or a cast of one."""
    while "TypeCast" in argument:
        cast = argument["TypeCast"]
        check_type(cast["typeName"], False, statement)
        _check_modifiers(cast["typeName"])
        argument = cast["arg"]
    if not argument.keys() & {"A_Const", "ParamRef"}:
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            "arguments of EXECUTE can only be constants, parameters and casts of these",
            "write the value itself; an array as '{1,2}'",
        )


def _check_modifiers(node: Node) -> None:
    if not all("A_Const" in modifier for modifier in node.get("typmods", [])):
        raise Refusal(UNSUPPORTED_SYNTAX, "the modifier of a type must be a constant")


def _parenthesised(statement: Statement) -> str:
    """The list in the first parentheses, as the client wrote it; it is proven with the rest."""
    tokens = statement.tokens
    at = next(i for i, token in enumerate(tokens) if token.name == "ASCII_40")
    return statement.text[tokens[at].start : closing(tokens, at)].decode()
