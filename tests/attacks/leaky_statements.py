"""Statements with a leaky condition in every place PostgreSQL could move one from.

A condition is about the alias `t`; `places` says where it stands; `statements` gives all pairs,
over all tables in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.attacks.telling import SCOPED, SHARED

# True for every visible row and every hidden one, or for about half of both.
CONDITIONS = (
    "starts_with(t.label, 'V')",
    "t.label LIKE '%1%'",
    "t.label ILIKE 'v%'",
    "NOT (t.label ~ '2$')",
    "t.label SIMILAR TO '%[12345]'",
    "lower(t.label) <> 'v1'",
    "t.label IN ('V1', 'V2', lower(t.mail))",
    "t.label = ANY (ARRAY['V3', md5(t.mail)])",
    "t.mail LIKE '%*%'",
    "t.amount > 5",
    "t.amount BETWEEN 2 AND 2000",
    "(t.amount <> 3) IS NOT FALSE",
    "CASE WHEN t.amount > 5 THEN true ELSE t.id < 4 END",
    "t.id + 0 > 2",
    "100 / t.id < 40",
    "abs(t.id) IN (1, 2, 3, 1001, 1002)",
    "t.id <> 7.5",
    "t.info ->> 'k' <> 'V1'",
    "t.info @> '{}'",
    "t.info ? 'k'",
    "t.kind <> 'new'",
    "t.tags && ARRAY['V1', 'V2', 'F1', 'F2']",
    "t.day < '2024-01-08'::timestamptz",
    "(t.ref, t.amount) > (2, 3)",
    "coalesce(t.label, '') LIKE 'V%'",
    "t::text LIKE '%V%'",
    "starts_with(t.label, 'V') AND t.label LIKE '%1%'",
    "(t.label LIKE '%1' OR t.id = 5)",
    "NOT EXISTS (SELECT 1 FROM {s} x WHERE x.id = t.ref AND x.label LIKE t.label)",
    "t.label LIKE (SELECT max(x.status) || '%' FROM {s} x WHERE x.amount > t.amount)",
    # with what may be copied to below the fence
    "t.id = 5 AND t.amount > 1",
    "t.id IN (3, 4, 1003, 1004) AND t.label LIKE '%'",
    "t.id < 1100 AND lower(t.label) <> 'x'",
    "t.label = 'V5' AND t.info ? 'k'",
    "t.label = 'F5' AND t.info ? 'k'",
    "t.ref BETWEEN 2 AND 1010 AND 100 / t.ref < 90",
    "t.day > '2024-01-03' AND t.amount < 2000",
    "t.label >= 'F' AND t.ref = ANY ('{1,2,3,1001}') AND t.mail LIKE '%'",
    "t.id > $1 AND t.label LIKE '%'",
    "t.id = $1 AND 10 / t.id < 9",
    "t.gone IS NULL AND t.status = 'open' AND abs(t.ref) > 1",
    "(t.id = 5 OR t.id = 1005) AND t.label LIKE '%'",
    "t.id NOT IN (1, 2, 1001) AND t.amount <> 4",
)

PLACES = {
    "where": "SELECT t.id, t.label FROM {t} t WHERE {c}",
    "or": "SELECT t.id FROM {t} t WHERE t.id = 1 OR {c}",
    "select list": "SELECT t.id, {c} FROM {t} t",
    "order by": "SELECT t.id FROM {t} t ORDER BY {c}, t.id LIMIT 4",
    "group by": "SELECT {c}, count(*) FROM {t} t GROUP BY 1",
    "distinct on": "SELECT DISTINCT ON ({c}) t.id FROM {t} t ORDER BY {c}, t.id",
    "filter": "SELECT count(*) FILTER (WHERE {c}), max(t.label) FROM {t} t",
    "having": "SELECT t.id, count(*) FROM {t} t GROUP BY t.id HAVING {c}",
    "having after join":
        "SELECT t.id FROM {t} t JOIN {s} s ON s.id = t.ref GROUP BY t.id HAVING {c}",
    "limit": "SELECT s.id FROM {s} s ORDER BY 1 LIMIT (SELECT count(*) FROM {t} t WHERE {c})",
    "window": "SELECT * FROM (SELECT *, rank() OVER (ORDER BY t.id) AS n FROM {t} t) t WHERE {c}",
    "inner join": "SELECT t.id, s.id FROM {s} s JOIN {t} t ON t.ref = s.id WHERE {c}",
    "inner join on": "SELECT t.id, s.id FROM {s} s JOIN {t} t ON t.ref = s.id AND {c}",
    "left join": "SELECT t.id, s.id FROM {t} t LEFT JOIN {s} s ON s.id = t.ref WHERE {c}",
    "left join on left": "SELECT t.id, s.id FROM {t} t LEFT JOIN {s} s ON s.id = t.ref AND {c}",
    "left join on right": "SELECT t.id, s.id FROM {s} s LEFT JOIN {t} t ON t.ref = s.id AND {c}",
    "left join where right":
        "SELECT t.id, s.id FROM {s} s LEFT JOIN {t} t ON t.ref = s.id WHERE ({c}) IS NOT FALSE",
    "right join": "SELECT t.id, s.id FROM {t} t RIGHT JOIN {s} s ON t.ref = s.id AND {c}",
    "full join": "SELECT t.id, s.id FROM {t} t FULL JOIN {s} s ON t.ref = s.id WHERE {c}",
    "anti join":
        "SELECT s.id FROM {s} s LEFT JOIN {t} t ON t.ref = s.id AND {c} WHERE t.id IS NULL",
    "cross join": "SELECT t.id, s.id FROM {t} t CROSS JOIN {s} s WHERE s.id = t.ref AND {c}",
    "comma": "SELECT t.id FROM {t} t, {s} s WHERE t.label = s.label AND s.id = t.id AND {c}",
    "using": "SELECT * FROM {t} t JOIN {s} s USING (id, label) WHERE {c}",
    "using leaky": "SELECT id FROM {t} t JOIN {s} s USING (id, amount, info)",
    "natural": "SELECT id FROM {t} NATURAL JOIN {s}",
    "self join": "SELECT t.id FROM {t} t JOIN {t} u ON u.id = t.ref WHERE {c} AND u.amount > 2",
    "join on leaky": "SELECT t.id, s.id FROM {t} t JOIN {s} s ON s.amount = t.amount AND {c}",
    "three": "SELECT t.id FROM {s} s LEFT JOIN ({t} t JOIN kinds k ON k.id = t.ref AND {c})"
             " ON s.id = t.id",
    "lateral": "SELECT s.id, q.id FROM {s} s, LATERAL (SELECT * FROM {t} t WHERE t.ref = s.id"
               " AND {c}) q",
    "left lateral": "SELECT s.id, q.id FROM {s} s LEFT JOIN LATERAL (SELECT t.id FROM {t} t"
                    " WHERE t.ref = s.id AND {c} ORDER BY t.id LIMIT 1) q ON true",
    "values": "SELECT t.id FROM (VALUES (1), (5), (1005)) v (x) JOIN {t} t ON t.id = v.x WHERE {c}",
    "function": "SELECT t.id, u FROM {t} t, unnest(t.tags) u WHERE u LIKE '%1' AND {c}",
    "series": "SELECT t.id FROM generate_series(1, 2000) g JOIN {t} t ON t.id = g WHERE {c}",
    "in": "SELECT s.id FROM {s} s WHERE s.id IN (SELECT t.ref FROM {t} t WHERE {c})",
    "not in": "SELECT s.id FROM {s} s WHERE s.id NOT IN (SELECT t.ref FROM {t} t WHERE {c})",
    "exists":
        "SELECT s.id FROM {s} s WHERE EXISTS (SELECT 1 FROM {t} t WHERE t.ref = s.id AND {c})",
    "not exists":
        "SELECT s.id FROM {s} s WHERE NOT EXISTS (SELECT 1 FROM {t} t WHERE t.ref = s.id AND {c})",
    "any": "SELECT s.id FROM {s} s WHERE s.ref > ANY (SELECT t.ref FROM {t} t WHERE {c})",
    "scalar": "SELECT s.id, (SELECT max(t.id) FROM {t} t WHERE t.ref = s.id AND {c}) FROM {s} s",
    "array": "SELECT ARRAY(SELECT t.id FROM {t} t WHERE {c} ORDER BY 1)",
    "case": "SELECT CASE WHEN EXISTS (SELECT 1 FROM {t} t WHERE {c}) THEN 1 ELSE 0 END",
    "derived": "SELECT * FROM (SELECT * FROM {t} WHERE id > 0) t WHERE {c}",
    "derived twice": "SELECT * FROM (SELECT * FROM (SELECT * FROM {t}) x) t WHERE {c}",
    "derived column": "SELECT id FROM (SELECT t.id, {c} AS hit FROM {t} t) q WHERE hit",
    "derived null": "SELECT id FROM (SELECT t.id, {c} AS hit FROM {t} t) q WHERE hit IS NOT NULL",
    "grouped": "SELECT * FROM (SELECT label, max(id) AS id FROM {t} t WHERE {c} GROUP BY label) q"
               " WHERE label LIKE '%'",
    "distinct": "SELECT * FROM (SELECT DISTINCT * FROM {t}) t WHERE {c}",
    "with": "WITH t AS (SELECT * FROM {t}) SELECT t.id FROM t WHERE {c}",
    "with materialized": "WITH t AS MATERIALIZED (SELECT * FROM {t}) SELECT t.id FROM t WHERE {c}",
    "with inlined": "WITH t AS NOT MATERIALIZED (SELECT * FROM {t}) SELECT t.id FROM t, t u WHERE"
                    " u.id = t.ref AND {c}",
    "recursive": "WITH RECURSIVE r AS (SELECT t.id, t.ref FROM {t} t WHERE {c} UNION"
                 " SELECT t.id, t.ref FROM {t} t JOIN r ON t.id = r.ref AND {c}) SELECT * FROM r",
    "union": "SELECT t.id FROM {t} t WHERE {c} UNION SELECT s.id FROM {s} s WHERE s.amount > 3",
    "union all": "SELECT t.id FROM (SELECT * FROM {t} UNION ALL SELECT * FROM {s}) t WHERE {c}",
    "intersect": "SELECT s.id FROM {s} s INTERSECT SELECT t.id FROM {t} t WHERE {c}",
    "except": "SELECT s.id FROM {s} s EXCEPT SELECT t.id FROM {t} t WHERE {c}",
    "renamed": "SELECT q.a FROM (SELECT id AS label, label AS a FROM {t}) q (b, a), {t} t"
               " WHERE t.id = q.b AND q.a LIKE '%1%' AND {c}",
}  # fmt: skip
_WITHOUT_CONDITION = {place for place, text in PLACES.items() if "{c}" not in text}
# Where the whole row, or what `t` stands for, is not that of the table.
_NEEDS_TABLE = "t::text"


@dataclass(frozen=True, slots=True)
class Leaky:
    """One statement; `number` is its place in the list, for choosing among settings."""

    number: int
    place: str
    sql: str

    @property
    def has_parameter(self) -> bool:
        """Whether it has the parameter $1, an integer."""
        return "$1" in self.sql


def statements(only: str = "") -> Iterator[Leaky]:
    """Every condition in every place, or in that one; the tables take turns."""
    tables = [*SCOPED]
    others = [*SCOPED, SHARED]
    number = 0
    for place, text in PLACES.items():
        for condition in CONDITIONS[:1] if place in _WITHOUT_CONDITION else CONDITIONS:
            table, other = tables[number % len(tables)], others[number // 3 % len(others)]
            filled = text.replace("{c}", condition).replace("{t}", table).replace("{s}", other)
            if only in ("", place):
                yield Leaky(number, place, filled)
            number += 1
