"""Random COPY ... FROM STDIN. The reference, a view, takes the same rows by INSERT."""

from __future__ import annotations

from tests.oracle.scopes import literal
from tests.oracle.writes.merges import Merges
from tests.oracle.writes.tables import Target
from tests.oracle.writes.texts import either
from tests.oracle.writes.values import FOREIGN_TENANTS, FOREIGN_USERS, TENANT, USER

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


class Copies(Merges):
    """COPY into a table."""

    data = b""  # what is sent after the statement

    def copy(self) -> str:
        """One COPY of a few rows."""
        target = self.target()
        columns = self._columns(target, masked=True)
        for forced in filter(None, (target.tenant, target.owner)):
            if forced not in columns and self.chance(0.8):  # COPY can add no column
                columns.append(forced)
        rows = [
            [self._field(target, column) for column in columns]
            for _ in range(self.r.choice((0, 1, 1, 2, 3, 6)))
        ]
        quoted = self.chance(0.4)
        self.data = (_csv if quoted else _text)(rows)
        options = self.pick((" WITH (FORMAT csv)", " CSV")) if quoted else ""
        masked = any(c in target.masked for c in columns)
        into = ", ".join(f"{c}_w" if c in target.masked else c for c in columns)
        values = ", ".join(
            f"({', '.join('NULL' if v is None else literal('text', v) for v in row)})"
            for row in rows
        )
        name = target.name + ("_w" if masked else "")
        # the rows one by one, as COPY takes them, or none
        source = f"VALUES {values}" if rows else f"SELECT {into} FROM {name} WHERE false"
        return either(
            f"COPY {target.name} ({', '.join(columns)}) FROM STDIN{options}",
            f"INSERT INTO {name} ({into}) {source}",
        )

    def _field(self, target: Target, column: str) -> str | None:
        if column == target.tenant:
            return TENANT if self.chance(0.8) else self.pick(FOREIGN_TENANTS)
        if column == target.owner:
            return USER if self.chance(0.8) else self.pick(FOREIGN_USERS)
        telling = self._telling(target, column)
        if telling is not None:
            return telling
        if column not in target.needed and self.chance(0.08):
            return None
        return self.text_of(target.column(column).kind)


def _text(rows: list[list[str | None]]) -> bytes:
    lines = [
        "\t".join(
            "\\N" if value is None else "".join(_ESCAPES.get(c, c) for c in value) for value in row
        )
        for row in rows
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _csv(rows: list[list[str | None]]) -> bytes:
    # an empty field is NULL, a quoted empty one is empty text
    lines = [
        ",".join("" if v is None else '"' + v.replace('"', '""') + '"' for v in row) for row in rows
    ]
    return "".join(f"{line}\n" for line in lines).encode()
