"""own settings: SET, RESET and SHOW of querywarden.reason, .capability and .context.

    SET LOCAL querywarden.context = '<token>'   ->   SET LOCAL "querywarden.context" TO 'sha256:...'

PostgreSQL keeps them as settings nobody else knows, so SHOW and transactions mean what they mean
with any setting; the session follows what became of them. A signed context is a secret: the
database gets its fingerprint and never the context itself. Functions cannot write these settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from policies.choice import not_granted
from policies.comments import CAPABILITY, LONGEST, REASON, bounded
from policies.comments import CONTEXT as CONTEXT_KEY
from policies.decision import Plan, SessionChange
from policies.grammar import Node
from policies.reasons import SETTING_NOT_ALLOWED, UNSUPPORTED_SYNTAX, VALIDATION_ERROR, Refusal
from policies.sql import identifier, literal
from policies.statement import Statement

PREFIX: Final = "querywarden."
CONTEXT: Final = "context"
NAMES: Final = (REASON, CAPABILITY, CONTEXT)
# What bounds their values.
_KEYS: Final = {REASON: REASON, CAPABILITY: CAPABILITY, CONTEXT: CONTEXT_KEY}


def own(name: str) -> str:
    """`querywarden.reason` -> "reason"; "" for a setting of the database. Raises Refusal for one
    that looks like ours."""
    if not name.lower().startswith(PREFIX):
        return ""
    found = name.lower().removeprefix(PREFIX)
    if found not in NAMES:
        known = ", ".join(PREFIX + each for each in NAMES)
        raise Refusal(SETTING_NOT_ALLOWED, f'there is no setting "{name}"', f"there are: {known}")
    return found


def write(node: Node, name: str, statement: Statement) -> str:
    """SET or RESET of one of them: its text, and `statement.change`."""
    local, full = bool(node.get("is_local")), identifier(node["name"])
    scope = "LOCAL " if local else ""
    match node["kind"]:
        case "VAR_SET_VALUE":
            value = _value(node, name)
            check_value(name, value, statement.views.granted)
            statement.change = SessionChange("set", name, value, local)
            return f"SET {scope}{full} TO {literal(shown(name, value))}"
        case "VAR_SET_DEFAULT":
            statement.change = SessionChange("reset", name, "", local)
            return f"SET {scope}{full} TO DEFAULT"
        case "VAR_RESET":
            statement.operation = "reset"
            statement.change = SessionChange("reset", name)
            return f"RESET {full}"
        case _:
            raise Refusal(SETTING_NOT_ALLOWED, f"this form of SET {node['name']} is not allowed")


def shown(name: str, value: str) -> str:
    """A value as the database may know it."""
    if name != CONTEXT or not value:
        return value
    return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}"


def as_sent(kind: str, node: Node) -> Node:
    """The tree of a statement as it goes up: a context is its fingerprint there."""
    if not sets_context(kind, node):
        return node
    text = {"sval": {"sval": shown(CONTEXT, _value(node, CONTEXT))}}
    return {**node, "args": [{"A_Const": text}]}


def sets_context(kind: str, node: Node) -> bool:
    """Whether a statement holds a signed context in its own words."""
    if kind != "VariableSetStmt" or node.get("kind") != "VAR_SET_VALUE":
        return False
    return bool(node.get("name", "").lower() == PREFIX + CONTEXT)


def sets(plan: Plan) -> bool:
    """Whether it changes one of these settings."""
    return plan.change is not None and plan.change.what in ("set", "reset")


def check_order(plans: Sequence[Plan]) -> None:
    """What follows a SET in the same text would be decided before it: raises Refusal."""
    for plan in plans[:-1]:
        if plan.change is not None and plan.change.name in NAMES and sets(plan):
            raise Refusal(
                UNSUPPORTED_SYNTAX,
                f"SET and RESET of {PREFIX}{plan.change.name} must be the last of their text",
                "send what follows as a text of its own",
            )


def check_value(name: str, value: str, granted: tuple[str, ...]) -> None:
    """Raises Refusal for a value that none of these settings may have. `granted`: capabilities of
    who asks."""
    longest = LONGEST[_KEYS[name]]
    if bounded(_KEYS[name], value) != value or len(value) > longest:
        raise Refusal(
            VALIDATION_ERROR,
            f"value not allowed for {PREFIX}{name}",
            f"write one line of at most {longest} characters",
        )
    if name == CAPABILITY and value and value not in granted:
        raise not_granted(value, granted)


def check_start(name: str, value: str, granted: tuple[str, ...]) -> None:
    """The same for a setting a session wants to start with. Raises Refusal for a context: it would
    be what RESET goes back to, long after it has expired."""
    if name == CONTEXT:
        message = f"{PREFIX}{name} cannot be set at start-up"
        raise Refusal(SETTING_NOT_ALLOWED, message, "SET it when you are connected")
    check_value(name, value, granted)


def started_with(settings: Mapping[str, str]) -> Mapping[str, str]:
    """Those of a session's start-up settings that are ours, by their short names."""
    return {
        name.removeprefix(PREFIX): value
        for name, value in settings.items()
        if name.startswith(PREFIX)
    }


def _value(node: Node, name: str) -> str:
    arguments = [argument.get("A_Const", {}) for argument in node["args"]]
    if len(arguments) == 1 and "sval" in arguments[0]:
        return str(arguments[0]["sval"].get("sval", ""))
    raise Refusal(
        VALIDATION_ERROR, f"{PREFIX}{name} takes one text", "write the value in single quotes"
    )
