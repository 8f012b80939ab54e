"""What is permitted: the rules file as one frozen value, and the questions the engine asks it.

Parses text; reading files is `proxy.rules_file`. Knows no catalog and no SQL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from pydantic import Field, ValidationError

from policies.decision import Mode
from policies.rules_budget import PROFILES, Budget, combine
from policies.rules_checks import check, function_of, table_of
from policies.rules_columns import ColumnRule, is_glob, matches
from policies.rules_errors import (
    CREDENTIALS_GO_ELSEWHERE,
    PUT_CREDENTIALS_THERE,
    Finding,
    Location,
    Problem,
    RulesError,
    did_you_mean,
    looks_secret,
    translate,
)
from policies.rules_models import Capability, Entity, RulesFile, fields_at, json_schema
from policies.rules_text import Document, merge, read_yaml
from policies.rules_write_checks import approval_warnings
from policies.rules_writes import NamedStatement
from policies.subject import Subject

__all__ = ["Budget", "RuleSet", "RulesError", "json_schema", "parse", "parse_all"]

_STRICTEST_FIRST: tuple[Mode, ...] = ("enforce", "observe", "bypass")
_OPENNESS = {"deny": 0, "mask": 1, "hash": 1, "show": 2}


class RuleSet(RulesFile):
    """Rules that passed every check; `text_hash` is 12 hex digits over the text they came from."""

    text_hash: str = Field(pattern=r"^[0-9a-f]{12}$")

    @cached_property
    def _subjects_by_login(self) -> dict[str, Subject]:
        return {
            entry.login: Subject(
                login=entry.login,
                tenant=entry.tenant,
                user_id=entry.user_id,
                roles=entry.roles,
                attributes=tuple(sorted(entry.attributes.items())),
                absent=entry.assume is not None,
            )
            for entry in self.subjects
        }

    @cached_property
    def _entities_by_table(self) -> dict[tuple[str, str], str]:
        return {table_of(n, entity): n for n, entity in self.entities.items() if entity.visible}

    @cached_property
    def _all_by_table(self) -> dict[tuple[str, str], Entity]:
        return {table_of(name, entity): entity for name, entity in self.entities.items()}

    @cached_property
    def _functions_by_name(self) -> dict[tuple[str, str], str]:
        return {function_of(n, function): n for n, function in self.functions.items()}

    @cached_property
    def _budgets(self) -> dict[tuple[str, ...], Budget]:
        return {}

    def subject(self, login: str) -> Subject | None:
        """Who a login is, or None for a login the rules do not know."""
        return self._subjects_by_login.get(login)

    def entity_tables(self) -> dict[tuple[str, str], str]:
        """(schema, table) -> entity name; hidden entities are left out, they do not exist."""
        return self._entities_by_table

    def entity_of(self, schema: str, table: str) -> Entity | None:
        """The entity of a table, hidden ones too."""
        return self._all_by_table.get((schema, table))

    def selectable(self, roles: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Entity name -> the capabilities that permit reading it, in the order of roles."""
        found: dict[str, tuple[str, ...]] = {}
        for capability, able in dict(self._granted(roles)).items():
            for entity in able.select:
                if self.entities[entity].visible:
                    found[entity] = (*found.get(entity, ()), capability)
        return found

    def function_names(self) -> dict[tuple[str, str], str]:
        """(schema, function) -> the name the rules use."""
        return self._functions_by_name

    def callable(self, roles: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Name of a function -> the capabilities that permit calling it."""
        found: dict[str, tuple[str, ...]] = {}
        for capability, able in dict(self._granted(roles)).items():
            for function in able.call:
                found[function] = (*found.get(function, ()), capability)
        return found

    @cached_property
    def joins(self) -> dict[str, frozenset[tuple[str, str]]]:
        """Entity -> (entity, column) it may be joined through, for those that say so."""
        found = {}
        for name, entity in self.entities.items():
            if entity.joins is not None:
                parts = (text.partition(".") for text in entity.joins)
                found[name] = frozenset((other, column) for other, _, column in parts)
        return found

    def lockers(self, roles: Iterable[str]) -> frozenset[str]:
        """The capabilities of these roles that may lock what they read."""
        return frozenset(name for name, able in self._granted(roles) if able.lock)

    def writers(self, roles: Iterable[str]) -> dict[str, Capability]:
        """The capabilities of these roles that may write."""
        return {
            name: able
            for name, able in self._granted(roles)
            if able.insert or able.update or able.delete
        }

    def changes(self, roles: Iterable[str]) -> bool:
        """Whether these roles may write or lock anything, also by a statement of the rules."""
        listed = [self.capabilities[name] for name in self._listed(roles)]
        return any(able.lock or able.insert or able.update or able.delete for able in listed)

    def explainers(self, roles: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """The capabilities of these roles that may EXPLAIN what they read, and those that may
        EXPLAIN ANALYZE it."""
        granted = dict(self._granted(roles))
        return (
            frozenset(name for name, able in granted.items() if able.explain or able.analyze),
            frozenset(name for name, able in granted.items() if able.analyze),
        )

    def granted(self, roles: Iterable[str]) -> tuple[str, ...]:
        """The capabilities of these roles a statement may choose, in the order of roles."""
        return tuple(dict(self._granted(roles)))

    def _granted(self, roles: Iterable[str]) -> Iterator[tuple[str, Capability]]:
        """Without those that are one statement: they permit nothing else."""
        for name in self._listed(roles):
            if self.capabilities[name].statement is None:
                yield name, self.capabilities[name]

    def _listed(self, roles: Iterable[str]) -> Iterator[str]:
        for role in roles:
            if role in self.roles:
                yield from self.roles[role].can

    def statements(self, roles: Iterable[str]) -> dict[str, NamedStatement]:
        """The capabilities of these roles that are one statement, and that."""
        found = {name: self.capabilities[name].statement for name in self._listed(roles)}
        return {name: statement for name, statement in found.items() if statement is not None}

    def calling(self, name: str) -> RuleSet:
        """The same rules while that capability's statement runs."""
        able = self.capabilities[name].model_copy(update={"statement": None})
        return self._with({"capabilities": {**self.capabilities, name: able}})

    def only(self, capability: str) -> RuleSet:
        """The same rules as if no role had another capability."""
        roles = {
            name: role.model_copy(update={"can": tuple(c for c in role.can if c == capability)})
            for name, role in self.roles.items()
        }
        return self._with({"roles": roles})

    def _with(self, changed: dict[str, Any]) -> RuleSet:
        # Made anew, not copied: what a copy keeps of answers would still be those of all.
        fields: dict[str, Any] = {name: getattr(self, name) for name in RuleSet.model_fields}
        return RuleSet.model_construct(**{**fields, **changed})

    def mode(self, roles: Iterable[str]) -> Mode:
        """The strictest mode of these roles; no role, or an unknown one, means enforce."""
        modes = {self.roles[name].mode if name in self.roles else "enforce" for name in roles}
        return next((mode for mode in _STRICTEST_FIRST if mode in modes), "enforce")

    def budget(self, roles: Sequence[str]) -> Budget:
        """The largest limit any of these roles states, else the profile's."""
        key = tuple(roles)
        found = self._budgets.get(key)
        if found is None:
            stated = {name: role.budget for name, role in self.roles.items()}
            found = self._budgets[key] = combine(PROFILES[self.profile], key, stated)
        return found

    def column_rule(self, entity: str, column: str) -> ColumnRule:
        """How a column appears: its exact name, else its strictest glob, else the defaults, else
        shown. Raises KeyError for an unknown entity."""
        listed = self.entities[entity].columns
        where = f"entities.{entity}.columns"
        if column in listed:
            return replace(listed[column], rule=f"{where}.{column}")
        globs = [name for name in listed if is_glob(name) and matches(name, column)]
        if globs:
            strictest = min(globs, key=lambda name: _OPENNESS[listed[name].kind])
            return replace(listed[strictest], rule=f"{where}.{strictest}")
        return self._default_rule(column)

    def _default_rule(self, column: str) -> ColumnRule:
        for pattern in self.defaults.deny_columns:
            if matches(pattern, column):
                return ColumnRule("deny", rule="defaults.deny_columns")
        for pattern, mask in self.defaults.mask_columns.items():
            if matches(pattern, column):
                rule = f"defaults.mask_columns.{pattern}"
                if PROFILES[self.profile].sensitive == "deny":
                    return ColumnRule("deny", rule=rule)
                return ColumnRule("mask", mask=mask, rule=rule)
        return ColumnRule("show")

    def warnings(self) -> tuple[str, ...]:
        """What deserves a loud word at load: roles that do not enforce, and who has them; consent
        that nobody can give."""
        said = []
        for name, role in self.roles.items():
            if role.mode == "enforce":
                continue
            logins = [s.login for s in self.subjects if self.mode(s.roles) == role.mode]
            who = ", ".join(login for login in logins if name in self._roles_of(login))
            said.append(
                f"role {name} is in mode {role.mode}: its statements are forwarded as written"
                f" (logins: {who or 'none'})"
            )
        return (*said, *approval_warnings(self))

    def _roles_of(self, login: str) -> tuple[str, ...]:
        return self._subjects_by_login[login].roles


def parse(text: str, name: str) -> RuleSet:
    """The rules in one file's text; `name` is the file's name in messages. Raises RulesError."""
    return parse_all([(name, text)])


def parse_all(files: Sequence[tuple[str, str]]) -> RuleSet:
    """The rules in several files' (name, text), each holding a part. Raises RulesError with every
    problem found; when the files cannot be read as YAML, with those of that kind only."""
    documents: list[Document] = []
    broken: list[Problem] = []
    for name, text in files:
        try:
            documents.append(read_yaml(text, name))
        except RulesError as error:
            broken += error.problems
    document = merge(documents)
    if broken:
        raise RulesError([*broken, *document.problems])
    rules, findings = _validate(document)
    if document.problems or findings or rules is None:
        # what YAML could not give is reported once, not again as a missing or wrong value
        taken = {problem.field for problem in document.problems}
        found = [document.problem(finding) for finding in findings]
        fresh = [p for p in found if p.field not in taken]
        raise RulesError([*document.problems, *fresh])
    digest = hashlib.sha256()
    for _, text in files:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big") + content)
    fields = {name: getattr(rules, name) for name in RulesFile.model_fields}
    return RuleSet(**fields, text_hash=digest.hexdigest()[:12])


def _validate(document: Document) -> tuple[RulesFile | None, list[Finding]]:
    try:
        rules = RulesFile.model_validate(document.data)
    except ValidationError as error:
        return None, list(_findings(error, document))
    return rules, check(rules)


def _findings(error: ValidationError, document: Document) -> Iterator[Finding]:
    details = error.errors(include_url=False)
    unknown = [d["loc"] for d in details if d["type"] == "extra_forbidden"]
    later = {at[:-1] for at in unknown if at[-1] in fields_at(at[:-1])[1]}
    for detail in details:
        location = detail["loc"]
        if detail["type"] == "extra_forbidden":
            yield _unknown_field(location)
        elif location[-1:] == ("[key]",) and location not in document.places:
            yield replace(translate({**detail, "loc": location[:-1]}), at_key=True)
        elif detail["type"] != "missing" or location[:-1] not in later:
            # a field of a later version stands in for those it would replace (jwt for login)
            yield translate(detail)


def _unknown_field(location: Location) -> Finding:
    name = str(location[-1])
    known, later = fields_at(location[:-1])
    if looks_secret(name):
        return Finding(location, CREDENTIALS_GO_ELSEWHERE, PUT_CREDENTIALS_THERE, at_key=True)
    if name in later:
        return Finding(location, "is not available in this version", "remove it", at_key=True)
    return Finding(location, "unknown field", did_you_mean(name, known), at_key=True)
