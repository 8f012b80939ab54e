"""Writing identifiers and literals into SQL. Texts made here assume standard_conforming_strings on,
which every upstream session is pinned to."""

from __future__ import annotations

from collections.abc import Iterable


def identifier(name: str) -> str:
    """`name` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """`value` as an untyped string literal, so that it takes the type of what it meets.

    Raises ValueError for text PostgreSQL cannot hold.
    """
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if "\0" in text:
        raise ValueError("NUL cannot stand in a literal")
    return "'" + text.replace("'", "''") + "'"


def array(numbers: Iterable[int], type_name: str) -> str:
    """Whole numbers as an array literal, in order: `'{1,2}'::oid[]`."""
    return "'{" + ",".join(map(str, sorted(numbers))) + "}'::" + type_name + "[]"
