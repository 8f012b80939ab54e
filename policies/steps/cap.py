"""cap: the outermost result is limited to one row more than the subject may have.

    SELECT a FROM t              ->  SELECT a FROM t LIMIT 101
    SELECT a FROM t LIMIT $1     ->  SELECT a FROM t LIMIT LEAST(($1)::bigint, 101)
    ... FETCH FIRST 5 ROWS WITH TIES  ->  SELECT * FROM (...) AS querywarden LIMIT 101

The extra row tells that there were more; the session swallows it. An own limit within the cap is
left alone. LEAST ignores NULL, so LIMIT NULL is capped too. A cursor gets no extra row: its rows
are read in steps, forth and back, and nobody could say which of them is the one too many.
"""

from __future__ import annotations

from policies.grammar import Node, Token
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.statement import Edit, Statement

WRAP = ("SELECT * FROM (", "\n) AS querywarden")
_END_OF_LIMIT = frozenset({"OFFSET", "FOR", "FETCH", "ASCII_59"})


def cap(statement: Statement) -> None:
    """Add the edit that limits the result, and set `statement.cap` when one was needed."""
    if statement.rows is None or statement.kind != "SelectStmt":
        return  # what a write gives back is limited by what it may write
    node, most = statement.node, statement.rows + statement.spare
    asked = own_limit(node)
    ties = node.get("limitOption") == "LIMIT_OPTION_WITH_TIES"
    if asked is not None and 0 <= asked <= statement.rows and not ties:
        return
    statement.cap = statement.rows
    end = len(statement.text)
    if ties:
        statement.edits.append(Edit(0, 0, WRAP[0], rank=-(1 << 40)))
        statement.edits.append(Edit(end, end, f"{WRAP[1]} LIMIT {most}", rank=1 << 40))
        return
    if "limitCount" not in node:
        if "limitOffset" in node and "lockingClause" in node:  # they stay side by side
            _, at = _found(statement, "limitOffset", "OFFSET")
            statement.edits.append(Edit(at.start, at.start, f"LIMIT {most} "))
        else:
            statement.edits.append(Edit(end, end, f"\nLIMIT {most}", rank=1 << 40))
        return
    start, first, last, fetch = _clause(statement)
    if (asked is not None and asked >= 0) or _is_all(node):
        statement.edits.append(Edit(start, last, f"LIMIT {most}"))
    else:
        opened, closed = "()" if fetch else ("", "")  # FETCH takes no call without brackets
        statement.edits.append(Edit(first, first, f"{opened}LEAST(("))
        statement.edits.append(Edit(last, last, f"\n)::pg_catalog.int8, {most}){closed}"))


def own_limit(node: Node) -> int | None:
    """The constant the statement limits itself to, None when there is none or it is computed."""
    literal = node.get("limitCount", {}).get("A_Const", {})
    return int(literal["ival"].get("ival", 0)) if "ival" in literal else None


def _is_all(node: Node) -> bool:
    return bool(node["limitCount"].get("A_Const", {}).get("isnull"))


def _found(statement: Statement, clause: str, *keywords: str) -> tuple[list[Token], Token]:
    """The keyword a clause begins with, and the tokens from there on."""
    place = _place(statement.node[clause]) - statement.offset
    tokens = [t for t in statement.tokens if t.name not in ("SQL_COMMENT", "C_COMMENT")]
    at = -1
    for i, token in enumerate(tokens):
        if token.start > place:
            break
        if token.name in keywords:
            at = i
    if at < 0:
        raise Refusal(UNSUPPORTED_SYNTAX, "the LIMIT of this statement could not be found")
    return tokens[at:], tokens[at]


def _clause(statement: Statement) -> tuple[int, int, int, bool]:
    """Byte places around the limit: where its clause starts, its expression, and where it ends:
    the expression, or the clause when it is a constant; and whether it is FETCH."""
    tokens, keyword = _found(statement, "limitCount", "LIMIT", "FETCH")
    if keyword.name == "LIMIT":
        return keyword.start, tokens[1].start, _end_of_limit(tokens, 0), False
    only = next((i for i, token in enumerate(tokens) if token.name == "ONLY"), 0)
    if only < 4:  # FETCH FIRST n ROWS ONLY
        raise Refusal(UNSUPPORTED_SYNTAX, "the FETCH of this statement could not be followed")
    constant = own_limit(statement.node) is not None or _is_all(statement.node)
    return keyword.start, tokens[2].start, tokens[only if constant else only - 2].end, True


def _place(node: Node) -> int:
    ((_, value),) = node.items()
    return int(value.get("location", 0))


def _end_of_limit(tokens: list[Token], at: int) -> int:
    depth, last = 0, tokens[at].end
    for token in tokens[at + 1 :]:
        if token.name in ("ASCII_40", "ASCII_91"):
            depth += 1
        elif token.name in ("ASCII_41", "ASCII_93"):
            depth -= 1
        if depth < 0 or (depth == 0 and token.name in _END_OF_LIMIT):
            break
        last = token.end
    return last
