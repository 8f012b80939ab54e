"""Which functions of the database a subject may call: those its capabilities name, and no others.

    functions: {total: {function: shop.order_total}}    ->   order_total(1), shop.order_total(1)

A function named by a rule is trusted with what it reads; it is never trusted to keep a condition's
operands to itself, so it counts as leaking wherever it stands. All of one name are one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.catalog import Catalog, Routine
from policies.functions import ALLOWED, EMPTY_SOURCES, GUARDED, LOOKUP_TYPES, PRIVILEGES
from policies.reasons import FUNCTION_NOT_ALLOWED, MODEL_NOT_ALLOWED, Refusal
from policies.rules import RuleSet

_CALLABLE = ("f", "a", "w")
# Bare, they are PostgreSQL's own.
_KNOWN = ALLOWED | GUARDED.keys() | PRIVILEGES.keys() | EMPTY_SOURCES.keys()


@dataclass(frozen=True, slots=True)
class Call:
    """One function a subject may call. `columns`: those every function of the name gives when it
    stands in FROM; `inlined`: PostgreSQL may take it apart there."""

    name: str
    schema: str
    function: str
    capabilities: tuple[str, ...]
    columns: frozenset[str]
    inlined: bool


class Calls:
    """The functions one subject may call under one pair of rules and catalog."""

    def __init__(
        self, rules: RuleSet, catalog: Catalog, granted: Mapping[str, tuple[str, ...]], locks: bool
    ) -> None:
        """`granted`: name of the rule -> capabilities; `locks`: whether the subject may lock, and
        so has sessions in which a volatile function could write."""
        self._catalog = catalog
        self._by_function: dict[tuple[str, str], Call | Refusal] = {}
        for function, name in rules.function_names().items():
            if name not in granted:
                continue
            routines = catalog.routine_names.get(function, ())
            closed = _closed(name, rules, routines, locks)
            self._by_function[function] = closed or _call(name, function, granted[name], routines)

    def find(self, parts: tuple[str, ...]) -> Call | None:
        """The function a call by these names means; None when it is no such function.

        A bare name must mean one of one schema only. Raises Refusal for a closed function.
        """
        found: Call | Refusal | None = None
        if not self._by_function:
            return None
        if len(parts) == 2:
            found = self._by_function.get((parts[0], parts[1]))
        elif len(parts) == 1 and not self._is_system(parts[0]):
            path = self._catalog.search_path
            holding = [s for s in path if (s, parts[0]) in self._catalog.routine_names]
            known = [s for s in holding if (s, parts[0]) in self._by_function]
            if known and len(holding) > 1:
                raise Refusal(
                    FUNCTION_NOT_ALLOWED,
                    f"function {parts[0]} could be one of several schemas",
                    f"write {known[0]}.{parts[0]}",
                )
            found = self._by_function.get((known[0], parts[0])) if known else None
        if isinstance(found, Refusal):
            raise found.with_traceback(None)
        return found

    def _is_system(self, name: str) -> bool:
        return name in _KNOWN or name in self._catalog.system_functions

    @property
    def names(self) -> list[str]:
        """The functions that may be called, as schema.name, sorted."""
        calls = (c for c in self._by_function.values() if isinstance(c, Call))
        return sorted(f"{call.schema}.{call.function}" for call in calls)

    @property
    def oids(self) -> frozenset[int]:
        """The OIDs of the functions that may be called."""
        calls = (c for c in self._by_function.values() if isinstance(c, Call))
        known = (self._catalog.routine_names[call.schema, call.function] for call in calls)
        return frozenset(routine.oid for routines in known for routine in routines)

    @property
    def columns(self) -> frozenset[str]:
        """Every column name these functions give."""
        calls = (c for c in self._by_function.values() if isinstance(c, Call))
        return frozenset().union(*(call.columns for call in calls))


def unfit(routines: tuple[Routine, ...], *, vouched: bool) -> str:
    """Why functions of one name cannot be called, "" when they can. `vouched`: the rules say that
    volatile ones change nothing."""
    if not any(routine.kind in _CALLABLE for routine in routines):
        return "no such function in the database"
    if not vouched and any(r.volatility == "v" and r.kind in _CALLABLE for r in routines):
        return "it is VOLATILE, so it may write"
    if any(_looks_up(type_name) for routine in routines for type_name in routine.types):
        return "it takes or gives names of objects (regclass and the like)"
    return ""


def _closed(
    name: str, rules: RuleSet, routines: tuple[Routine, ...], locks: bool
) -> Refusal | None:
    """The refusal of every call, None when it may be called."""
    vouched = rules.functions[name].volatile
    if unfit(routines, vouched=vouched):
        return Refusal(
            MODEL_NOT_ALLOWED,
            f'the rules for function "{name}" do not fit the database, so it is closed',
            "ask whoever keeps the rules to run: querywarden check",
            rule=f"functions.{name}",
        )
    if vouched and locks:
        return Refusal(
            FUNCTION_NOT_ALLOWED,
            f'function "{name}" is VOLATILE, and a login that may lock rows may not call it',
            rule=f"functions.{name}",
        )
    return None


def _looks_up(type_name: str) -> bool:
    return type_name.removesuffix("[]") in LOOKUP_TYPES


def _call(
    name: str, function: tuple[str, str], capabilities: tuple[str, ...],
    routines: tuple[Routine, ...],
) -> Call:  # fmt: skip
    columns = [frozenset(routine.columns) for routine in routines if routine.kind in _CALLABLE]
    return Call(
        name=name,
        schema=function[0],
        function=function[1],
        capabilities=capabilities,
        columns=columns[0].intersection(*columns[1:]),
        inlined=any(routine.inlined for routine in routines),
    )


def problems(rules: RuleSet, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """(rule, message) for every function of the rules that does not fit the database."""
    for function, name in rules.function_names().items():
        routines = catalog.routine_names.get(function, ())
        why = unfit(routines, vouched=rules.functions[name].volatile)
        if why:
            hint = "; add `volatile: true` if it changes nothing" if "VOLATILE" in why else ""
            yield f"functions.{name}", why + hint


def warnings(rules: RuleSet, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """(rule, message) for functions that see more than their callers."""
    for function, name in rules.function_names().items():
        routines = catalog.routine_names.get(function, ())
        if any(routine.definer for routine in routines):
            message = (
                "is SECURITY DEFINER: it reads with its owner's rights, past row-level security, "
                "rows of EVERY tenant; what it gives back is not confined"
            )
            yield f"functions.{name}", message
        elif any(routine.language not in ("c", "internal") for routine in routines):
            message = "reads tables and not policy views: what it gives back is not confined"
            yield f"functions.{name}", message
