"""Statements that write, with a leaky condition wherever PostgreSQL could run it on hidden rows.

As `leaky_statements`, whose conditions these are: `t` is the table the condition is about, be it
the one that is written or one that is read beside it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.attacks.leaky_statements import CONDITIONS, Leaky
from tests.attacks.telling import SCOPED, SHARED

_VALUES = "status, amount, label, mail, info, kind, day, tags, ref"
_ROW = "'open', 5, 'V5', 'V5@V.example', '{\"k\": \"V5\"}', 'warm', '2024-01-05', '{V5}', 5"

PLACES = {
    "update": "UPDATE {t} t SET ref = 1 WHERE {c}",
    "update with key": "UPDATE {t} t SET ref = 1 WHERE t.id IN (3, 5, 1003, 1005) AND ({c})",
    "update returning": "UPDATE {t} t SET ref = 1 RETURNING t.id, {c}",
    "set": "UPDATE {t} t SET ref = CASE WHEN {c} THEN 1 ELSE 2 END",
    "set with key": "UPDATE {t} t SET ref = CASE WHEN {c} THEN 1 ELSE 2 END WHERE t.id IN (5,"
        " 1005)",
    "row assignment": "UPDATE {t} t SET (ref, label) = (SELECT coalesce(max(x.id), 0), 'V'"
        " FROM {s} x WHERE {c})",
    "update from": "UPDATE {t} t SET ref = s.id FROM {s} s WHERE s.id = t.ref AND {c}",
    "update from leaky": "UPDATE {t} t SET ref = s.id FROM {s} s WHERE s.label LIKE t.label AND"
        " {c}",
    "update beside": "UPDATE {s} s SET ref = 1 FROM {t} t WHERE s.id = t.ref AND {c}",
    "update beside left": "UPDATE {s} s SET ref = 1 FROM kinds k LEFT JOIN {t} t ON t.ref = k.id"
        " AND"
                          " {c} WHERE s.id = k.id",
    "update in": "UPDATE {s} s SET ref = 1 WHERE s.id IN (SELECT t.ref FROM {t} t WHERE {c})",
    "update exists": "UPDATE {s} s SET ref = 1 WHERE NOT EXISTS (SELECT FROM {t} t WHERE t.ref ="
        " s.id"
                     " AND {c})",
    "set scalar": "UPDATE {s} s SET ref = coalesce((SELECT max(t.ref) FROM {t} t WHERE t.id ="
        " s.ref AND"
                  " {c}), 0)",
    "delete": "DELETE FROM {t} t WHERE {c}",
    "delete or": "DELETE FROM {t} t WHERE t.id = 1 OR {c}",
    "delete returning": "DELETE FROM {t} t WHERE t.id < 2000 RETURNING t.id, {c}",
    "delete using": "DELETE FROM {t} t USING {s} s WHERE s.id = t.ref AND {c}",
    "delete beside": "DELETE FROM {s} s USING {t} t WHERE t.ref = s.id AND {c}",
    "insert": "INSERT INTO {s} (id, " + _VALUES + ") SELECT 100 + t.id, 'open', 1, 'V', 'V', '{}',"
              " 'warm', '2024-01-01', '{}', 1 FROM {t} t WHERE {c}",
    "insert returning": "INSERT INTO {t} AS t (id, " + _VALUES + ") VALUES (99, " + _ROW + ")"
                        " RETURNING t.id, {c}",
    "conflict": "INSERT INTO {t} AS t (id, " + _VALUES + ") VALUES (5, " + _ROW + "),"
        " (1005, " + _ROW + ") ON CONFLICT (id) DO UPDATE SET ref = 1 WHERE {c}",
    "conflict set": "INSERT INTO {t} AS t (id, " + _VALUES + ") VALUES (5, " + _ROW + "),"
        " (1005, " + _ROW + ") ON CONFLICT (id) DO UPDATE SET"
        " ref = CASE WHEN {c} THEN 1 ELSE 2 END",
    "merge on": "MERGE INTO {t} t USING {s} s ON t.id = s.id AND {c} WHEN MATCHED THEN UPDATE SET"
                " ref = 1",
    "merge when": "MERGE INTO {t} t USING {s} s ON t.id = s.id WHEN MATCHED AND {c} THEN DELETE",
    "merge set": "MERGE INTO {t} t USING {s} s ON t.id = s.id WHEN MATCHED THEN UPDATE SET"
                 " ref = CASE WHEN {c} THEN 1 ELSE 2 END",
    "merge source": "MERGE INTO {s} s USING (SELECT * FROM {t} t WHERE {c}) t ON s.id = t.id"
        " WHEN MATCHED"
                    " THEN UPDATE SET ref = 1",
    "merge insert": "MERGE INTO {s} s USING {t} t ON s.id = t.id + 100 AND {c} WHEN NOT MATCHED"
        " THEN INSERT"
                    " (id, " + _VALUES + ") VALUES (100 + t.id, " + _ROW + ")",
    "with": "WITH w AS (UPDATE {t} t SET ref = 1 WHERE t.id IN (4, 5, 1005) AND ({c}) RETURNING"
        " t.id)"
            " SELECT * FROM w",
}  # fmt: skip
# Whether a row is inserted or met depends on keys of hidden rows: rules should not permit that.
COLLIDING = {"conflict", "conflict set"}


def statements(only: str = "") -> Iterator[Leaky]:
    """Every condition in every place, or in that one; the tables take turns."""
    tables, others = [*SCOPED], [*SCOPED, SHARED]
    number = 0
    for place, text in PLACES.items():
        for condition in CONDITIONS:
            table, other = tables[number % len(tables)], others[number // 3 % len(others)]
            filled = text.replace("{c}", condition).replace("{t}", table).replace("{s}", other)
            if only in ("", place):
                yield Leaky(number, place, filled)
            number += 1
