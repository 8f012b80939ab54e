"""Scopes: which rows of an entity a subject sees, as SQL conditions over its relation.

Knows rules, one relation of the catalog and one subject; knows nothing of columns that are masked,
nor of where the conditions stand.
"""

from __future__ import annotations

import re

from policies import grammar
from policies.catalog import Relation
from policies.reasons import TENANT_SCOPE_REQUIRED, Refusal
from policies.rules_models import Entity
from policies.sql import identifier, literal
from policies.subject import Subject

INNER = "r"  # what the relation is called inside its policy view


class EntityError(ValueError):
    """A rule does not fit the catalog. The entity stays closed; `field` says which rule."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def nobody() -> Refusal:
    """The refusal of a login that acts for others and does not say for whom."""
    return Refusal(
        TENANT_SCOPE_REQUIRED,
        "your login acts for others, and nothing says for whom",
        "begin the statement with /*querywarden_context='<signed context>'*/, or send before it:"
        " SET querywarden.context = '<signed context>'",
    )


def own(column: str, inner: str = INNER) -> str:
    """A column of the relation, which is called `inner`."""
    return f"{inner}.{identifier(column)}"


def conditions(
    name: str,
    entity: Entity,
    relation: Relation,
    subject: Subject,
    leakproof: frozenset[tuple[str, str, str]],
    inner: str,
) -> list[tuple[str, str]]:
    """(rule, SQL) of every scope: tenant, owner, soft delete, rows."""

    def named(rule: str, column: str) -> str:
        if relation.column(column) is None:
            raise EntityError(f"entities.{name}.{rule}", f'no column "{column}" in the table')
        return own(column, inner)

    found: list[tuple[str, str]] = []
    if entity.tenant is not None:
        column = named("tenant", entity.tenant)
        if subject.tenant is None:
            raise Refusal(
                TENANT_SCOPE_REQUIRED,
                f'"{name}" belongs to tenants and your login has none',
                "ask whoever keeps the rules to give the login a tenant",
                table=name,
                rule=f"entities.{name}.tenant",
            )
        found.append(("tenant", f"{column} = {literal(subject.tenant)}"))
    if entity.owner is not None and entity.owner.holds_for(subject.roles):
        column = named("owner.column", entity.owner.column)
        owner = _subject_value(subject, entity.owner.attribute)
        found.append(("owner", f"{column} = {owner}"))
    if entity.soft_delete is not None:
        found.append(("soft_delete", f"{named('soft_delete', entity.soft_delete)} IS NULL"))
    if entity.rows is not None:
        rule = f"entities.{name}.rows"
        sql, harmless = predicate(rule, entity.rows, relation, subject, leakproof, inner)
        if found and not harmless:
            # On rows of others it could raise an error, which would tell of them.
            before = " AND ".join(condition for _, condition in found)
            sql = f"CASE WHEN {before} THEN {sql} ELSE false END"
        found.append(("rows", sql))
    return found


def _subject_value(subject: Subject, attribute: str) -> str:
    """A value of the subject as a literal; NULL, which equals nothing, when it has none."""
    try:
        value = subject.value(attribute)
    except KeyError:
        value = None
    return "NULL" if value is None else literal(value)


_REFERENCE = re.compile(rb"subject\s*\.\s*(\w+)")
# What a predicate may be made of: it must not read other relations or aggregate.
_HARMLESS_NODES = frozenset("A_Const A_Expr BoolExpr ColumnRef List NullTest String".split())
_HARMLESS_OPERATORS = frozenset({(sign,) for sign in ("=", "<>", "<", "<=", ">", ">=")})
_REFUSED_NODES = frozenset({"SubLink", "ParamRef", "SelectStmt", "GroupingFunc", "SetToDefault"})


def predicate(
    where: str,
    text: str,
    relation: Relation,
    subject: Subject,
    leakproof: frozenset[tuple[str, str, str]],
    inner: str,
) -> tuple[str, bool]:
    """A condition of the rules with `subject.x` replaced by literals, and whether it can raise no
    error. `where`: the rule it stands in, `inner`: what the relation is called.

    Raises EntityError.
    """
    try:
        tree = grammar.parse_expression(text)
    except (grammar.GrammarError, grammar.TooDeep) as error:
        raise EntityError(where, f"not an SQL condition: {error}") from error
    data = text.encode()
    prefix = len(b"SELECT (")
    edits: list[tuple[int, int, str]] = []
    harmless = True
    for key, value in grammar.walk({"root": tree}):
        if key in _REFUSED_NODES:
            raise EntityError(where, "may use only the entity's own columns and subject.*")
        if key[0].isupper() and key not in _HARMLESS_NODES:
            harmless = False
        if key == "A_Expr" and grammar.names(value["name"]) not in _HARMLESS_OPERATORS:
            harmless = False
        if key != "ColumnRef":
            continue
        parts = grammar.names(value["fields"])
        if parts[0] == "subject" and len(parts) == 2:
            start = value.get("location", 0) - prefix
            found = _REFERENCE.match(data, start)
            if found is None:
                raise EntityError(where, "write subject values plainly: subject.name")
            edits.append((start, found.end(), _subject_value(subject, parts[1])))
        elif len(parts) != 1 or relation.column(parts[0]) is None:
            raise EntityError(where, f'no column "{".".join(parts)}" in the table')
        else:
            start = value.get("location", 0) - prefix
            edits.append((start, start, f"{inner}."))
            column = relation.column(parts[0])
            kind = column.type.replace("character varying", "text") if column else ""
            harmless = harmless and ("=", kind, kind) in leakproof
    for start, end, value in sorted(edits, reverse=True):
        data = data[:start] + value.encode() + data[end:]
    return f"({data.decode()}\n)", harmless
