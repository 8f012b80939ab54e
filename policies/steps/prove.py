"""prove: PostgreSQL's grammar again. The new text must be the old one with only permitted edits.

Both trees are walked side by side. They may differ in these places only, and there exactly so:
a relation has become its policy view (with its sampling inside), a looked-up object its guard, the
outermost limit the cap, a bare function name has its schema, schema.table.column has lost its
schema, and a group has gained columns that depend on its key.

Of the steps before only what they found in the original's tree is taken and the views themselves,
so a fault in the rewriting is a refusal here, never a leak.
"""

from __future__ import annotations

from typing import Any

from policies import grammar, hidden_columns, qualified
from policies.functions import EMPTY_SOURCES, MEASURE, SIZED
from policies.grammar import PLACES, Node, Scope
from policies.guards import companion_of, guard_of
from policies.lookups import (
    Lookup,
    called,
    cast_guard,
    constant_text,
    is_measured,
    lookup_type,
    operand_name,
)
from policies.own_settings import as_sent
from policies.reasons import UNSUPPORTED_SYNTAX, Refusal
from policies.statement import Statement
from policies.steps.cap import own_limit
from policies.steps.complete import dependent
from policies.steps.confine import sampled
from policies.views import PolicyView
from policies.writes.proof import Different as _Different
from policies.writes.proof import prove_write
from policies.writes.raising import ARGUMENT as _ARGUMENT
from policies.writes.settled import Settled
from policies.writes.shape import VERBS

_COMPANION = "querywarden_companion"
_STAR: Node = {"ResTarget": {"val": {"ColumnRef": {"fields": [{"A_Star": {}}]}}}}


def prove(statement: Statement) -> None:
    """Refuse unless `statement.output` is the statement with only the permitted edits."""
    try:
        kind, after = grammar.parse_one(statement.output)
        if statement.kind not in VERBS and kind != statement.kind:
            raise _Different
        if statement.utility:
            if not grammar.same(as_sent(kind, statement.node), after):
                raise _Different
            return
        _Proof(statement).root(kind, after)
    except (_Different, grammar.GrammarError, grammar.TooDeep, RecursionError) as error:
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            "this statement could not be rewritten with certainty, so it is refused",
            "write it in a plainer way",
        ) from error


class _Proof:
    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._views = statement.views
        self._catalog = statement.catalog
        relations = statement.reading.relations
        shortened = qualified.columns(statement.node, statement.catalog, relations)
        self._shortened = set(map(id, shortened)) if statement.reading.long_columns else set()
        self._views_by_node = {id(use.relation.node): use.view for use in statement.uses}
        self._hidden = hidden_columns.named(statement.reading, statement.node, statement.catalog)
        self._guards: dict[tuple[str, str], Node] = {}
        self._lookups = {id(found.node): found for found in statement.lookups}
        views = {
            id(relation.node): view
            for relation in statement.reading.relations
            if not relation.with_query and (view := self._view(relation.node)) is not None
        }
        for target in statement.targets:
            views[id(target.node["relation"])] = target.view
        self._fences = statement.fences_of(views)
        self._targets = {id(target.node): target for target in statement.targets}
        self.instead: dict[int, str] = {}  # SQL in place of a ColumnRef, by its id()

    def _view(self, relation: Node) -> PolicyView | None:
        known = self._catalog.find(relation.get("schemaname", ""), relation["relname"])
        return self._views.find(known, self._hidden) if known is not None else None

    def root(self, kind: str, after: Node) -> None:
        """The outermost statement; a SELECT is where the cap stands."""
        before, cap = self._statement.node, self._statement.rows
        if cap is None or self._statement.kind != "SelectStmt":
            return self._same_node({self._statement.kind: before}, {kind: after}, Scope())
        most = {"A_Const": {"ival": {"ival": cap + self._statement.spare}}}
        if before.get("limitOption") == "LIMIT_OPTION_WITH_TIES":
            after = self._unwrap(after, most)
        else:
            limit = self._unlimited(before, most, after.get("limitCount"))
            after = {**after}
            after.pop("limitCount", None)
            if limit is not None:
                after["limitCount"] = limit
            if "limitCount" not in before:
                after["limitOption"] = before.get("limitOption")
        return self.same(before, after, Scope())

    def _unlimited(self, before: Node, most: Node, limit: Node | None) -> Node | None:
        """The limit the client wrote, when the one found is a permitted cap of it."""
        own = before.get("limitCount")
        asked = own_limit(before)
        if asked is not None and 0 <= asked <= (self._statement.rows or 0):
            return limit  # must be the client's own, untouched
        if limit is None:
            raise _Different
        literal = own.get("A_Const") if own is not None else {"isnull": True}
        plain = literal is not None and ("ival" in literal or literal.get("isnull"))
        if plain and (asked is None or asked >= 0):
            if not grammar.same(limit, most):
                raise _Different
            return own
        least = limit.get("MinMaxExpr", {})
        arguments = least.get("args", [])
        if least.get("op") != "IS_LEAST" or len(arguments) != 2:
            raise _Different
        cast = arguments[0].get("TypeCast", {})
        int8 = grammar.names(cast.get("typeName", {}).get("names", []))
        if int8 != ("pg_catalog", "int8") or not grammar.same(arguments[1], most):
            raise _Different
        inner: Node = cast["arg"]
        return inner

    def _unwrap(self, after: Node, most: Node) -> Node:
        """The statement inside `SELECT * FROM (...) AS querywarden LIMIT n`."""
        sources = after.get("fromClause", [])
        if len(sources) != 1 or "RangeSubselect" not in sources[0]:
            raise _Different
        subquery = sources[0]["RangeSubselect"]["subquery"]
        shell = {
            "targetList": [_STAR],
            "fromClause": [
                {"RangeSubselect": {"subquery": subquery, "alias": {"aliasname": "querywarden"}}}
            ],
            "limitCount": most,
            "limitOption": "LIMIT_OPTION_COUNT",
            "op": "SETOP_NONE",
        }
        if not grammar.same(after, shell):
            raise _Different
        inner: Node = subquery["SelectStmt"]
        return inner

    def same(self, before: Any, after: Any, scope: Scope) -> None:
        """Raise _Different unless `after` is `before` with only permitted edits."""
        if isinstance(before, list):
            if not isinstance(after, list) or len(before) != len(after):
                raise _Different
            for one, other in zip(before, after, strict=True):
                self.same(one, other, scope)
        elif isinstance(before, dict):
            if not isinstance(after, dict):
                raise _Different
            if not isinstance(before, Settled):
                self._same_node(before, after, scope)
            elif not grammar.same(before, after):
                raise _Different
        elif before != after:
            raise _Different

    def _same_node(self, before: Node, after: Node, scope: Scope) -> None:
        written = next((key for key in before if key in VERBS), None)
        if written is not None:
            if len(after) != 1:
                raise _Different
            ((kind, node),) = after.items()
            return prove_write(self, self._targets[id(before[written])], kind, node, scope)
        if "ColumnRef" in before and id(before["ColumnRef"]) in self.instead:
            expected = grammar.parse_expression(self.instead[id(before["ColumnRef"])])
            if not grammar.same(expected, after):
                raise _Different
            return None
        if "RangeVar" in before and not scope.hides(before["RangeVar"]):
            return self._is_view(before["RangeVar"], after)
        if "RangeTableSample" in before:
            sample = before["RangeTableSample"]
            if scope.hides(sample["relation"]["RangeVar"]):
                raise _Different
            return self._is_view(sample["relation"]["RangeVar"], after, sample)
        if "ColumnRef" in before and id(before["ColumnRef"]) in self._shortened:
            before = {"ColumnRef": {"fields": before["ColumnRef"]["fields"][1:]}}
        lookup = self._lookup(before)
        if lookup is not None:
            if lookup.kind == "source":
                return self._is_empty_source(lookup, after)
            after = self._unclosed(lookup, before, after)
        keys = before.keys() - PLACES
        if keys != after.keys() - PLACES:
            raise _Different
        if "groupClause" in keys:
            self._same_groups(before, after, scope)
            keys = keys - {"groupClause"}
        if "withClause" in keys:
            scope = self.same_with(before["withClause"], after["withClause"], scope)
            keys = keys - {"withClause"}
        for key in keys:
            if key == "lockingClause":  # names in it are aliases
                if not grammar.same(before[key], after[key]):
                    raise _Different
            elif key == "FuncCall":
                self._same_call(before[key], after[key], scope)
            elif key == "TypeCast":
                self._same_cast(before[key], after[key], scope)
            else:
                self.same(before[key], after[key], scope)
        return None

    def _same_groups(self, before: Node, after: Node, scope: Scope) -> None:
        """The groups may begin with columns that depend on a grouped primary key."""
        extra = [
            {"ColumnRef": {"fields": [{"String": {"sval": part}} for part in column]}}
            for column in dependent(before, self._views_by_node)
        ]
        found = after["groupClause"]
        if not grammar.same(extra, found[: len(extra)]):
            raise _Different
        self.same(before["groupClause"], found[len(extra) :], scope)

    def _lookup(self, before: Node) -> Lookup | None:
        for kind in ("TypeCast", "FuncCall", "RangeFunction"):
            if kind in before:
                return self._lookups.get(id(before[kind]))
        label = before.get("val", {}).get("TypeCast")
        found = self._lookups.get(id(label)) if label is not None else None
        return found if found is not None and found.label else None

    def _unclosed(self, lookup: Lookup, before: Node, after: Node) -> Node:
        """`after` without the cast, or the column's name, that closes a look-up value."""
        if "val" in before:  # the result column around it
            if after.get("name") != lookup.label:
                raise _Different
            return {key: value for key, value in after.items() if key != "name"}
        if not lookup.closing:
            return after
        cast = after.get("TypeCast", {})
        expected = grammar.parse_expression(f"NULL::pg_catalog.{lookup.closing}")
        expected = expected["TypeCast"]["typeName"]
        if not grammar.same(cast.get("typeName"), expected):
            raise _Different
        inner: Node = cast["arg"]
        return inner

    def _is_empty_source(self, lookup: Lookup, after: Node) -> None:
        source = lookup.node
        text = EMPTY_SOURCES[lookup.closing][bool(source.get("ordinality"))]
        _, empty = grammar.parse_one(text)
        subselect: Node = {
            "subquery": {"SelectStmt": empty},
            "alias": source.get("alias", {"aliasname": lookup.closing}),
        }
        if source.get("lateral"):
            subselect["lateral"] = True
        if not grammar.same(after, {"RangeSubselect": subselect}):
            raise _Different

    def same_with(self, before: Node, after: Node, scope: Scope) -> Scope:
        inner, outer = scope.within(before)
        if len(before["ctes"]) != len(after["ctes"]):
            raise _Different
        for one, other, visible in zip(before["ctes"], after["ctes"], inner, strict=True):
            self.same(one, other, visible)
        rest = before.keys() - PLACES - {"ctes"}
        if rest != after.keys() - PLACES - {"ctes"}:
            raise _Different
        for key in rest:
            self.same(before[key], after[key], outer)
        return outer

    def _is_view(self, relation: Node, after: Node, sample: Node | None = None) -> None:
        """`after` must be the relation's policy view under the name the client gave it.

        With a sampling, which only a view that shows the whole relation may hold.
        """
        view = self._view(relation)
        database = relation.get("catalogname", self._catalog.database)
        if view is None or database != self._catalog.database:
            raise _Different
        fence = self._fences.get(id(relation))
        tree = view.tree(fence=fence, only=not relation.get("inh"))
        if sample is not None:
            if not view.whole:
                raise _Different
            tree = sampled(tree, sample)
        expected = {
            "subquery": {"SelectStmt": tree},
            "alias": relation.get("alias", {"aliasname": relation["relname"]}),
        }
        if fence is not None and fence.lateral:
            expected["lateral"] = True
        if not grammar.same({"RangeSubselect": expected}, after):
            raise _Different

    def _same_call(self, before: Node, after: Node, scope: Scope) -> None:
        lookup = self._lookups.get(id(before))
        spread = lookup is not None and lookup.kind == "spread"
        if len(before["funcname"]) == 1 and not spread:
            call = self._views.calls.find(grammar.names(before["funcname"]))
            schema = {"String": {"sval": call.schema if call is not None else "pg_catalog"}}
            before = {**before, "funcname": [schema, *before["funcname"]]}
        if is_measured(before):
            after = self._unmeasured(before, after)
        guard = guard_of(before)
        if guard is None:
            return self.same(before, after, scope)
        own, found = before.get("args", []), after.get("args", [])
        at = guard.argument
        if len(own) != len(found) or len(own) <= at:
            raise _Different
        companion = companion_of(before, guard)
        self._is_guard(guard.kind, "oid", own[at], found[at], scope, companion)
        return self.same(
            {**before, "args": own[:at] + own[at + 1 :]},
            {**after, "args": found[:at] + found[at + 1 :]},
            scope,
        )

    def _unmeasured(self, before: Node, after: Node) -> Node:
        """`after` with the length argument the client wrote, when it is measured as it must be."""
        place = SIZED[called(before)]
        found = after.get("args", [])
        if len(found) <= place:
            raise _Different
        expected = grammar.parse_expression(f"{MEASURE[0]}NULL{MEASURE[1]}")
        inner = found[place]
        measure = expected
        while "TypeCast" in measure:
            cast = inner.get("TypeCast", {})
            if not grammar.same(measure["TypeCast"]["typeName"], cast.get("typeName")):
                raise _Different
            measure, inner = measure["TypeCast"]["arg"], cast["arg"]
        return {**after, "args": [*found[:place], inner, *found[place + 1 :]]}

    def _same_cast(self, before: Node, after: Node, scope: Scope) -> None:
        lookup = lookup_type(before)
        if not lookup or constant_text(before["arg"]) is not None:
            return self.same(before, after, scope)
        self.same(before["typeName"], after["typeName"], scope)
        kind = cast_guard(before)
        name = operand_name(before["arg"], lookup)
        return self._is_guard(kind, name, before["arg"], after["arg"], scope)

    def _is_guard(
        self,
        kind: str,
        name: str,
        own: Node,
        found: Node,
        scope: Scope,
        companion: Node | None = None,
    ) -> None:
        template = self._guards.get((kind, name))
        if template is None:
            template = grammar.parse_expression(self._guard_text(kind, name))
            self._guards[kind, name] = template
        self.matches(template, found, own, scope, companion)

    def _guard_text(self, kind: str, name: str) -> str:
        return self._views.sight.guard(kind, _ARGUMENT, name, _COMPANION)

    def matches(
        self, template: Any, found: Any, own: Node, scope: Scope, companion: Node | None = None
    ) -> None:
        """`found` must be the guard's tree with the client's own operand as its argument, and its
        companion as written."""
        if isinstance(template, dict):
            place = template.get("ColumnRef", {}).get("fields", [{}])[0]
            name = place.get("String", {}).get("sval")
            if name == _ARGUMENT:
                return self.same(own, found, scope)
            if name == _COMPANION:
                if companion is None or not grammar.same(companion, found):
                    raise _Different
                return None
            if not isinstance(found, dict) or template.keys() - PLACES != found.keys() - PLACES:
                raise _Different
            for key in template.keys() - PLACES:
                self.matches(template[key], found[key], own, scope, companion)
        elif isinstance(template, list):
            if not isinstance(found, list) or len(template) != len(found):
                raise _Different
            for one, other in zip(template, found, strict=True):
                self.matches(one, other, own, scope, companion)
        elif template != found:
            raise _Different
        return None
