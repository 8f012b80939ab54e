"""Which guard a call of a look-up function needs: what is looked up in it, and by what.

A guard is an edit around one argument (`policies.sight` writes it). Knows the trees of calls, no
subject and no catalog.
"""

from __future__ import annotations

from policies import grammar
from policies.functions import COMMENTED, GUARDED, PRIVILEGES, SETTING_READERS, Guard
from policies.grammar import Node
from policies.lookups import called, constant_text
from policies.reasons import FUNCTION_NOT_ALLOWED, Refusal
from policies.sql import identifier, literal

_OWN_ROLE = frozenset(
    f"SVFOP_{name}" for name in ("CURRENT_USER", "SESSION_USER", "CURRENT_ROLE", "USER")
)
# Names a guard's own sources and columns have: a companion so called would be taken for them.
_SOURCES = frozenset({"g", "querywarden"})
_COLUMNS = _SOURCES | {
    "oid", "name", "querywarden_r", "querywarden_n", "querywarden_c"
}  # fmt: skip
_OID_TYPES = frozenset({"oid", "regclass", "regproc", "regprocedure", "regnamespace", "regtype"})
_OID_ENDINGS = ("oid", "relid", "namespace", "owner", "datdba")


def guard_of(call: Node) -> Guard | None:
    """The guard a FuncCall needs, None when it needs none. A setting named by a literal is judged
    when the statement is decided. Raises Refusal for a form that cannot be guarded."""
    name = called(call)
    arguments = call.get("args", [])
    if name in SETTING_READERS:
        plain = bool(arguments) and constant_text(arguments[0]) is not None
        return None if plain else Guard(0, "setting")
    if name in PRIVILEGES:
        return _privilege(name, arguments)
    if name == "obj_description":
        about = constant_text(arguments[1]) if len(arguments) == 2 else None
        return Guard(0, COMMENTED.get(about or "", "system"))
    guard = GUARDED.get(name)
    if guard is None or guard.companion < 0:
        return guard
    at = guard.companion
    if at < len(arguments) and _plain(arguments[at]):
        return guard
    return Guard(guard.argument, guard.otherwise)


def companion_of(call: Node, guard: Guard) -> Node | None:
    """The argument a guard repeats, None when it repeats none. A column loses its schema, as it
    must where it stands (`policies.qualified`)."""
    if guard.companion < 0:
        return None
    found: Node = call["args"][guard.companion]
    if "ColumnRef" in found:
        return {"ColumnRef": {"fields": found["ColumnRef"]["fields"][-2:]}}
    return found


def written(companion: Node) -> str:
    """The SQL of what a guard repeats."""
    if "ColumnRef" in companion:
        return ".".join(map(identifier, grammar.names(companion["ColumnRef"]["fields"])))
    return literal(constant_text(companion) or "")


def _plain(node: Node) -> bool:
    """Whether an operand may be repeated inside a guard: no call, no parameter, no name the guard
    itself gives."""
    if "A_Const" in node:
        return "sval" in node["A_Const"]
    fields = node.get("ColumnRef", {}).get("fields", [])
    parts = grammar.names(fields)
    if not parts or len(parts) != len(fields) or len(parts) > 3:
        return False
    return parts[-2:][0] not in (_COLUMNS if len(parts) == 1 else _SOURCES)


def _privilege(name: str, arguments: list[Node]) -> Guard:
    """has_x_privilege([own role,] object, privilege): of objects that are seen, for itself."""
    at = len(arguments) - 2
    own = at != 1 or arguments[0].get("SQLValueFunction", {}).get("op") in _OWN_ROLE
    if at not in (0, 1) or not own:
        raise Refusal(
            FUNCTION_NOT_ALLOWED,
            f"function {name} is supported for your own privileges only",
            f"write {name}(object, privilege)",
        )
    by_oid, by_name = PRIVILEGES[name]
    return Guard(at, by_oid if _is_oid(arguments[at]) or not by_name else by_name)


def _is_oid(node: Node) -> bool:
    """Whether an operand is an OID as far as its spelling tells; a wrong guess finds nothing."""
    if "ColumnRef" in node:
        parts = grammar.names(node["ColumnRef"]["fields"])
        return bool(parts) and parts[-1].endswith(_OID_ENDINGS)
    if "TypeCast" in node:
        parts = grammar.names(node["TypeCast"]["typeName"].get("names", []))
        return bool(parts) and parts[-1] in _OID_TYPES
    return "ival" in node.get("A_Const", {})
