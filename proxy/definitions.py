"""What definitions upstream name: the objects behind indexes, constraints, defaults and domains;
and what a table does by itself when it is written: triggers and rules.

Whoever shows a definition shows the names in it, so each is read with what it depends on. Used by
`proxy.introspect` alone, on its connection; must not know rules, clients or decisions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import asyncpg

from policies.catalog import FIRST_NORMAL_OID, Constraint, Default, Needs, Sequence, Trigger

# Indexes hang on what they index, and schemas and other constraints are judged on their own, so
# these say nothing more. What comes with an extension is public knowledge.
_NEEDS = f"""
SELECT d.classid::regclass::text AS class, d.objid AS oid, d.refclassid::regclass::text AS target,
       d.refobjid AS needed, d.refobjsubid::int4 AS number
  FROM pg_depend d
  LEFT JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid
 WHERE d.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass,
                     'pg_type'::regclass)
   AND d.objid >= {FIRST_NORMAL_OID} AND d.refobjid >= {FIRST_NORMAL_OID} AND d.objsubid = 0
   AND d.refclassid NOT IN ('pg_namespace'::regclass, 'pg_constraint'::regclass,
                            'pg_extension'::regclass)
   AND c.relkind IS DISTINCT FROM 'i' AND c.relkind IS DISTINCT FROM 'I'
   AND NOT EXISTS (SELECT FROM pg_depend e
                    WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')
 ORDER BY 1, 2, 3, 4, 5
"""

_DEFAULTS = """
SELECT a.oid, a.adrelid AS relation, a.adnum::int4 AS number FROM pg_attrdef a ORDER BY a.oid
"""

_SEQUENCES = """
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name,
       coalesce(d.refobjid, 0::oid) AS relation, coalesce(d.refobjsubid, 0)::int4 AS number
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.objsubid = 0 AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
 WHERE c.relkind = 'S' AND n.nspname !~ '^pg_temp_'
 ORDER BY c.oid
"""

_PARENTS = "SELECT inhrelid AS child, inhparent AS parent FROM pg_inherits ORDER BY 1, inhseqno"

# An expression has no column number of its own, and pg_depend turns these around: the column
# depends on the table that is partitioned by it.
_PARTITIONS = r"""
SELECT partrelid AS relation, partattrs::int2[]::int4[]
       || ARRAY(SELECT m[1]::int4
                  FROM regexp_matches(partexprs::text, ':varattno (\d+)', 'g') m) AS keys
  FROM pg_partitioned_table ORDER BY 1
"""

_DOMAIN_CONSTRAINTS = """
SELECT k.contypid AS type, k.oid, k.conname::text AS name, k.contype::text AS kind
  FROM pg_constraint k WHERE k.contypid <> 0 ORDER BY k.contypid, k.oid
"""

# Of those that fire in a session like ours; tgtype: 1 is for each row, 2 before.
_TRIGGERS = """
SELECT t.tgrelid AS relation, t.tgname::text AS name, t.tgtype & 3 = 3 AS before_row
  FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
 ORDER BY t.tgrelid, t.tgname COLLATE "C"
"""

_REWRITTEN = """
SELECT DISTINCT r.ev_class AS relation FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
 WHERE c.relkind IN ('r', 'p')
"""

_KINDS = {"pg_class": "relation", "pg_type": "type", "pg_proc": "function"}


@dataclass(slots=True)
class Definitions:
    """Everything by the OID of the relation, type, index or constraint it belongs to."""

    needs: dict[tuple[str, int], Needs] = field(default_factory=dict)
    defaults: dict[int, list[Default]] = field(default_factory=lambda: defaultdict(list))
    parents: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    partitions: dict[int, tuple[int, ...]] = field(default_factory=dict)
    domains: dict[int, list[Constraint]] = field(default_factory=lambda: defaultdict(list))
    sequences: tuple[Sequence, ...] = ()
    triggers: dict[int, list[Trigger]] = field(default_factory=lambda: defaultdict(list))
    rewritten: frozenset[int] = frozenset()

    def partition_columns(self, relation: int) -> tuple[int, ...]:
        """Attnums its partition key reads, ascending; () when it is not partitioned."""
        return tuple(sorted(set(self.partitions.get(relation, ()))))

    def partition_needs(self, relation: int) -> Needs:
        """What else its partition key names; parents are no part of it."""
        if relation not in self.partitions:
            return ()
        found = self.of("pg_class", relation, relation)
        return tuple(one for one in found if one[0] != "relation")

    def of(self, kind: str, oid: int, own: int = 0) -> Needs:
        """What `pg_class`, `pg_constraint` ... `oid` names besides columns of relation `own`."""
        found = self.needs.get((kind, oid), ())
        return tuple(one for one in found if one[:2] != ("relation", own) or own == 0)

    def columns(self, kind: str, oid: int, own: int) -> tuple[int, ...]:
        """Attnums of relation `own` it names."""
        found = self.needs.get((kind, oid), ())
        return tuple(sorted({n for name, at, n in found if (name, at) == ("relation", own) and n}))


async def read_definitions(connection: asyncpg.Connection) -> Definitions:
    """Read all of them; the connection's search_path holds pg_catalog alone."""
    found = Definitions()
    needs: dict[tuple[str, int], set[tuple[str, int, int]]] = defaultdict(set)
    for row in await connection.fetch(_NEEDS):
        kind = _KINDS.get(row["target"], "other")
        needs[row["class"], row["oid"]].add((kind, row["needed"], row["number"]))
    found.needs = {key: tuple(sorted(named)) for key, named in needs.items()}
    for row in await connection.fetch(_DEFAULTS):
        oid, relation, number = row["oid"], row["relation"], row["number"]
        found.defaults[relation].append(
            Default(
                oid=oid,
                number=number,
                columns=found.columns("pg_attrdef", oid, relation),
                needs=found.of("pg_attrdef", oid, relation),
            )
        )
    for row in await connection.fetch(_PARENTS):
        found.parents[row["child"]].append(row["parent"])
    for row in await connection.fetch(_PARTITIONS):
        found.partitions[row["relation"]] = tuple(number for number in row["keys"] if number)
    for row in await connection.fetch(_DOMAIN_CONSTRAINTS):
        found.domains[row["type"]].append(
            Constraint(
                oid=row["oid"],
                name=row["name"],
                kind=row["kind"],
                columns=(),
                needs=_without_type(found.of("pg_constraint", row["oid"]), row["type"]),
            )
        )
    for row in await connection.fetch(_TRIGGERS):
        found.triggers[row["relation"]].append(Trigger(row["name"], row["before_row"]))
    found.rewritten = frozenset(row["relation"] for row in await connection.fetch(_REWRITTEN))
    found.sequences = tuple(
        Sequence(row["oid"], row["schema"], row["name"], row["relation"], row["number"])
        for row in await connection.fetch(_SEQUENCES)
    )
    return found


def _without_type(needs: Needs, own: int) -> Needs:
    return tuple(one for one in needs if one[:2] != ("type", own))
