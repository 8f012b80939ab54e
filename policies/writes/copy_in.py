"""COPY table FROM STDIN: rows that come as data, each looked at before it is written.

    COPY orders (id, tenant_id) FROM STDIN CSV
    ->  COPY "public"."orders" ("id", "tenant_id") FROM STDIN (FORMAT 'csv')
        WHERE CASE WHEN ("orders"."tenant_id" = '7') IS NOT TRUE THEN <fail> ELSE true END

Nothing can be filled in, so tenant and owner must be among the columns. WHERE is evaluated after
defaults and before triggers, and cannot look at other tables: where that would be needed, COPY is
refused. What is sent is written anew from what was read, and proven.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from policies import grammar
from policies.copying import Options, read_options
from policies.envelope import uncertain
from policies.grammar import Node
from policies.reasons import (
    STATEMENT_NOT_ALLOWED,
    UNSUPPORTED_SYNTAX,
    WRITE_DISABLED,
    Refusal,
)
from policies.sql import identifier
from policies.statement import Site, Statement
from policies.steps.write import obligations
from policies.writes.insert import copied
from policies.writes.permission import permit
from policies.writes.raising import raised
from policies.writes.target import Target, target_of
from policies.writes.written import invariants, is_changed, left, references

_STDIN = "write COPY ... FROM STDIN; psql's \\copy reads a file on your side"


def copy_in(statement: Statement) -> None:
    """Set `statement.output` and what is known of it. Raises Refusal."""
    node = statement.node
    _only_from_stdin(statement)
    options = _options(node)
    site = Site(0, 0, 0, exp.Table())  # nothing is edited in the client's own text
    target = target_of(statement.kind, node, site, True, statement)
    statement.targets = [target]
    permit(statement)
    _check(target)
    columns = ", ".join(map(identifier, copied(target).columns))
    name = f"{identifier(target.relation.schema)}.{identifier(target.relation.name)}"
    condition = condition_of(target)
    where = f" WHERE {condition}" if condition else ""
    statement.output = f"COPY {name} ({columns}) FROM STDIN{options.text()}{where}".encode()
    statement.write = replace(obligations(statement, silent=False), copies_in=True)
    prove_copy_in(target)


def prove_copy_in(target: Target) -> None:
    """Refuse unless the output is the COPY asked for, of rows the subject may write."""
    statement, node = target.statement, target.node
    try:
        kind, after = grammar.parse_one(statement.output)
        options = read_options(after)
    except (grammar.GrammarError, grammar.TooDeep, Refusal) as error:
        raise uncertain() from error
    named = {"schemaname": target.relation.schema, "relname": target.relation.name}
    relation = {k: v for k, v in node["relation"].items() if k != "catalogname"}
    columns = [{"String": {"sval": column}} for column in copied(target).columns]
    expected: Node = {"relation": {**relation, **named}, "attlist": columns, "is_from": True}
    condition = condition_of(target)
    if condition:
        expected["whereClause"] = grammar.parse_expression(condition)
    rest = {key: value for key, value in after.items() if key != "options"}
    if kind != statement.kind or options != read_options(node) or not grammar.same(expected, rest):
        raise uncertain()


def condition_of(target: Target) -> str:
    """What every row must meet, as SQL; "" for nothing."""
    whens = [
        f"WHEN ({condition}) IS NOT TRUE THEN {raised(number, 'boolean')}"
        for condition, number in _conditions(target)
    ]
    return f"CASE {' '.join(whens)} ELSE true END" if whens else ""


def _conditions(target: Target) -> Iterator[tuple[str, int]]:
    for column, literal in target.forced.items():
        yield f"{target.own(column)} = {literal}", target.forced_check(column)
    entity = target.entity
    if entity.rows is not None or entity.soft_delete in copied(target).columns:
        yield target.scope, target.check(left(target))
    for condition, check in invariants(target):
        yield condition, target.check(check)


def _only_from_stdin(statement: Statement) -> None:
    node = statement.node
    if node.get("is_program"):
        raise Refusal(STATEMENT_NOT_ALLOWED, "COPY with PROGRAM is not allowed", _STDIN)
    if not statement.views.writers:
        raise Refusal(
            WRITE_DISABLED, "COPY FROM is not allowed: this login may only read", "send a SELECT"
        )
    if "filename" in node:
        raise Refusal(STATEMENT_NOT_ALLOWED, "COPY with a file is not allowed", _STDIN)
    if "whereClause" in node:
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            "COPY FROM STDIN takes no WHERE here",
            "send only the rows that are meant",
        )


def _options(node: Node) -> Options:
    options = read_options(node)
    if options.every or options.forced is not None:
        raise Refusal(UNSUPPORTED_SYNTAX, "COPY FROM STDIN has no option force_quote")
    return options


def _check(target: Target) -> None:
    """Note the columns; refuse what a COPY cannot make sure of."""
    listed = copied(target)
    target.written.update((name, None) for name in listed.columns if name not in target.forced)
    if listed.added:
        names = ", ".join(own.column for own in listed.added)
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f'COPY cannot fill in {names} of "{target.name}"',
            f"put {names} among the columns, with your own value in each row; or use INSERT",
            table=target.name,
        )
    why = _unseen(target)
    if why:
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f'COPY into "{target.name}" is not supported: {why}',
            f'use INSERT INTO "{target.name}" ({", ".join(listed.columns)}) VALUES ...',
            table=target.name,
        )


def _unseen(target: Target) -> str:
    """What a COPY could not look at; "" for nothing."""
    if any(True for _ in references(target)):
        return "its rows refer to rows of which you see only some"
    if is_changed(target):
        return "a row may become another one on its way"
    if target.statement.views.capability(target.capability).images:
        return "rows written under this capability are recorded"
    return ""
