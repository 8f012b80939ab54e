"""Points in time that say nothing of any row and cannot fail, as now() - interval '7 days'.

Beside a column they count as constants: PostgreSQL works them out the same whatever the rows are.
"""

from __future__ import annotations

import re

from policies import grammar
from policies.grammar import Node

_DATE, _LOCAL = "date", "timestamp without time zone"
_ZONED = "timestamp with time zone"
_NOW = frozenset({"now", "transaction_timestamp", "statement_timestamp"})
_VALUES = {
    "SVFOP_CURRENT_DATE": (_DATE, "CURRENT_DATE"),
    "SVFOP_CURRENT_TIMESTAMP": (_ZONED, "CURRENT_TIMESTAMP"),
    "SVFOP_LOCALTIMESTAMP": (_LOCAL, "LOCALTIMESTAMP"),
}
_CASTS = {"date": _DATE, "timestamp": _LOCAL, "timestamptz": _ZONED}
_UNITS = frozenset({"second", "minute", "hour", "day", "week", "month", "quarter", "year"})
# Short enough, moved once, to stay within what dates can hold on either side of now.
_SHORT = re.compile(
    r"(?:(?:\d{1,3} years?|\d{1,4} (?:second|minute|hour|day|week|month)s?)(?: (?!\Z)|\Z)){1,3}"
)
_MOST_DAYS = 99_999


def moment(node: Node, *, moved: bool = False) -> tuple[str, str] | None:
    """Type and SQL of such an expression; None for anything else. `moved`: an interval has been
    added to it already, and another could lead too far."""
    ((kind, value),) = node.items()
    match kind:
        case "SQLValueFunction":
            return _VALUES.get(value["op"])
        case "FuncCall":
            return _called(value, moved)
        case "TypeCast":
            written = value["typeName"]
            name = grammar.names(written["names"])[-1]
            inner = moment(value["arg"], moved=moved)
            if inner is None or name not in _CASTS or {"typmods", "arrayBounds"} & written.keys():
                return None
            return _CASTS[name], f"({inner[1]})::pg_catalog.{name}"
        case "A_Expr" if value["kind"] == "AEXPR_OP" and "lexpr" in value and not moved:
            return _moved(value)
        case _:
            return None


def _called(call: Node, moved: bool) -> tuple[str, str] | None:
    parts = grammar.names(call["funcname"])
    arguments = call.get("args", [])
    if len(parts) == 2 and parts[0] != "pg_catalog":
        return None
    if parts[-1] in _NOW and not arguments:
        return _ZONED, f"pg_catalog.{parts[-1]}()"
    if parts[-1] == "date_trunc" and len(arguments) == 2:
        unit = arguments[0].get("A_Const", {}).get("sval", {}).get("sval", "")
        inner = moment(arguments[1], moved=moved)
        if inner is not None and unit in _UNITS and inner[0] != _DATE:
            return inner[0], f"pg_catalog.date_trunc('{unit}', {inner[1]})"
    return None


def _moved(operation: Node) -> tuple[str, str] | None:
    """A moment and an interval, or a date and a number of days, added or taken off."""
    sign = grammar.names(operation["name"])
    start = moment(operation["lexpr"], moved=True)
    if sign not in (("+",), ("-",)) or start is None:
        return None
    kind, text = start
    by = operation["rexpr"]
    days = by.get("A_Const", {}).get("ival", {}).get("ival", 0)
    if kind == _DATE and "ival" in by.get("A_Const", {}) and 0 <= days <= _MOST_DAYS:
        return _DATE, f"({text} {sign[0]} {days})"
    span = _interval(by)
    if span is None:
        return None
    return _LOCAL if kind == _DATE else kind, f"({text} {sign[0]} {span})"


def _interval(node: Node) -> str | None:
    cast = node.get("TypeCast", {})
    written = cast.get("typeName", {})
    if grammar.names(written.get("names", []))[-1:] != ("interval",):
        return None
    text = cast["arg"].get("A_Const", {}).get("sval", {}).get("sval", "")
    if {"typmods", "arrayBounds"} & written.keys() or not _SHORT.fullmatch(text):
        return None
    return f"'{text}'::pg_catalog.interval"
