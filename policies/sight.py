"""Which catalog objects one subject may see, and the SQL that hides the others from look-ups.

An object is seen when everything its definition names is. Knows the catalog and OIDs, no rules and
no statements.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from policies.catalog import FIRST_NORMAL_OID, Catalog, Constraint, Needs, Relation
from policies.functions import CONFIGURATIONS
from policies.settings import KNOWN_SETTINGS
from policies.sql import array, identifier, literal

# Rows are looked for by OID; everything below belongs to the system and is the same everywhere.
SYSTEM = f"< {FIRST_NORMAL_OID}"
# The one role a subject knows is the proxy's own: whatever has an owner is said to be its.
OWN_ROLE = "(SELECT pg_catalog.quote_ident(CURRENT_USER)::pg_catalog.regrole::pg_catalog.oid)"


@dataclass(frozen=True, slots=True)
class Sight:
    """The objects one subject may see, by OID unless said otherwise.

    `relations`: the entities. `columns`: (relation, attnum).
    `composites`: the relations behind types that are rows. `partitioned`: relations whose
    partition key is seen. `children`: relations with a parent that is seen, `inherited`: those
    parents. `default_names`, `type_default_names`: columns and domains whose default is *not* seen.
    """

    relations: frozenset[int] = frozenset()
    columns: frozenset[tuple[int, int]] = frozenset()
    indexes: frozenset[int] = frozenset()
    constraints: frozenset[int] = frozenset()
    types: frozenset[int] = frozenset()
    schemas: frozenset[int] = frozenset()
    sequences: frozenset[int] = frozenset()
    composites: frozenset[int] = frozenset()
    functions: frozenset[int] = frozenset()
    defaults: frozenset[int] = frozenset()
    type_defaults: frozenset[int] = frozenset()
    partitioned: frozenset[int] = frozenset()
    children: frozenset[int] = frozenset()
    inherited: frozenset[int] = frozenset()
    indexed: frozenset[int] = frozenset()  # relations with an index that is seen
    referring: frozenset[int] = frozenset()  # relations at either end of a foreign key
    checks: dict[int, int] = field(default_factory=dict)  # relation -> how many are seen
    relation_names: frozenset[tuple[str, str]] = frozenset()
    column_names: frozenset[tuple[str, str, str]] = frozenset()
    column_numbers: frozenset[tuple[str, str, int]] = frozenset()
    index_names: frozenset[tuple[str, str]] = frozenset()
    indexed_names: frozenset[tuple[str, str]] = frozenset()
    constraint_names: frozenset[tuple[str, str, str]] = frozenset()
    schema_names: frozenset[str] = frozenset()
    sequence_names: frozenset[tuple[str, str]] = frozenset()
    type_names: frozenset[tuple[str, str]] = frozenset()
    domain_constraint_names: frozenset[tuple[str, str, str]] = frozenset()
    default_names: frozenset[tuple[str, str, str]] = frozenset()
    type_default_names: frozenset[tuple[str, str]] = frozenset()

    @property
    def classes(self) -> frozenset[int]:
        """Everything with a row in pg_class."""
        return self.relations | self.indexes | self.sequences | self.composites

    def guard(self, kind: str, argument: str, name: str = "oid", companion: str = "") -> str:
        """SQL that is `argument` when the subject may see the object it stands for, else NULL.

        `kind` as in `policies.functions.Guard`; `argument` is SQL and appears exactly once.
        `name`: what PostgreSQL would call the operand in a result, so that it still does.
        `companion`: SQL of the argument that says which part of the object is meant.
        """
        if kind == "no_text":
            return f"(SELECT NULL::pg_catalog.text WHERE ({argument}) IS NULL)"
        if kind == "type_array":
            return (
                f"(SELECT pg_catalog.array_agg(CASE WHEN {or_listed('e.v', self.types)} THEN e.v "
                f"END ORDER BY e.n) AS {identifier(name)} "
                f"FROM pg_catalog.unnest(({argument})::pg_catalog.oid[]) WITH ORDINALITY e(v, n))"
            )
        operand = f"g.{identifier(name)}"
        cast, seen = "text", self._text_seen(kind, operand, companion)
        if seen is None:
            cast, seen = "oid", self._seen(kind, operand, companion)
        source = f"(SELECT ({argument})::pg_catalog.{cast}) g({identifier(name)})"
        return f"(SELECT {operand} FROM {source} WHERE {seen})"

    def _seen(self, kind: str, oid: str, companion: str) -> str:
        """The condition under which the object behind an OID is seen."""
        match kind:
            case "relation":
                return or_listed(oid, self.classes)
            case "sequence":
                return or_listed(oid, self.sequences)
            case "partitioned":
                return or_listed(oid, self.partitioned)
            case "column":
                return f"{oid} {SYSTEM} OR {self.pair(oid, f'({companion})')}"
            case "expression":
                return self._names_columns_of(oid, companion)
            case "constraint":
                return or_listed(oid, self.constraints)
            case "type":
                return or_listed(oid, self.types)
            case "schema":
                return or_listed(oid, self.schemas)
            case "function":
                return or_listed(oid, self.functions)
            case "system":
                return f"{oid} {SYSTEM}"
            case "role":
                return f"{oid} = {OWN_ROLE}"
            case "database":
                return (
                    f"{oid} = (SELECT d.oid FROM pg_catalog.pg_database d "
                    "WHERE d.datname = pg_catalog.current_database())"
                )
            case "nothing":
                return "false"
            case _:
                raise ValueError(f"unknown guard {kind}")

    def _text_seen(self, kind: str, text: str, companion: str) -> str | None:
        """The condition under which a name may be looked up; None for other kinds."""
        match kind:
            case "setting":
                return f"pg_catalog.lower({text}) IN ({KNOWN_SETTINGS})"
            case "configuration":
                return f"{text} IN ({','.join(map(literal, sorted(CONFIGURATIONS)))})"
            case "schema_name":
                return f"{text} IN ({','.join(map(literal, self._schemas_by_name()))})"
            case "relation_name":
                return self._found(text, "regclass", self.classes)
            case "sequence_name":
                return self._found(text, "regclass", self.sequences)
            case "type_name":
                return self._found(text, "regtype", self.types)
            case "role_name":
                return f"{text} = CURRENT_USER"
            case "database_name":
                return f"{text} = pg_catalog.current_database()"
            case "serial":  # of a column of a relation named by a text
                pair = self.pair("querywarden.querywarden_r", "querywarden.querywarden_n")
                seen = (
                    "EXISTS (SELECT FROM (SELECT a.attrelid, a.attnum, a.attname "
                    "FROM pg_catalog.pg_attribute a) "
                    "querywarden(querywarden_r, querywarden_n, querywarden_c) "
                    "WHERE querywarden.querywarden_r = "
                    f"pg_catalog.to_regclass({text})::pg_catalog.oid "
                    f"AND querywarden.querywarden_c = ({companion})::pg_catalog.text AND {pair})"
                )
                return f"CASE WHEN {self._schema_is_seen(text)} THEN {seen} ELSE false END"
            case _:
                return None

    def _found(self, text: str, kind: str, oids: frozenset[int]) -> str:
        """Whether what a name is found to be is seen. A schema that is not is not looked into,
        for the answer could be that this is not permitted."""
        found = f"pg_catalog.to_{kind}({text})::pg_catalog.oid"
        return (
            f"CASE WHEN {self._schema_is_seen(text)} THEN {or_listed(found, oids)} ELSE false END"
        )

    def _schema_is_seen(self, text: str) -> str:
        """Whether a name is written without a schema, or with one that is seen."""
        names = [re.escape(name.replace('"', '""')) for name in self._schemas_by_name()]
        plain = [name for name in names if re.fullmatch("[a-z_][a-z0-9_]*", name)]
        database = '(?:(?:"[^"]*"|[a-z_][a-z0-9_$]*)\\s*[.]\\s*)?'
        quoted = literal(f'^\\s*{database}"(?:{"|".join(names)})"\\s*[.]')
        bare = literal(f"^\\s*{database}(?:{'|'.join(plain)})\\s*[.]")
        return f"{text} !~ '[.]' OR {text} ~ {quoted} OR pg_catalog.lower({text}) ~ {bare}"

    def _schemas_by_name(self) -> list[str]:
        return sorted(self.schema_names | {"pg_catalog", "information_schema"})

    def _names_columns_of(self, oid: str, expression: str) -> str:
        """Expressions carry column numbers; whose columns they become is for the client to say, so
        each of them must be one that is seen there."""
        number = "querywarden.querywarden_n[1]::pg_catalog.int8"
        numbers = (
            f"pg_catalog.regexp_matches(({expression})::pg_catalog.text, "
            "':varattno(?:syn)? (-?[0-9]+)', 'g') querywarden(querywarden_n)"
        )
        hidden = f"{number} > 0 AND NOT {self.pair(oid, number)}"
        return (
            f"{oid} {SYSTEM} OR ({only(oid, self.relations)} "
            f"AND NOT EXISTS (SELECT FROM {numbers} WHERE {hidden}))"
        )

    def pair(self, relation: str, number: str) -> str:
        """(OID, attnum) packed into one bigint, so that a list of pairs is one constant."""
        packed = array(((oid << 16) | n for oid, n in self.columns), "pg_catalog.int8")
        return f"(({relation}::pg_catalog.int8 << 16) | {number}::pg_catalog.int8) = ANY ({packed})"


def or_listed(column: str, oids: frozenset[int]) -> str:
    """The system's own and those listed."""
    return f"{column} {SYSTEM} OR {only(column, oids)}"


def only(column: str, oids: frozenset[int]) -> str:
    """Those listed."""
    return f"{column} = ANY ({array(oids, 'pg_catalog.oid')})"


def sight(
    visible: Iterable[tuple[Relation, frozenset[str]]],
    catalog: Catalog,
    functions: frozenset[int] = frozenset(),
) -> Sight:
    """What a subject sees who may see these relations, each with these columns, and functions."""
    return _Looking(list(visible), catalog, functions).sight()


class _Looking:
    """One pass over what is visible; what a definition needs is judged by what was found so far."""

    def __init__(
        self,
        shown: list[tuple[Relation, frozenset[str]]],
        catalog: Catalog,
        functions: frozenset[int],
    ) -> None:
        self._shown = shown
        self._functions = functions
        self._catalog = catalog
        self._numbers = {
            relation.oid: frozenset(c.number for c in relation.columns if c.name in columns)
            for relation, columns in shown
        }
        self._pairs = frozenset((oid, n) for oid, own in self._numbers.items() for n in own)
        self._types = self._seen_types()
        entities = {relation.oid for relation in catalog.relations}
        self._composites = frozenset(
            t.relation for t in catalog.types
            if t.oid in self._types and t.relation and t.relation not in entities
        )  # fmt: skip
        self._sequences = [s for s in catalog.sequences if (s.relation, s.number) in self._pairs]
        self._oids = frozenset(self._numbers) | self._composites
        self._oids |= {sequence.oid for sequence in self._sequences}

    def _seen_types(self) -> frozenset[int]:
        """User types of visible columns and what those are made of, and visible relations' rows."""
        by_oid = {t.oid: t for t in self._catalog.types}
        pending = [c.type_oid for r, cols in self._shown for c in r.columns if c.name in cols]
        pending += [t.oid for t in self._catalog.types if t.relation in self._numbers]
        found: set[int] = set()
        while pending:
            known = by_oid.get(pending.pop())
            if known is not None and known.oid not in found:
                found.add(known.oid)
                pending += known.parts
        # An array type is named by its element, so both are seen or neither.
        named = self._catalog.types
        found |= {t.oid for t in named if t.name.startswith("_") and found & set(t.parts)}
        return frozenset(found)

    def _sees(self, needs: Needs) -> bool:
        """Whether every object a definition names is seen."""
        seen = {"relation": self._oids, "type": self._types, "function": self._functions}
        return all(
            (oid, number) in self._pairs or oid in self._composites
            if kind == "relation" and number
            else oid in seen.get(kind, ())
            for kind, oid, number in needs
        )

    def _sees_constraint(self, own: frozenset[int], constraint: Constraint) -> bool:
        target = self._numbers.get(constraint.references, frozenset())
        return (
            own.issuperset(constraint.columns)
            and (not constraint.references or target.issuperset(constraint.referenced))
            and self._sees(constraint.needs)
        )

    def sight(self) -> Sight:
        """The whole of it."""
        indexes, constraints, defaults = set(), set(), set()
        index_names, indexed_names, constraint_names, hidden_defaults = set(), set(), set(), set()
        indexed, referring, partitioned = set(), set(), set()
        checks: Counter[int] = Counter()
        for relation, _ in self._shown:
            own = self._numbers[relation.oid]
            place = (relation.schema, relation.name)
            for index in relation.indexes:
                if own.issuperset(index.columns) and self._sees(index.needs):
                    indexes.add(index.oid)
                    index_names.add((relation.schema, index.name))
                    indexed.add(relation.oid)
                    indexed_names.add(place)
            for constraint in relation.constraints:
                if self._sees_constraint(own, constraint):
                    constraints.add(constraint.oid)
                    constraint_names.add((*place, constraint.name))
                    checks[relation.oid] += constraint.kind == "c"
                    if constraint.kind == "f":
                        referring |= {relation.oid, constraint.references}
            for default in relation.defaults:
                if own.issuperset((default.number, *default.columns)) and self._sees(default.needs):
                    defaults.add(default.oid)
                else:
                    names = [c.name for c in relation.columns if c.number == default.number]
                    hidden_defaults |= {(*place, name) for name in names}
            key = relation.partition_columns
            if (
                relation.kind == "p"
                and own.issuperset(key)
                and self._sees(relation.partition_needs)
            ):
                partitioned.add(relation.oid)
        family = [(r.oid, p) for r, _ in self._shown for p in r.parents if p in self._numbers]
        types = [t for t in self._catalog.types if t.oid in self._types]
        used = {"public", *(relation.schema for relation, _ in self._shown)}
        schemas = {oid: name for oid, name in self._catalog.schemas if name in used}
        domain = [(t, k) for t in types for k in t.constraints if self._sees(k.needs)]
        return Sight(
            relations=frozenset(self._numbers),
            columns=self._pairs,
            indexes=frozenset(indexes),
            constraints=frozenset(constraints) | {constraint.oid for _, constraint in domain},
            types=self._types,
            schemas=frozenset(schemas),
            schema_names=frozenset(schemas.values()),
            sequences=frozenset(sequence.oid for sequence in self._sequences),
            composites=self._composites,
            functions=self._functions,
            defaults=frozenset(defaults),
            type_defaults=frozenset(t.oid for t in types if self._sees(t.needs)),
            partitioned=frozenset(partitioned),
            children=frozenset(child for child, _ in family),
            inherited=frozenset(parent for _, parent in family),
            indexed=frozenset(indexed),
            referring=frozenset(referring),
            checks={oid: number for oid, number in checks.items() if number},
            relation_names=frozenset((r.schema, r.name) for r, _ in self._shown),
            column_names=frozenset((r.schema, r.name, c) for r, cols in self._shown for c in cols),
            column_numbers=frozenset(
                (r.schema, r.name, n) for r, _ in self._shown for n in self._numbers[r.oid]
            ),
            index_names=frozenset(index_names),
            indexed_names=frozenset(indexed_names),
            constraint_names=frozenset(constraint_names),
            sequence_names=frozenset((s.schema, s.name) for s in self._sequences),
            type_names=frozenset((t.schema, t.name) for t in types),
            domain_constraint_names=frozenset((t.schema, t.name, k.name) for t, k in domain),
            default_names=frozenset(hidden_defaults),
            type_default_names=frozenset(
                (t.schema, t.name) for t in types if not self._sees(t.needs)
            ),
        )  # fmt: skip
