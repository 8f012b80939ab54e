"""Statements whose shape hurts parsers: deep, long, or many of something.

Each is sent below 4 kB, a size at which no depth is suspicious by itself, and far above it.
"""

from __future__ import annotations

from collections.abc import Callable

Shape = Callable[[int], str]


def _around(before: str, middle: str, after: str) -> Shape:
    return lambda count: f"SELECT {before * count}{middle}{after * count}"


SHAPES: dict[str, Shape] = {
    "parentheses": _around("(", "1", ")"),
    "not": _around("NOT ", "true", ""),
    "signs": _around("- ", "1", ""),
    "sum": _around("", "1", "+1"),
    "concatenation": _around("", "'a'", "||'a'"),
    "logic": _around("", "true", " AND true OR true"),
    "case": _around("CASE WHEN true THEN ", "1", " END"),
    "casts": _around("", "1", "::int"),
    "arrays": _around("ARRAY[", "1", "]"),
    "calls": _around("abs(", "1", ")"),
    "comments": _around("/*", "", "*/"),
    "comments in a row": _around("/**/", "1", ""),
    "comments left open": _around("/*", "", ""),
    "operator characters": _around("", "1 ", "+-"),
    "subscripts": _around("", "('{1}'::int[])", "[1]"),
    "fields": lambda count: f"SELECT (a){'.a' * count} FROM products a",
    "subqueries": _around("* FROM (SELECT ", "1", ") x"),
    "set operations": _around("", "1", " UNION SELECT 1"),
    "set operations right": _around("1 UNION (SELECT ", "1", ")"),
    "joins": lambda count: (
        "SELECT 1 FROM products p"
        + "".join(f" JOIN products p{i} USING (id)" for i in range(count))
    ),
    "nested joins": lambda count: (
        "SELECT 1 FROM " + "(products CROSS JOIN " * count + "products" + ")" * count
    ),
    "with": lambda count: "WITH a AS (" * count + "SELECT 1" + ") SELECT 1" * count,
    "in list": lambda count: f"SELECT 1 WHERE 1 IN (1{',1' * count})",
    "select list": lambda count: f"SELECT 1{',1' * count}",
    "statements": lambda count: "SELECT 1;" * count,
    "dollar signs": lambda count: "SELECT " + "$a" * count,
    "indirection": lambda count: "SELECT " + "a." * count + "a",
}
SHORT = 4000  # bytes
LONG = 200_000


def shape(name: str, size: int) -> str:
    """That shape, repeated as often as fits into `size` bytes."""
    make = SHAPES[name]
    each = len(make(101)) - len(make(100))
    return make(max(0, size - len(make(0))) // each)
