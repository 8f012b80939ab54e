"""calling: EXECUTE of a capability that is a statement of the rules.

    EXECUTE refund(7, $1)   ->   UPDATE orders SET note = CAST($1 AS text) WHERE id = CAST(7 AS int)

The arguments take their places in the text of the rules, and what comes of it takes every step as
that capability does; no other text runs under it. A name of the rules is theirs in every session:
PREPARE cannot take it.
"""

from __future__ import annotations

from typing import Any

from policies import grammar
from policies.choice import not_granted
from policies.comments import CAPABILITY
from policies.grammar import Node, Raw, Token
from policies.named import check_argument
from policies.reasons import STATEMENT_NOT_ALLOWED, UNSUPPORTED_SYNTAX, VALIDATION_ERROR, Refusal
from policies.rules_writes import NamedStatement
from policies.statement import Statement


def called(statement: Statement) -> str:
    """The capability whose statement this EXECUTE calls, "" for none. Raises Refusal when another
    one was chosen."""
    if statement.kind != "ExecuteStmt" or statement.node["name"] not in statement.views.statements:
        return ""
    name: str = statement.node["name"]
    subject = statement.subject
    chosen = statement.said.get(CAPABILITY) or subject.capability
    if subject.bound and chosen != subject.capability:
        raise not_granted(chosen, [subject.capability])
    if chosen not in ("", name):
        raise Refusal(
            STATEMENT_NOT_ALLOWED,
            f'"{name}" runs under the capability of its name, and "{chosen}" was chosen',
            "choose none, or that one",
        )
    return name


def fill(statement: Statement, rule: NamedStatement) -> Raw:
    """The statement of the rules with these arguments in it. Raises Refusal."""
    name, types = statement.node["name"], list(rule.parameters.values())
    nodes = statement.node.get("params", [])
    if len(nodes) != len(types):
        takes = ", ".join(f"{parameter} {kind}" for parameter, kind in rule.parameters.items())
        raise Refusal(
            VALIDATION_ERROR,
            f'"{name}" takes {len(types)} values, not {len(nodes)}',
            f"write EXECUTE {name}({takes})" if takes else f"write EXECUTE {name}",
        )
    for node in nodes:
        check_argument(node, statement)
    given = [
        f"CAST({text} AS {kind})" for text, kind in zip(_arguments(statement), types, strict=True)
    ]
    data, pieces, at = rule.sql.encode(), list[bytes](), 0
    for token in grammar.tokens(data):
        if token.name == "PARAM":
            pieces += [data[at : token.start], given[_number(data, token) - 1].encode()]
            at = token.end
    (raw,) = grammar.parse(b"".join([*pieces, data[at:]]))
    _prove(raw, rule, given, nodes)
    return raw


def _number(data: bytes, token: Token) -> int:
    return int(data[token.start + 1 : token.end])


def _arguments(statement: Statement) -> list[str]:
    """The arguments as the client wrote them, without comments around them."""
    tokens = [t for t in statement.tokens if t.name not in ("SQL_COMMENT", "C_COMMENT")]
    opening = [at for at, token in enumerate(tokens) if token.name == "ASCII_40"]
    if not opening:
        return []
    found, depth, start = list[str](), 0, opening[0] + 1
    for at in range(opening[0], len(tokens)):
        name = tokens[at].name
        if (name == "ASCII_44" and depth == 1) or (name == "ASCII_41" and depth == 1):
            found.append(statement.text[tokens[start].start : tokens[at - 1].end].decode())
            start = at + 1
        depth += {"ASCII_40": 1, "ASCII_91": 1, "ASCII_41": -1, "ASCII_93": -1}.get(name, 0)
        if depth == 0:
            break
    return found


def _prove(raw: Raw, rule: NamedStatement, given: list[str], nodes: list[Node]) -> None:
    """Refuse unless the text is the rules' with each parameter replaced by its argument, cast."""
    kind, tree = grammar.parse_one(rule.sql)
    casts = [grammar.parse_expression(text) for text in given]
    whole = all(
        grammar.same(cast.get("TypeCast", {}).get("arg"), node)
        for cast, node in zip(casts, nodes, strict=True)
    )
    if not whole or raw.kind != kind or not grammar.same(_with(tree, casts), raw.node):
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            "the arguments could not be told apart with certainty, so the statement is refused",
            "write plain constants and parameters",
        )


def _with(tree: Any, arguments: list[Node]) -> Any:
    """A tree with an argument for each parameter."""
    if isinstance(tree, list):
        return [_with(each, arguments) for each in tree]
    if not isinstance(tree, dict):
        return tree
    if "ParamRef" in tree:
        return arguments[tree["ParamRef"]["number"] - 1]
    return {key: _with(value, arguments) for key, value in tree.items()}
