"""The value that flows through the steps: one statement, what is known of it, what is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlglot import exp

from policies import grammar
from policies.catalog import Catalog
from policies.decision import Check, CopyOut, Forget, Naming, SessionChange, Shown, Write
from policies.grammar import Node, Token
from policies.lookups import Lookup
from policies.places import PUT, Written
from policies.pushdown import fences
from policies.routines import Call
from policies.rules import Budget
from policies.subject import Subject
from policies.syscat import SYSTEM_SCHEMAS
from policies.views import Fence, PolicyView, Views
from policies.writes.shape import shape

if TYPE_CHECKING:
    from policies.writes.target import Target


@dataclass(frozen=True, slots=True)
class Relation:
    """A RangeVar PostgreSQL's grammar found. `place`: byte offset in the statement; `with_query`:
    it names a WITH query, not a relation."""

    node: Node
    place: int
    with_query: bool


@dataclass(frozen=True, slots=True)
class GuardUse:
    """An operand whose object must be visible: byte range in the statement, the kind, and the
    name PostgreSQL gives a result column made of it. `companion`: the text of another argument
    the guard repeats."""

    start: int
    end: int
    kind: str
    name: str = "oid"
    companion: str = ""


@dataclass(slots=True)
class Reading:
    """What PostgreSQL's grammar says the statement names."""

    relations: list[Relation] = field(default_factory=list)
    writes: list[tuple[str, Node]] = field(default_factory=list)  # node type and node
    functions: list[tuple[Node, tuple[str, ...]]] = field(default_factory=list)
    casts: list[Node] = field(default_factory=list)
    types: list[Node] = field(default_factory=list)
    operators: list[tuple[str, ...]] = field(default_factory=list)
    columns: list[tuple[str, ...]] = field(default_factory=list)
    long_columns: bool = False  # whether some are written schema.table.column
    locks: list[Node] = field(default_factory=list)  # SELECTs with FOR UPDATE and the like
    calls: list[Call] = field(default_factory=list)  # of functions the rules name
    samples: dict[int, Node] = field(default_factory=dict)  # by id() of the RangeVar sampled
    attributes: list[str] = field(default_factory=list)  # x in (value).x
    # Names of functions in FROM and the columns the statement declares for them.
    sources: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """Where sqlglot found a relation's name: byte range of `[ONLY] [schema.]name`."""

    place: int  # of the name itself
    start: int
    end: int
    table: exp.Table


@dataclass(frozen=True, slots=True)
class Use:
    """One place at which a relation is read, and the view that stands there instead."""

    site: Site
    relation: Relation
    view: PolicyView


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `text[start:end]`. `rank` orders edits that start at the same place; `kind`: what
    `policies.places` calls it."""

    start: int
    end: int
    text: str
    rank: int = 0
    kind: int = PUT


@dataclass(slots=True)
class Statement:
    """One statement on its way. `text` is its own bytes, `node` PostgreSQL's tree of it with places
    relative to `offset`."""

    text: bytes
    offset: int
    kind: str
    node: Node
    subject: Subject
    views: Views
    catalog: Catalog
    budget: Budget
    said: Mapping[str, str] = field(default_factory=dict)  # by its comments: policies.comments
    reading: Reading = field(default_factory=Reading)
    sites: list[Site] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    guards: list[GuardUse] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    hidden: frozenset[str] = frozenset()  # columns of system tables it names and * leaves out
    edits: list[Edit] = field(default_factory=list)
    fences: Mapping[int, Fence] = field(default_factory=dict)  # by id() of the RangeVar
    capability: str = ""
    operation: str = "unknown"
    complexity: int = 0  # the score of its parts
    rows: int | None = None  # the most rows the subject may have of this statement
    spare: int = 1  # rows asked for beyond them, which tell that there were more
    cap: int | None = None  # the same, when the result may exceed it and must be cut
    forget: Forget | None = None
    copy: CopyOut | None = None
    naming: Naming | None = None
    shown: Shown | None = None
    change: SessionChange | None = None
    output: bytes = b""
    query: bytes = b""  # the query in the output, as it is sent
    written: Written | None = None
    targets: list[Target] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)  # what it makes sure of when it runs
    write: Write | None = None
    may_write: bool = True  # not inside another statement
    utility: bool = False  # decided by its kind alone; `output` is set by the step that read it
    _tokens: list[Token] | None = None
    _shape: Node | None = None
    _fences: tuple[dict[int, PolicyView], Mapping[int, Fence]] | None = None

    def fences_of(self, views: dict[int, PolicyView]) -> Mapping[int, Fence]:
        """The fences these views need, by id() of the RangeVar; worked out once for the same."""
        if self._fences is None or self._fences[0] != views:
            self._fences = views, MappingProxyType(fences(self.shape, views, self.catalog))
        return self._fences[1]

    def inner(self, text: bytes, offset: int, node: Node) -> Statement:
        """A query inside this statement, asked by the same subject."""
        return Statement(
            text=text,
            offset=offset,
            kind="SelectStmt",
            node=node,
            subject=self.subject,
            views=self.views,
            catalog=self.catalog,
            budget=self.budget,
            said=self.said,
            may_write=False,
        )

    @property
    def shape(self) -> Node:
        """The query it is or, when it writes, the one that finds its rows."""
        if self._shape is None:
            self._shape = shape(self.kind, self.node)
        return self._shape

    @property
    def views_by_node(self) -> dict[int, PolicyView]:
        """The view of each relation it reads or writes, by id() of its RangeVar."""
        found = {id(use.relation.node): use.view for use in self.uses}
        found.update((id(target.node["relation"]), target.view) for target in self.targets)
        return found

    @property
    def only_catalogs(self) -> bool:
        """Whether it reads system catalogs and nothing else."""
        return (
            bool(self.uses)
            and not self.targets
            and all(use.view.relation.schema in SYSTEM_SCHEMAS for use in self.uses)
        )

    @property
    def tokens(self) -> list[Token]:
        """PostgreSQL's tokens of the text, scanned once. Raises GrammarError."""
        if self._tokens is None:
            self._tokens = grammar.tokens(self.text)
        return self._tokens
