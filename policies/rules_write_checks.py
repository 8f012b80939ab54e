"""What must agree between the fields that permit writing; each check returns its findings.

Needs no database: whether columns, keys and constraints exist is `policies.write_checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from policies import grammar
from policies.rules_errors import Finding, Location, did_you_mean
from policies.rules_models import Capability, Entity, RulesFile, SubjectEntry
from policies.rules_names import known, repeated
from policies.rules_writes import NamedStatement

_STATEMENTS = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_TERMS = ("merge", "copy_in", "reason", "approval", "images", "invariants")
_WRITTEN_AS = {"copy_in": "copy"}


def written(capability: Capability) -> dict[str, None]:
    """The entities a capability writes, in the order it lists them."""
    return dict.fromkeys((*capability.insert, *capability.update, *capability.delete))


def _entities(rules: RulesFile) -> Iterator[Finding]:
    """What is written is an entity, and one that exists for whoever may write it."""
    visible = tuple(name for name, entity in rules.entities.items() if entity.visible)
    for name, capability in rules.capabilities.items():
        for field in ("insert", "update", "delete"):
            for entity in getattr(capability, field):
                at: Location = ("capabilities", name, field, entity)
                if entity not in rules.entities:
                    hint = did_you_mean(entity, visible) or "define the entity first"
                    yield Finding(at, f"there is no entity `{entity}`", hint, at_key=True)
                elif entity not in visible:
                    hint = "remove it here, or remove `visible: false` there"
                    yield Finding(at, f"entity `{entity}` is hidden", hint, at_key=True)


def _readable(rules: RulesFile) -> Iterator[Finding]:
    """What a login may write it may read too: a table it cannot read does not exist for it."""
    for index, subject in enumerate(rules.subjects):
        roles = [rules.roles[name] for name in subject.roles if name in rules.roles]
        if all(role.mode == "bypass" for role in roles):
            continue
        names = dict.fromkeys(name for role in roles for name in role.can)
        able = {name: rules.capabilities[name] for name in names if name in rules.capabilities}
        read = {entity for capability in able.values() for entity in capability.select}
        for name, capability in able.items():
            for entity in written(capability):
                if entity in rules.entities and entity not in read:
                    message = f"may write `{entity}` (capability {name}) and not read it"
                    hint = f"add it to `select` of {name}, or of another capability it has"
                    yield Finding(("subjects", index, "roles"), message, hint)


def _columns(rules: RulesFile) -> Iterator[Finding]:
    """Columns that decide whose a row is are not for the client to assign."""
    for name, capability in rules.capabilities.items():
        for field in ("insert", "update"):
            for target, rule in getattr(capability, field).items():
                at: Location = ("capabilities", name, field, target, "columns")
                yield from repeated(at, rule.columns)
                if target in rules.entities:
                    fixed = _fixed(rules.entities[target], field)
                    yield from _assigned(at, rule.columns, fixed)


def _fixed(entity: Entity, field: str) -> dict[str, str]:
    """Column -> why it cannot be assigned."""
    found = {column: "is denied in the entity" for column, rule in entity.columns.items()
             if rule.kind == "deny"}  # fmt: skip
    if field == "insert":
        return found
    found |= dict.fromkeys(entity.key or (), "is the entity's `key`: a row keeps its key")
    if entity.soft_delete:
        found[entity.soft_delete] = "is the entity's `soft_delete`: permit `delete` instead"
    if entity.owner:
        found[entity.owner.column] = "is the entity's `owner`: a row keeps its owner"
    if entity.tenant:
        found[entity.tenant] = "is the entity's `tenant`: a row never changes tenants"
    return found


def _assigned(at: Location, columns: tuple[str, ...], fixed: dict[str, str]) -> Iterator[Finding]:
    for index, column in enumerate(columns):
        if column in fixed:
            yield Finding((*at, index), f"`{column}` {fixed[column]}", "remove it")


def _keys(rules: RulesFile) -> Iterator[Finding]:
    """A key names one row, by columns that can be asked about."""
    for name, entity in rules.entities.items():
        at: Location = ("entities", name, "key")
        key = entity.key or ()
        yield from repeated(at, key)
        if entity.tenant and key == (entity.tenant,):
            message = "is the tenant alone, which names all rows of one"
            yield Finding(at, message, "name the columns that tell its rows apart")
        for index, column in enumerate(key):
            place = (*at, index) if len(key) > 1 else at
            rule = entity.columns.get(column)
            if column == entity.soft_delete:
                yield Finding(place, f"`{column}` is the entity's `soft_delete`, which is NULL")
            elif rule is not None and rule.kind != "show":
                message = f"`{column}` is not shown as it is, so no row can be named by it"
                yield Finding(place, message, "show the column, or choose another key")


def _invariants(rules: RulesFile) -> Iterator[Finding]:
    """An invariant is enforced in one way, and holds of something that is written."""
    for name, entity in rules.entities.items():
        for invariant, rule in entity.invariants.items():
            at: Location = ("entities", name, "invariants", invariant)
            if rule.holds is not None and rule.constraint is not None:
                message = "has `holds` and `constraint`"
                yield Finding(at, message, "keep one of the two: they enforce it differently")
            elif rule.holds is None and rule.constraint is None:
                hint = "write `holds: <SQL condition>` or `constraint: <name>`"
                yield Finding(at, "does not say what enforces it", hint)
    for name, capability in rules.capabilities.items():
        at = ("capabilities", name, "invariants")
        targets = [rules.entities[one] for one in written(capability) if one in rules.entities]
        choices = tuple(dict.fromkeys(one for target in targets for one in target.invariants))
        yield from repeated(at, capability.invariants)
        for index, invariant in enumerate(capability.invariants):
            if targets and invariant not in choices:
                message = f"no entity that is written here has an invariant `{invariant}`"
                hint = did_you_mean(invariant, choices) or "define it under `invariants:` of one"
                yield Finding((*at, index), message, hint)


def _terms(rules: RulesFile) -> Iterator[Finding]:
    """Terms of writing need something that is written."""
    for name, capability in rules.capabilities.items():
        at: Location = ("capabilities", name)
        for field in _TERMS:
            if getattr(capability, field) and not written(capability):
                hint = "add `insert`, `update` or `delete`, or remove it"
                place = (*at, _WRITTEN_AS.get(field, field))
                yield Finding(place, "is about writes, and nothing is written", hint, at_key=True)
        if capability.copy_in and not capability.insert and written(capability):
            hint = "add `insert: {<entity>: {columns: [...]}}`"
            yield Finding((*at, "copy"), "copies into nothing", hint, at_key=True)
        if capability.copy_in and capability.approval:
            message = "excludes `approval`: nobody can look at rows that are still to come"
            yield Finding((*at, "copy"), message, "make it two capabilities", at_key=True)


def _approvals(rules: RulesFile) -> Iterator[Finding]:
    for name, capability in rules.capabilities.items():
        if capability.approval:
            at: Location = ("capabilities", name, "approval", "by")
            yield from known(at, capability.approval.by, "role", tuple(rules.roles))
            yield from repeated(at, capability.approval.by)


def _named_statements(rules: RulesFile) -> Iterator[Finding]:
    for name, capability in rules.capabilities.items():
        if capability.statement:
            yield from _named(("capabilities", name, "statement"), capability.statement)


def _named(at: Location, statement: NamedStatement) -> Iterator[Finding]:
    """It is one statement, and takes the parameters it lists."""
    try:
        kind, node = grammar.parse_one(statement.sql)
    except (grammar.GrammarError, grammar.TooDeep) as error:
        yield Finding((*at, "sql"), f"is not one SQL statement: {error}")
        return
    if kind not in _STATEMENTS:
        yield Finding((*at, "sql"), "must be a SELECT, INSERT, UPDATE, DELETE or MERGE")
        return
    found = (value for key, value in grammar.walk({kind: node}) if key == "ParamRef")
    used = {value.get("number", 0) for value in found}
    for number in sorted(used - set(range(1, len(statement.parameters) + 1))):
        sign = f"${number}" if number else "?"
        hint = "list name and type of each, in order"
        yield Finding((*at, "sql"), f"uses {sign}, which `parameters` does not list", hint)
    for number, (name, type_name) in enumerate(statement.parameters.items(), 1):
        place = (*at, "parameters", name)
        if number not in used:
            message = f"is ${number}, which the statement does not use"
            yield Finding(place, message, "use it, or remove it here")
        if not _is_type(type_name):
            yield Finding(place, "is not a type", "write one as PostgreSQL does: text, integer ...")


def _is_type(text: str) -> bool:
    """Whether a text is the name of a type and nothing else."""
    try:
        node = grammar.parse_expression(f"NULL::{text}")
    except (grammar.GrammarError, grammar.TooDeep):
        return False
    cast = node.get("TypeCast", {})
    return bool(cast.get("arg", {}).get("A_Const", {}).get("isnull"))


def approval_warnings(rules: RulesFile) -> Iterator[str]:
    """Writes that wait for consent nobody can give."""
    for name, capability in rules.capabilities.items():
        if capability.approval is None or capability.approval.gate != "queue":
            continue
        able = {role for role, rule in rules.roles.items() if name in rule.can}
        by = set(capability.approval.by)
        asking = [one for one in rules.subjects if able.intersection(one.roles)]
        agreeing = [one for one in rules.subjects if by.intersection(one.roles)]
        stuck = [one.login for one in asking if not any(_may_agree(x, one) for x in agreeing)]
        if stuck:
            yield (
                f"capability {name} waits for consent of {', '.join(capability.approval.by)}, and"
                " no other login of the same tenant (or of none) has such a role"
                f" (logins that ask: {', '.join(stuck)})"
            )


def _may_agree(approver: SubjectEntry, asker: SubjectEntry) -> bool:
    """Whether it is somebody else, of the same tenant or of none. What a signed context makes of a
    login, nobody knows here."""
    if approver.login == asker.login:
        return False
    if approver.tenant is None or asker.assume:
        return True
    same = approver.user_id is not None and approver.user_id == asker.user_id
    return approver.tenant == asker.tenant and not same


WRITE_CHECKS: tuple[Callable[[RulesFile], Iterator[Finding]], ...] = (
    _entities,
    _readable,
    _columns,
    _keys,
    _invariants,
    _terms,
    _approvals,
    _named_statements,
)
