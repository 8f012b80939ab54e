"""What the column names of one statement may stand for: columns of relations, or results inside it.

Names are looked at without the places they stand at: what any part of the statement could mean by
a name is taken for meant. That errs to one side only, more columns than are meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies import grammar
from policies.grammar import Node
from policies.outline import Outline
from policies.views import PolicyView

Origin = tuple[int, str]  # id() of a RangeVar, column
# What a column without a name may be called, besides names inside its expression.
_UNNAMED = frozenset("?column? case coalesce greatest least array row exists nullif".split())


class Untraceable(Exception):
    """A name cannot be followed to the relations it may come from."""


class Names:
    """What column names of one statement may stand for.

    A reference is *direct* when it can only be a column of a relation; anything that may come out
    of a derived table, a WITH query or a function is not.
    """

    def __init__(self, parts: Outline, views: Mapping[int, PolicyView]) -> None:
        self._views = views
        self._by_alias: dict[str, list[int]] = {}
        self._others = set(parts.others)  # aliases of anything that is no relation
        self.functions = parts.functions  # names and aliases of functions in FROM
        for relation in parts.relations:
            name = grammar.alias(relation)
            if id(relation) in views:
                self._by_alias.setdefault(name, []).append(id(relation))
            else:
                self._others.add(name)
        self._derived: set[str] | None = set()  # output names of inner results; None: any
        for select in (*parts.outputs, *parts.united):
            for target in select.get("targetList", []):
                self._add_output(target["ResTarget"])

    def _add_output(self, target: Node) -> None:
        names = output_names(target)
        if names is None:
            self._derived = None
        elif self._derived is not None:
            self._derived |= names

    def origins(self, parts: tuple[str, ...]) -> list[Origin]:
        """The relations' columns a direct reference may mean. Raises Untraceable for others."""
        column = parts[-1] if parts else ""
        if len(parts) > 1:
            if parts[-2] in self._others:
                raise Untraceable
            places: Iterable[int] = self._by_alias.get(parts[-2], [])
        else:
            if self._derived is None or column in self._derived or column in self._others:
                raise Untraceable
            places = self._views
        found = [(place, column) for place in places if column in self._views[place].columns]
        if not found:
            raise Untraceable
        return found


def output_names(target: Node) -> set[str] | None:
    """What a result column may be called; None for `*`, which may be anything."""
    if "name" in target:
        return {target["name"]}
    value = target["val"]
    if "ColumnRef" in value:
        fields = value["ColumnRef"]["fields"]
        return None if "A_Star" in fields[-1] else {grammar.names(fields)[-1]}
    inside = {text for key, text in grammar.walk(value) if key == "sval" and type(text) is str}
    return inside | _UNNAMED
