"""What must agree between the fields of a rules file; each check returns its findings.

Needs no database: whether a table or column exists is checked against the catalog elsewhere, and
so is the SQL of `rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from policies.rules_budget import PROFILES
from policies.rules_errors import Finding, Location, shown
from policies.rules_models import Entity, Function, RulesFile, SubjectEntry, split_table
from policies.rules_names import known, repeated
from policies.rules_write_checks import WRITE_CHECKS


def check(rules: RulesFile) -> list[Finding]:
    """Every disagreement inside the rules."""
    return [finding for one in CHECKS for finding in one(rules)]


def _entity_scopes(rules: RulesFile) -> Iterator[Finding]:
    """An entity says whose rows it holds, and each scope has a column of its own."""
    for name, entity in rules.entities.items():
        at: Location = ("entities", name)
        if entity.tenant and entity.shared:
            hint = "keep one of the two lines"
            yield Finding((*at, "shared"), "excludes `tenant`", hint, at_key=True)
        required = PROFILES[rules.profile].tenant_required and entity.visible
        if required and not entity.tenant and not entity.shared:
            yield Finding(
                at,
                f"profile {rules.profile} needs to know whose rows these are",
                "add one of these lines: `tenant: <column>` (each tenant sees its own rows) or "
                "`shared: true` (everybody sees all rows)",
            )
        if entity.soft_delete and entity.soft_delete == entity.tenant:
            yield Finding((*at, "soft_delete"), "is the same column as `tenant`")
        if entity.owner and entity.owner.column in (entity.tenant, entity.soft_delete):
            other = "tenant" if entity.owner.column == entity.tenant else "soft_delete"
            yield Finding((*at, "owner", "column"), f"is the same column as `{other}`")


def _entity_tables(rules: RulesFile) -> Iterator[Finding]:
    """Each table is one entity."""
    taken: dict[tuple[str, str], str] = {}
    for name, entity in rules.entities.items():
        if entity.table is None and name != name.lower():
            message = "has capital letters, so its table must be said"
            hint = f"add `table: public.{name.lower()}`"
            yield Finding(("entities", name), message, hint)
            continue
        table = table_of(name, entity)
        if table in taken:
            at = ("entities", name, "table") if entity.table else ("entities", name)
            message = f"table {'.'.join(table)} is already entity `{taken[table]}`"
            first = ("entities", taken[table])
            yield Finding(at, message, "keep one of the two", first=first)
        taken.setdefault(table, name)


def _functions(rules: RulesFile) -> Iterator[Finding]:
    """Each function is listed once, and capabilities name listed ones."""
    taken: dict[tuple[str, str], str] = {}
    for name, function in rules.functions.items():
        if function.function is None and name != name.lower():
            message = "has capital letters, so its function must be said"
            hint = f"add `function: public.{name.lower()}`"
            yield Finding(("functions", name), message, hint)
            continue
        called = function_of(name, function)
        if called in taken:
            message = f"{'.'.join(called)} is already function `{taken[called]}`"
            first = ("functions", taken[called])
            yield Finding(("functions", name), message, "keep one of the two", first=first)
        taken.setdefault(called, name)
    for name, capability in rules.capabilities.items():
        at: Location = ("capabilities", name, "call")
        yield from known(at, capability.call, "function", tuple(rules.functions))
        yield from repeated(at, capability.call)


def _joins(rules: RulesFile) -> Iterator[Finding]:
    """Entities are joined through entities."""
    for name, entity in rules.entities.items():
        at: Location = ("entities", name, "joins")
        named = [text.partition(".")[0] for text in entity.joins or ()]
        yield from known(at, named, "entity", tuple(rules.entities))
        yield from repeated(at, entity.joins or ())


def _owner_roles(rules: RulesFile) -> Iterator[Finding]:
    for name, entity in rules.entities.items():
        if entity.owner and entity.owner.roles:
            at = ("entities", name, "owner", "for")
            yield from known(at, entity.owner.roles, "role", tuple(rules.roles))


def _references(rules: RulesFile) -> Iterator[Finding]:
    """Capabilities name visible entities, roles name capabilities, subjects name roles."""
    visible = tuple(name for name, entity in rules.entities.items() if entity.visible)
    for name, capability in rules.capabilities.items():
        at: Location = ("capabilities", name, "select")
        for index, entity in enumerate(capability.select):
            if entity in rules.entities and entity not in visible:
                hint = "remove it here, or remove `visible: false` there"
                yield Finding((*at, index), f"entity `{entity}` is hidden", hint)
        unknown = [e if e not in rules.entities else "" for e in capability.select]
        yield from known(at, unknown, "entity", visible)
        yield from repeated(at, capability.select)
        if capability.lock and not capability.select:
            yield Finding((*at[:-1], "lock"), "locks nothing", "list the entities in `select`")
        for field in ("explain", "analyze"):
            if getattr(capability, field) and not capability.select:
                message = "explains nothing"
                yield Finding((*at[:-1], field), message, "list the entities in `select`")
    for name, role in rules.roles.items():
        yield from known(("roles", name, "can"), role.can, "capability", tuple(rules.capabilities))
        yield from repeated(("roles", name, "can"), role.can)
    for index, subject in enumerate(rules.subjects):
        at = ("subjects", index, "roles")
        yield from known(at, subject.roles, "role", tuple(rules.roles))
        yield from repeated(at, subject.roles)


def _logins(rules: RulesFile) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, subject in enumerate(rules.subjects):
        if subject.login in seen:
            message = f"login {shown(subject.login)} is already taken by another subject"
            first: Location = ("subjects", seen[subject.login], "login")
            at: Location = ("subjects", index, "login")
            yield Finding(at, message, "keep one of the two", first=first)
        seen.setdefault(subject.login, index)


def _subject_values(rules: RulesFile) -> Iterator[Finding]:
    """A subject has every value that the scopes of its entities compare with."""
    for index, subject in enumerate(rules.subjects):
        at: Location = ("subjects", index)
        if subject.assume:
            if subject.tenant is not None:
                message = "excludes `tenant`: the signed context of each statement says it"
                yield Finding((*at, "assume"), message, "remove one of the two lines", at_key=True)
            continue
        reached = _reached(rules, subject)
        tenants = [name for name, entity in reached.items() if entity.tenant]
        if tenants and subject.tenant is None:
            message = f"has no tenant, but its roles reach entity `{tenants[0]}` of tenants"
            hint = "add `tenant: <value>`, or take the entity out of its capabilities"
            yield Finding((*at, "tenant"), message, hint)
        values = {"login": subject.login, "tenant": subject.tenant, "user_id": subject.user_id}
        values |= subject.attributes
        for name, entity in reached.items():
            owner = entity.owner
            if owner is None or not owner.holds_for(subject.roles):
                continue
            if owner.attribute == "tenant" and tenants:
                continue  # said above
            if values.get(owner.attribute) is None:
                message = f"has no {owner.attribute}, but the owner of entity `{name}` needs it"
                where = "" if owner.attribute in values else "under `attributes:` "
                hint = f"add {where}`{owner.attribute}: <value>`"
                yield Finding((*at, owner.attribute), message, hint)
                break


def _default_globs(rules: RulesFile) -> Iterator[Finding]:
    """`"*": show` would open every sensitive column at once, those added tomorrow too."""
    for name, entity in rules.entities.items():
        for pattern, rule in entity.columns.items():
            if rule.kind == "show" and not pattern.strip("*?"):
                message = "shows every column, also sensitive ones added later"
                hint = "remove it (columns are shown anyway), or name the columns"
                yield Finding(("entities", name, "columns", pattern), message, hint)


CHECKS: tuple[Callable[[RulesFile], Iterator[Finding]], ...] = (
    _entity_scopes,
    _entity_tables,
    _owner_roles,
    _functions,
    _joins,
    _references,
    _logins,
    _subject_values,
    _default_globs,
    *WRITE_CHECKS,
)


def table_of(name: str, entity: Entity) -> tuple[str, str]:
    """(schema, table) of an entity, as the catalog spells them."""
    return ("public", name) if entity.table is None else split_table(entity.table)


def function_of(name: str, function: Function) -> tuple[str, str]:
    """(schema, name) of a function of the rules, as the catalog spells them."""
    return ("public", name) if function.function is None else split_table(function.function)


def _reached(rules: RulesFile, subject: SubjectEntry) -> dict[str, Entity]:
    """The entities a subject's roles may read or write; none in bypass, where no scope applies."""
    roles = [rules.roles[role] for role in subject.roles if role in rules.roles]
    if roles and all(role.mode == "bypass" for role in roles):
        return {}
    granted = [rules.capabilities[c] for r in roles for c in r.can if c in rules.capabilities]
    names = dict.fromkeys(n for c in granted for n in (*c.select, *c.insert, *c.update, *c.delete))
    return {name: rules.entities[name] for name in names if name in rules.entities}
