"""Does a rewritten COPY, EXPLAIN, PREPARE or DECLARE still say what the original said?

An independent answer. The query inside is compared by `benchmarks.undo`. Around it may differ: COPY
of a table is the COPY of a SELECT of plain columns from that table alone, and COPY options may be
spelled anew. A cursor has no row beyond the cap. Knows nothing of the rewriter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import postgast

from benchmarks.undo import Expected, Message, between, equal

_HEADER = {"1": "true", "on": "true", "0": "false", "off": "false"}


def difference(original: str, rewritten: str, expected: Expected) -> str:
    """ "" when `rewritten` is `original` with only the permitted edits, else where it is not."""
    before, after = _statement(original), _statement(rewritten)
    kind = before.WhichOneof("node")
    if kind != after.WhichOneof("node"):
        return "another kind of statement"
    if kind == "select_stmt":
        return between(before.select_stmt, after.select_stmt, expected)
    if kind == "explain_stmt":
        return _around(before.explain_stmt, after.explain_stmt, expected)
    if kind == "prepare_stmt":
        return _around(before.prepare_stmt, after.prepare_stmt, expected)
    if kind == "declare_cursor_stmt":
        if expected.cap is not None:
            expected = replace(expected, cap=expected.cap - 1)
        return _around(before.declare_cursor_stmt, after.declare_cursor_stmt, expected)
    if kind == "copy_stmt":
        return _copied(before.copy_stmt, after.copy_stmt, expected)
    return f"a kind of statement that is not known: {kind}"


def _statement(text: str) -> Message:
    statements = postgast.parse(text).stmts
    return statements[0].stmt if len(statements) == 1 else postgast.pg_query_pb2.Node()


def _around(before: Message, after: Message, expected: Expected) -> str:
    if {side.query.WhichOneof("node") for side in (before, after)} != {"select_stmt"}:
        return "around: not a query"
    found = between(before.query.select_stmt, after.query.select_stmt, expected)
    before.ClearField("query")
    after.ClearField("query")
    return found or ("" if equal(before, after) else "around: other words")


def _copied(before: Message, after: Message, expected: Expected) -> str:
    shell = _statement("COPY (SELECT) TO STDOUT").copy_stmt
    shell.query.CopyFrom(after.query)
    shell.options.extend(after.options)
    if not equal(shell, after) or after.query.WhichOneof("node") != "select_stmt":
        return "copy: not of a query to the client"
    if before.is_from or before.is_program or before.filename:
        return "copy: it was not one to the client"
    if _options(before.options) != _options(after.options):
        return "copy: other options"
    inner = after.query.select_stmt
    if not before.HasField("relation"):
        return between(before.query.select_stmt, inner, expected)
    names = [part.string.sval for part in before.attlist] or _names(inner)
    if not before.attlist and len(set(names)) < len(names):
        return "copy: a column twice"
    table = _statement("SELECT FROM ONLY t").select_stmt
    table.from_clause[0].range_var.CopyFrom(before.relation)
    table.from_clause[0].range_var.inh = False
    for name in names:
        (target,) = _statement("SELECT c").select_stmt.target_list
        target.res_target.val.column_ref.fields[0].string.sval = name
        table.target_list.append(target)
    return between(table, inner, expected)


def _names(select: Message) -> list[str]:
    """Columns nobody named: which they are the table says, that they are its own the view."""
    references = (target.res_target.val.column_ref for target in select.target_list)
    return [part.string.sval for reference in references for part in reference.fields]


def _options(options: Iterable[Message]) -> dict[str, Any]:
    """By name, however they are spelled. UTF8 says nothing, for all text is; neither does text."""
    found: dict[str, Any] = {"header": "false", "format": "text"}
    for option in (entry.def_elem for entry in options):
        kind = option.arg.WhichOneof("node")
        value: Any = getattr(option.arg, kind) if kind else None
        match kind:
            case "list":
                value = tuple(part.string.sval for part in value.items)
            case "string":
                value = value.sval
            case "integer":
                value = str(value.ival)
            case "boolean":
                value = "true" if value.boolval else "false"
            case _:
                value = kind or "true"
        found[option.defname] = value
    found["header"] = _HEADER.get(found["header"].lower(), found["header"].lower())
    if found.pop("encoding", "utf8").lower().replace("-", "") not in ("utf8", "unicode"):
        found["encoding"] = "another"
    return found
