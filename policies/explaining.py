"""EXPLAIN of a query: the plan of the rewritten text, for capabilities that say so.

    EXPLAIN ANALYZE SELECT id FROM users   ->   EXPLAIN (ANALYZE) SELECT id FROM (SELECT ...) ...

A plan prints expressions, and those of scopes, masks and hashes with it, so the session shows lines
of known forms only, with the names listed here (`Shown`). What the plan is made of is read here;
how its lines look is `proxy.wire.plans`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies import grammar
from policies.decision import Shown
from policies.envelope import Cover, Step, enclose
from policies.grammar import Node
from policies.reasons import STATEMENT_NOT_ALLOWED, UNSUPPORTED_SYNTAX, VALIDATION_ERROR, Refusal
from policies.scopes import INNER
from policies.sql import literal
from policies.statement import Statement

_SWITCHES = frozenset(
    {"analyze", "verbose", "costs", "buffers", "wal", "timing", "summary", "generic_plan"}
)
_FORMATS = frozenset({"text", "json"})
_ON, _OFF = frozenset({"true", "on", "1"}), frozenset({"false", "off", "0"})
_GENERIC_PLANS = 160000  # the first version that has them
# What is read as its own rows; a view of the database is more than one relation.
_TABLES = ("r", "p", "m", "f")


def explain(outer: Statement, steps: Sequence[Step]) -> None:
    """Set `outer.output`, and what of the plan may be shown. Raises Refusal."""
    options = _options(outer)
    analyze = options.get("analyze") in _ON
    permitting = outer.views.analyzers if analyze else outer.views.explainers
    if not permitting:
        raise _not_permitted(analyze)
    kind = next(iter(outer.node["query"]))
    if kind != "SelectStmt":
        raise Refusal(
            STATEMENT_NOT_ALLOWED,
            f"EXPLAIN of this kind of statement is not allowed: {kind.removesuffix('Stmt')}",
            "EXPLAIN the query itself",
        )
    enclose(outer, Cover(_head(outer.node)), steps)
    for use in outer.uses:
        capabilities = use.view.capabilities
        if capabilities and permitting.isdisjoint(capabilities):
            raise _not_permitted(analyze, use.view.name)
        if analyze and use.view.relation.kind not in _TABLES:
            raise Refusal(
                STATEMENT_NOT_ALLOWED,
                f'EXPLAIN ANALYZE is not available for the view "{use.view.name}": it would count'
                " rows before the rules take them away",
                "leave ANALYZE out",
                table=use.view.name,
            )
    outer.cap = None  # the rows are those of the plan
    outer.shown = _shown(outer, options.get("format") == "json")


def _not_permitted(analyze: bool, entity: str = "") -> Refusal:
    """The refusal that names the field of the rules."""
    what, field = ("EXPLAIN ANALYZE", "analyze") if analyze else ("EXPLAIN", "explain")
    of = f' of "{entity}"' if entity else ""
    return Refusal(
        STATEMENT_NOT_ALLOWED,
        f"{what}{of} is not allowed: no capability of yours says `{field}: true` for it",
        "ask whoever keeps the rules, or send the statement itself",
        table=entity,
    )


def _options(outer: Statement) -> dict[str, str]:
    """The options by name, values in lower case. Raises Refusal."""
    found: dict[str, str] = {}
    for entry in outer.node.get("options", []):
        option = entry["DefElem"]
        name = option["defname"]
        if name in found:
            raise Refusal(VALIDATION_ERROR, f"EXPLAIN has the option {name} more than once")
        if name not in _SWITCHES and name != "format":
            raise Refusal(
                UNSUPPORTED_SYNTAX,
                f"EXPLAIN has no option {name} here",
                f"there are: format, {', '.join(sorted(_SWITCHES))}",
            )
        value = found[name] = _value(option.get("arg", {})).lower()
        if name == "format" and value not in _FORMATS:
            raise Refusal(VALIDATION_ERROR, "the format of EXPLAIN must be text or json here")
        if name != "format" and value not in _ON | _OFF:
            raise Refusal(VALIDATION_ERROR, f"the option {name} of EXPLAIN must be true or false")
    if found.get("generic_plan") in _ON and outer.catalog.server_version < _GENERIC_PLANS:
        raise Refusal(UNSUPPORTED_SYNTAX, "the server has no generic_plan: it comes with 16")
    return found


def _value(argument: Node) -> str:
    if not argument:
        return "true"
    if "Integer" in argument:
        return str(argument["Integer"].get("ival", 0))
    return str(argument.get("String", {}).get("sval", ""))


def _head(node: Node) -> str:
    """EXPLAIN and its options, so that the tree is the same."""
    said = []
    for entry in node.get("options", []):
        option = entry["DefElem"]
        argument = option.get("arg", {})
        value = _value(argument) if "Integer" in argument else literal(_value(argument))
        said.append(option["defname"].upper() + (f" {value}" if argument else ""))
    return f"EXPLAIN ({', '.join(said)}) " if said else "EXPLAIN "


def _shown(outer: Statement, json: bool) -> Shown:
    """Names the client wrote itself or may see anyway. With a view of the database in the query a
    name may also be one inside that, so only those of relations are shown."""
    relations = [use.view.relation for use in outer.uses]
    seen = outer.views.sight.indexes
    aliases: set[str] = set()
    if all(relation.kind in _TABLES for relation in relations):
        aliases.add(INNER)
        for key, value in grammar.walk(outer.node["query"]):
            if key in ("aliasname", "ctename", "relname"):
                aliases.add(value)
    return Shown(
        json=json,
        relations=frozenset((r.schema, r.name) for r in relations if r.kind in _TABLES),
        indexes=frozenset(i.name for r in relations for i in r.indexes if i.oid in seen),
        aliases=frozenset(aliases),
    )
