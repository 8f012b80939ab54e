"""Which capability a write runs under: the one that was chosen, or the only one that fits.

One capability must permit all a statement writes; what it reads besides goes through policy
views as always, under any of the capabilities of the subject.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policies.choice import chosen
from policies.reasons import (
    CAPABILITY_REQUIRED,
    FIELD_NOT_ALLOWED,
    WRITE_DISABLED,
    Refusal,
)
from policies.rules_models import Capability
from policies.statement import Statement
from policies.writes import insert, keys, merge, update
from policies.writes.shape import VERBS
from policies.writes.target import Demand, Target

DEMANDS: Final[dict[str, Callable[[Target], tuple[Demand, ...]]]] = {
    "InsertStmt": insert.demands_insert,
    "UpdateStmt": update.demands_update,
    "DeleteStmt": update.demands_delete,
    "MergeStmt": merge.demands_merge,
    "CopyStmt": insert.demands_copy,
}


def permit(statement: Statement) -> None:
    """Fill the capability of the statement and of its targets. Raises Refusal."""
    demanded = [(target, DEMANDS[target.kind](target)) for target in statement.targets]
    name = _capability(statement, demanded)
    capability = statement.views.capability(name)
    statement.capability = name
    for target, demands in demanded:
        target.capability = name
        verbs = {demand.verb for demand in demands}
        if "insert" in verbs:
            target.insert = capability.insert.get(target.name)
        if "update" in verbs:
            target.update = capability.update.get(target.name)
        if "delete" in verbs:
            target.delete = capability.delete.get(target.name)


def _capability(statement: Statement, demanded: list[tuple[Target, tuple[Demand, ...]]]) -> str:
    writers = statement.views.writers
    said = chosen(statement)
    if said:
        writers = {said: writers[said]} if said in writers else {}
    verbs = {
        name: able
        for name, able in writers.items()
        if able.statement is None
        and all(_permits(able, target, demand) for target, all_ in demanded for demand in all_)
    }
    if not verbs:
        target = demanded[0][0]
        raise Refusal(
            WRITE_DISABLED,
            f'{VERBS.get(target.kind, "COPY")} on "{target.name}" is not allowed: '
            + (f"capability {said} does not permit it" if said else "your login may not"),
            f"capabilities you may write under: {', '.join(statement.views.writers)}",
            table=target.name,
        )
    fits = {
        name: able
        for name, able in verbs.items()
        if not any(_missing(able, target, demand) for target, all_ in demanded for demand in all_)
    }
    if not fits:
        raise _no_column(verbs, demanded)
    if len(fits) > 1:  # one that wants rows named by their key fits only what names them
        keyed = {
            name: able
            for name, able in fits.items()
            if all(_names_rows(able, target) for target, _ in demanded)
        }
        fits = keyed or fits
    if len(fits) > 1:
        raise _choose("several of your capabilities permit this", fits)
    return next(iter(fits))


def _permits(able: Capability, target: Target, demand: Demand) -> bool:
    match demand.verb:
        case "merge":
            return able.merge
        case "copy":
            return able.copy_in
        case "insert":
            return target.name in able.insert
        case "update":
            return target.name in able.update
        case _:
            return target.name in able.delete


def _names_rows(able: Capability, target: Target) -> bool:
    update_rule, delete_rule = able.update.get(target.name), able.delete.get(target.name)
    rule = {"UpdateStmt": update_rule, "DeleteStmt": delete_rule}.get(target.kind)
    if rule is None or not rule.key:
        return True
    return keys.named(target.node.get("whereClause"), target.key, target.alias) is not None


def _missing(able: Capability, target: Target, demand: Demand) -> list[str]:
    """The columns a capability does not permit."""
    if demand.verb == "insert":
        return [c for c in demand.columns if c not in able.insert[target.name].columns]
    if demand.verb == "update":
        rule = able.update[target.name]
        return [] if rule.whole_rows else [c for c in demand.columns if c not in rule.columns]
    return []


def _no_column(
    verbs: dict[str, Capability], demanded: list[tuple[Target, tuple[Demand, ...]]]
) -> Refusal:
    """No capability permits all columns: the words are about the first that permits the rest."""
    name, able = next(iter(verbs.items()))
    for target, demands in demanded:
        for demand in demands:
            missing = _missing(able, target, demand)
            if missing:
                rules = able.insert if demand.verb == "insert" else able.update
                permitted = ", ".join(rules[target.name].columns)
                return Refusal(
                    FIELD_NOT_ALLOWED,
                    f'column "{missing[0]}" of "{target.name}" cannot be written',
                    f"leave it out; what may be written here: {permitted}",
                    table=target.name,
                    column=missing[0],
                    rule=f"capabilities.{name}.{demand.verb}.{target.name}.columns",
                )
    raise AssertionError("every column is permitted")


def _choose(message: str, names: dict[str, Capability]) -> Refusal:
    example = next(iter(names), "name")
    return Refusal(
        CAPABILITY_REQUIRED,
        message,
        f"say which: /* capability='{example}' */ in the statement, or SET querywarden.capability; "
        f"there are: {', '.join(names)}",
    )
