"""utility: statements that read no table, by allow-list: transaction control, SET, SHOW, names.

    start transaction isolation level serializable   ->   START TRANSACTION ISOLATION LEVEL ...

Their text is written anew from PostgreSQL's tree and proven equal to it. sqlglot never sees them:
it reads `LISTEN x` as an alias and `SAVEPOINT a` as `SAVEPOINT AS a` (measured).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from policies import own_settings
from policies.decision import Forget, SessionChange
from policies.grammar import Node
from policies.named import execute, fetch
from policies.own_settings import own
from policies.reasons import (
    SETTING_NOT_ALLOWED,
    STATEMENT_NOT_ALLOWED,
    UNSUPPORTED_SYNTAX,
    WRITE_DISABLED,
    Refusal,
)
from policies.settings import check_reset, check_set, check_show
from policies.sql import identifier, literal
from policies.statement import Statement

_ISOLATION = frozenset({"serializable", "repeatable read", "read committed", "read uncommitted"})
_TRANSACTION = {
    "TRANS_STMT_BEGIN": ("begin", "BEGIN"),
    "TRANS_STMT_START": ("begin", "START TRANSACTION"),
    "TRANS_STMT_COMMIT": ("commit", "COMMIT"),
    "TRANS_STMT_ROLLBACK": ("rollback", "ROLLBACK"),
    "TRANS_STMT_SAVEPOINT": ("savepoint", "SAVEPOINT"),
    "TRANS_STMT_RELEASE": ("release", "RELEASE SAVEPOINT"),
    "TRANS_STMT_ROLLBACK_TO": ("rollback", "ROLLBACK TO SAVEPOINT"),
}
_CHANGES: dict[str, Literal["commit", "rollback", "savepoint", "release", "undo"]] = {
    "TRANS_STMT_COMMIT": "commit",
    "TRANS_STMT_ROLLBACK": "rollback",
    "TRANS_STMT_SAVEPOINT": "savepoint",
    "TRANS_STMT_RELEASE": "release",
    "TRANS_STMT_ROLLBACK_TO": "undo",
}


def write_utility(statement: Statement) -> bool:
    """Set `statement.output` for a utility statement that is allowed; False for any other kind.

    Raises Refusal for one of these kinds in a form that is not allowed.
    """
    writer = UTILITIES.get(statement.kind)
    if writer is None:
        return False
    statement.utility = True
    statement.output = writer(statement.node, statement).encode()
    return True


def _transaction(node: Node, statement: Statement) -> str:
    known = _TRANSACTION.get(node["kind"])
    if known is None:
        raise Refusal(STATEMENT_NOT_ALLOWED, "two-phase commit is not allowed")
    statement.operation, text = known
    if (what := _CHANGES.get(node["kind"])) is not None:
        statement.change = SessionChange(what, node.get("savepoint_name", ""))
    if "savepoint_name" in node:
        text += f" {identifier(node['savepoint_name'])}"
    text += _modes(node.get("options", []), statement)
    return text + (" AND CHAIN" if node.get("chain") else "")


def _modes(options: list[Node], statement: Statement) -> str:
    """ISOLATION LEVEL, READ ONLY, DEFERRABLE as written in the tree's option list."""
    modes = []
    for option in options:
        element = option["DefElem"]
        value = element["arg"]["A_Const"]
        match element["defname"]:
            case "transaction_isolation":
                level = value["sval"].get("sval", "")
                if level not in _ISOLATION:
                    raise Refusal(UNSUPPORTED_SYNTAX, "unknown isolation level")
                modes.append(f"ISOLATION LEVEL {level.upper()}")
            case "transaction_read_only":
                read_only = value["ival"].get("ival")
                if not read_only and not statement.views.changes:
                    raise Refusal(
                        WRITE_DISABLED,
                        "READ WRITE is not allowed: this login may only read",
                        "leave READ WRITE out",
                    )
                modes.append("READ ONLY" if read_only else "READ WRITE")
            case "transaction_deferrable":
                modes.append("DEFERRABLE" if value["ival"].get("ival") else "NOT DEFERRABLE")
            case _:
                raise Refusal(UNSUPPORTED_SYNTAX, "unknown transaction mode")
    return " " + ", ".join(modes) if modes else ""


def _set(node: Node, statement: Statement) -> str:
    name, kind = node.get("name", ""), node["kind"]
    local = "LOCAL " if node.get("is_local") else ""
    statement.operation = "set"
    if known := own(name):
        return own_settings.write(node, known, statement)
    match kind:
        case "VAR_SET_VALUE":
            values = [_value(argument) for argument in node["args"]]
            check_set(
                name,
                ", ".join(plain for plain, _ in values),
                time_limit=statement.budget.time_ms,
                search_path=statement.catalog.search_path,
            )
            return f"SET {local}{identifier(name)} TO {', '.join(text for _, text in values)}"
        case "VAR_SET_DEFAULT":
            check_reset(name)
            return f"SET {local}{identifier(name)} TO DEFAULT"
        case "VAR_RESET":
            statement.operation = "reset"
            check_reset(name)
            return f"RESET {identifier(name)}"
        case "VAR_RESET_ALL":
            # Back to the start-up values, and those are the pinned ones.
            statement.operation = "reset"
            statement.change = SessionChange("reset")
            return "RESET ALL"
        case "VAR_SET_MULTI" if name in ("TRANSACTION", "SESSION CHARACTERISTICS"):
            target = f"{local}TRANSACTION"
            if name != "TRANSACTION":
                target = "SESSION CHARACTERISTICS AS TRANSACTION"
            return f"SET {target}{_modes(node['args'], statement)}"
        case _:
            raise Refusal(SETTING_NOT_ALLOWED, f"SET {name} is not allowed here")


def _value(argument: Node) -> tuple[str, str]:
    """A setting's value as plain text and as SQL that gives the same tree."""
    constant = argument.get("A_Const", {})
    if "sval" in constant:
        text = constant["sval"].get("sval", "")
        return text, literal(text)
    if "ival" in constant:
        number = str(constant["ival"].get("ival", 0))
        return number, number
    raise Refusal(
        UNSUPPORTED_SYNTAX, "this form of SET is not supported", "write the value in quotes"
    )


def _show(node: Node, statement: Statement) -> str:
    statement.operation = "show"
    if not own(node["name"]):
        check_show(node["name"])
    return f"SHOW {identifier(node['name'])}"


def _deallocate(node: Node, statement: Statement) -> str:
    statement.operation = "deallocate"
    name = node.get("name")
    statement.forget = Forget("statement", name)
    return f"DEALLOCATE {identifier(name)}" if name is not None else "DEALLOCATE ALL"


def _close(node: Node, statement: Statement) -> str:
    statement.operation = "close"
    name = node.get("portalname")
    statement.forget = Forget("portal", name)
    return f"CLOSE {identifier(name)}" if name is not None else "CLOSE ALL"


def _unlisten(node: Node, statement: Statement) -> str:
    statement.operation = "unlisten"
    if "conditionname" in node:
        raise Refusal(STATEMENT_NOT_ALLOWED, "notifications are not allowed", "use UNLISTEN *")
    return "UNLISTEN *"


UTILITIES: dict[str, Callable[[Node, Statement], str]] = {
    "TransactionStmt": _transaction,
    "VariableSetStmt": _set,
    "VariableShowStmt": _show,
    "DeallocateStmt": _deallocate,
    "ClosePortalStmt": _close,
    "ExecuteStmt": execute,
    "FetchStmt": fetch,
    "UnlistenStmt": _unlisten,
}
