"""How one system relation is shown: a row predicate, and columns replaced by what tells nothing.

Also the words such predicates are made of. Knows what a subject sees, no particular catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from policies.sight import OWN_ROLE, SYSTEM, Sight, only, or_listed
from policies.sql import array, identifier, literal

Made = Callable[[Sight], str]


@dataclass(frozen=True, slots=True)
class SystemView:
    """One system relation's policy view.

    `rows`: which rows, as SQL over its columns. `constants`: columns shown as something else.
    `kept`: when given, every other column is NULL. `source`: SQL of rows to show in its place,
    with `columns` that must be there.
    """

    rows: Made
    constants: Mapping[str, str | Made] | None = None
    kept: frozenset[str] | None = None
    source: Made | None = None

    def column(self, name: str, s: Sight) -> str | None:
        """The SQL a column is shown as; None for the column as it is."""
        made = (self.constants or {}).get(name)
        if made is not None:
            return made if isinstance(made, str) else made(s)
        return blank(name) if self.kept is not None and name not in self.kept else None


def everything(_: Sight) -> str:
    """All rows."""
    return "true"


def nothing(_: Sight) -> str:
    """No row."""
    return "false"


def blank(column: str) -> str:
    """NULL of the column's own type, whatever that is."""
    return f"CASE WHEN false THEN r.{identifier(column)} END"


def system(column: str) -> Made:
    """Rows of the system's own objects."""
    return lambda _: f"{column} {SYSTEM}"


def listed(column: str, oids: Callable[[Sight], frozenset[int]]) -> Made:
    """Rows of the system's own objects and of those the subject sees."""
    return lambda s: f"({or_listed(column, oids(s))})"


def seen(column: str, oids: Callable[[Sight], frozenset[int]]) -> Made:
    """Rows of objects the subject sees."""
    return lambda s: only(column, oids(s))


def if_seen(column: str, key: str, oids: Callable[[Sight], frozenset[int]]) -> Made:
    """A column's value where the row's `key` is the system's or seen, else NULL."""
    own = f"r.{identifier(column)}"
    return lambda s: f"CASE WHEN {or_listed(f'r.{key}', oids(s))} THEN {own} END"


def flag(column: str, key: str, oids: Callable[[Sight], frozenset[int]]) -> Made:
    """A boolean column of the system's rows; for others, whether `key` is one of these."""
    own = f"r.{identifier(column)}"
    return lambda s: f"CASE WHEN r.{key} {SYSTEM} THEN {own} ELSE {only(f'r.{key}', oids(s))} END"


def number(column: str, key: str, kind: str, numbers: Callable[[Sight], dict[int, int]]) -> Made:
    """A number of the system's rows; for others, what is counted for `key`, or 0."""

    def made(s: Sight) -> str:
        pairs = sorted(numbers(s).items())
        keys = array((oid for oid, _ in pairs), "pg_catalog.oid")
        found = "0"
        if pairs:
            values = "'{" + ",".join(str(n) for _, n in pairs) + f"}}'::pg_catalog.{kind}[]"
            found = f"COALESCE(({values})[pg_catalog.array_position({keys}, r.{key})], 0)"
        return f"CASE WHEN r.{key} {SYSTEM} THEN r.{identifier(column)} ELSE {found} END"

    return made


def owned(*columns: str) -> dict[str, str]:
    """Columns that hold an owner's OID."""
    return dict.fromkeys(columns, OWN_ROLE)


def named_rows(columns: str, listing: Iterable[tuple[object, ...]]) -> str:
    """A row-wise IN over names; `columns` are cast to text, as names are of several types."""
    texts = sorted(tuple(map(str, row)) for row in listing)
    values = ",".join("(" + ",".join(map(literal, row)) + ")" for row in texts)
    if not values:
        return "false"
    left = ", ".join(f"{column}::pg_catalog.text" for column in columns.split())
    return f"({left}) IN ({values})"


def in_schemas(column: str) -> str:
    """The system's own schemas."""
    return f"{column}::pg_catalog.text IN ('pg_catalog', 'information_schema')"


def named(columns: str, listing: Callable[[Sight], Iterable[tuple[object, ...]]]) -> Made:
    """Rows in the system's schemas and of the names listed; the first column is the schema."""
    schema = columns.split()[0]
    return lambda s: f"({in_schemas(schema)} OR {named_rows(columns, listing(s))})"


def only_named(columns: str, listing: Callable[[Sight], Iterable[tuple[object, ...]]]) -> Made:
    """Rows of the names listed."""
    return lambda s: named_rows(columns, listing(s))


def flag_named(
    column: str, columns: str, listing: Callable[[Sight], Iterable[tuple[object, ...]]]
) -> Made:
    """A boolean column in the system's schemas; elsewhere, whether the name is listed."""
    qualified = " ".join(f"r.{name}" for name in columns.split())
    schema = qualified.split()[0]
    return lambda s: (
        f"CASE WHEN {in_schemas(schema)} THEN r.{identifier(column)} "
        f"ELSE {named_rows(qualified, listing(s))} END"
    )


def unless_named(
    column: str, columns: str, listing: Callable[[Sight], Iterable[tuple[object, ...]]]
) -> Made:
    """A column's value, NULL for the names listed."""
    qualified = " ".join(f"r.{name}" for name in columns.split())

    def made(s: Sight) -> str:
        rows = named_rows(qualified, listing(s))
        own = f"r.{identifier(column)}"
        return own if rows == "false" else f"CASE WHEN NOT {rows} THEN {own} END"

    return made
