"""What the rules of a run put into a statement that writes, taken off again, for `undo`.

Knows what may be there: the tenant's condition in WHERE, of DO UPDATE too, or in ON; the tenant's
value beside or in place of the client's; a column list; RETURNING and unnest() whose stars are
spread. Anything else stays, so that `undo` finds it. As independent of the rewriter as `undo`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import postgast

from benchmarks.copied import claims, conjuncts
from benchmarks.undo_guards import select
from benchmarks.undo_names import Message, given, words

_AND = postgast.pg_query_pb2.AND_EXPR
_INSERT = postgast.pg_query_pb2.CMD_INSERT
WRITERS: Final = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
Equal = Callable[[Message, Message], bool]


@dataclass(frozen=True, slots=True)
class Tenancy:
    """Every table has a column `column` whose value is `value`, an SQL literal, of type `kind`, and
    a key `key` of that type, which no statement changes. `columns`: the columns of a table, by
    schema ("" when none is written) and name."""

    column: str
    value: str
    kind: str
    key: str
    columns: Callable[[str, str], Sequence[str]]

    @property
    def own(self) -> str:
        """The value, of its type."""
        return f"CAST({self.value} AS {self.kind})"


def taken_off(before: Message, after: Message, rules: Tenancy, equal: Equal) -> Message:
    """`after`, one of WRITERS, without what may be in it beyond `before`."""
    bare = type(after)()
    bare.CopyFrom(after)
    work = _Undone(before, bare, rules, equal)
    work.relation()
    match before.DESCRIPTOR.name:
        case "InsertStmt":
            work.rows()
            if before.HasField("on_conflict_clause"):
                work.conflict()
        case "UpdateStmt":
            work.assignments(before.target_list, bare.target_list)
            work.condition(before, bare)
        case "MergeStmt":
            work.condition(before, bare, "join_condition")
            work.actions()
        case _:
            work.condition(before, bare)
    if before.HasField("returning_clause"):
        work.returning()
    return bare


@dataclass(frozen=True, slots=True)
class _Undone:
    before: Message
    bare: Message  # changed in place
    rules: Tenancy
    equal: Equal

    @property
    def alias(self) -> str:
        return str(self.before.relation.alias.aliasname or self.before.relation.relname)

    @property
    def table(self) -> Sequence[str]:
        relation = self.before.relation
        return self.rules.columns(relation.schemaname, relation.relname)

    def is_sql(self, node: Message, text: str) -> bool:
        return self.equal(node, _expression(text))

    # The target's schema may be written out.

    def relation(self) -> None:
        relation = self.bare.relation
        if not self.before.relation.schemaname and relation.schemaname == "public":
            relation.schemaname = ""

    # WHERE scope AND copied AND CASE WHEN scope THEN (own) ELSE false END

    def condition(self, before: Message, bare: Message, field: str = "where_clause") -> None:
        scope = f"{_name(self.alias)}.{self.rules.column} = {self.rules.value}"
        own, has = getattr(before, field), getattr(bare, field)
        if own.WhichOneof("node") is None:
            if self.is_sql(has, scope):
                bare.ClearField(field)
            return
        clause = has.bool_expr
        parts = list(clause.args)
        if clause.boolop != _AND or len(parts) < 2 or not self.is_sql(parts[0], scope):
            return
        last = parts[-1]
        if last.WhichOneof("node") == "case_expr" and own.WhichOneof("node") != "case_expr":
            inner = self._fenced(last, scope)
            if inner is None or not self._are_copies(parts[1:-1], inner):
                return
            last = inner
        elif len(parts) != 2:
            return
        found = type(last)()
        found.CopyFrom(last)
        has.CopyFrom(found)

    def _fenced(self, node: Message, scope: str) -> Message | None:
        shell = _expression(f"CASE WHEN {scope} THEN (x) ELSE false END")
        inner = node.case_expr.args[0].case_when.result
        shell.case_expr.args[0].case_when.result.CopyFrom(inner)
        return inner if self.equal(shell, node) else None

    def _are_copies(self, copies: Sequence[Message], own: Message) -> bool:
        there = {claim for one in conjuncts(own) for claim in claims(one, self.alias, "", "")}
        return all(there.intersection(claims(one, self.alias, "", "")) for one in copies)

    # SET tenant = <own, or fail>

    def assignments(self, mine: Sequence[Message], theirs: Sequence[Message]) -> None:
        for one, other in zip(mine, theirs, strict=False):
            if one.res_target.name == self.rules.column:
                self._own(one.res_target.val, other.res_target.val)
            elif one.res_target.name == self.rules.key:
                self._unchanged(one.res_target.val, other.res_target.val)

    def _unchanged(self, mine: Message, theirs: Message) -> None:
        """Put the client's value back where it must be the key there is."""
        key = f"{_name(self.alias)}.{_name(self.rules.key)}"
        shell = _expression(f"CASE WHEN (x) IS NOT DISTINCT FROM {key} THEN {key} END")
        self._compared(mine, theirs, shell)

    def _own(self, mine: Message, theirs: Message) -> None:
        """Put the client's value back where it is compared with the tenant's, or replaced."""
        if self.is_sql(theirs, self.rules.own):
            theirs.CopyFrom(mine)
            return
        shell = _expression(f"CASE WHEN (x) = {self.rules.own} THEN {self.rules.own} END")
        self._compared(mine, theirs, shell)

    def _compared(self, mine: Message, theirs: Message, shell: Message) -> None:
        """The same where it stands for x in the shell, and fails otherwise."""
        if theirs.WhichOneof("node") != "case_expr" or not theirs.case_expr.args:
            return
        failing = theirs.case_expr.defresult
        compared = theirs.case_expr.args[0].case_when.expr.a_expr.lexpr
        shell.case_expr.args[0].case_when.expr.a_expr.lexpr.CopyFrom(compared)
        shell.case_expr.defresult.CopyFrom(failing)
        if self.equal(shell, theirs) and self._fails(failing) and self.equal(mine, compared):
            theirs.CopyFrom(mine)

    def _fails(self, node: Message) -> bool:
        """CAST(CAST(CAST(concat('querywarden:0') AS int4) AS text) AS kind): no such number."""
        texts = [n.sval.sval for _, n in postgast.walk(node) if type(n).__name__ == "A_Const"]
        failing = f"CAST(pg_catalog.concat('{(texts or [''])[0]}') AS pg_catalog.int4)"
        typed = f"CAST(CAST({failing} AS pg_catalog.text) AS {self.rules.kind})"
        marked = [text.startswith("querywarden:") for text in texts] == [True]
        return marked and (self.is_sql(node, failing) or self.is_sql(node, typed))

    # INSERT: the column list, and the tenant in every row.

    def rows(self) -> None:
        had = [column.res_target.name for column in self.before.cols]
        has = [column.res_target.name for column in self.bare.cols]
        query = self.bare.select_stmt.select_stmt
        added = has[-1:] == [self.rules.column] and self.rules.column not in had
        if not had:
            shown = list(self.table)
            if has[: len(has) - added] != shown[: len(has) - added]:
                return
        if not self.before.HasField("select_stmt"):
            row = select(f"VALUES ({self.rules.own})")
            if has == [*had, self.rules.column] and self.equal(row, query):
                self.bare.ClearField("select_stmt")
                del self.bare.cols[len(had) :]
            return
        own = has.index(self.rules.column) if self.rules.column in has else -1
        mine = self.before.select_stmt.select_stmt
        if self._leaves(mine, query, own, added):
            if not had:
                del self.bare.cols[:]
            elif added:
                del self.bare.cols[len(had) :]

    def _leaves(self, mine: Message, theirs: Message, own: int, added: bool) -> bool:
        """Undo every VALUES and SELECT that is combined; False when one is not as expected."""
        if mine.HasField("larg") and theirs.HasField("larg"):
            arms = ((mine.larg, theirs.larg), (mine.rarg, theirs.rarg))
            return all([self._leaves(one, other, own, added) for one, other in arms])
        if mine.values_lists:
            pairs = zip(mine.values_lists, theirs.values_lists, strict=False)
            return all([self._row(a.list.items, b.list.items, own, added) for a, b in pairs])
        if _is_star(mine.target_list):
            self._unnested(mine, theirs)
        return self._row(mine.target_list, theirs.target_list, own, added)

    def _row(self, mine: Sequence[Message], theirs: Message, own: int, added: bool) -> bool:
        if added:
            if not theirs or not self.is_sql(_value(theirs[-1]), self.rules.own):
                return False
            del theirs[-1]
        elif 0 <= own < min(len(mine), len(theirs)):
            self._own(_value(mine[own]), _value(theirs[own]))
        return True

    def _unnested(self, mine: Message, theirs: Message) -> None:
        """SELECT q."1", <own of q."2"> FROM unnest(...) AS q("1", "2") -> SELECT * FROM unnest"""
        if [source.WhichOneof("node") for source in theirs.from_clause] != ["range_function"]:
            return
        alias = theirs.from_clause[0].range_function.alias
        names = words(alias.colnames)
        if mine.from_clause[0].range_function.HasField("alias") or not names:
            return
        columns = [_expression(f"{_name(alias.aliasname)}.{_name(name)}") for name in names]
        results = list(theirs.target_list)
        added = len(results) > len(columns)
        for number, column in enumerate(columns):
            if number < len(results):
                self._own(column, results[number].res_target.val)
        values = [_value(result) for result in results[: len(columns)]]
        if all(map(self.equal, values, columns)) and len(values) == len(columns):
            theirs.from_clause[0].range_function.ClearField("alias")
            del theirs.target_list[:]
            theirs.target_list.extend([*mine.target_list, *(results[-1:] if added else [])])

    def actions(self) -> None:
        """The INSERTs and UPDATEs of a MERGE."""
        mine, theirs = self.before.merge_when_clauses, self.bare.merge_when_clauses
        for one, other in zip(mine, theirs, strict=False):
            before, bare = one.merge_when_clause, other.merge_when_clause
            if before.command_type == _INSERT:
                self._action(before, bare)
            else:
                self.assignments(before.target_list, bare.target_list)

    def _action(self, before: Message, bare: Message) -> None:
        had = [column.res_target.name for column in before.target_list]
        has = [column.res_target.name for column in bare.target_list]
        added = has[-1:] == [self.rules.column] and self.rules.column not in had
        own = has.index(self.rules.column) if self.rules.column in has else -1
        count = len(before.values)
        listed = had or list(self.table)[:count]
        if has == [*listed, *has[len(has) - added :]] and self._row(
            before.values, bare.values, own, added
        ):
            del bare.target_list[len(had) :]

    def conflict(self) -> None:
        clause, bare = self.before.on_conflict_clause, self.bare.on_conflict_clause
        self.assignments(clause.target_list, bare.target_list)
        self.condition(clause, bare)

    # RETURNING *: the columns there are.

    def returning(self) -> None:
        mine = self.before.returning_clause.exprs
        theirs = self.bare.returning_clause.exprs
        left = list(theirs)
        made: list[Message] = []
        for one in mine:
            spread = self._spread(one)
            if spread is None:
                made.extend(left[:1])
                left = left[1:]
                continue
            there = [_value(result) for result in left[: len(spread)]]
            if len(there) != len(spread) or not all(map(self.equal, there, spread)):
                return
            made.append(one)
            left = left[len(spread) :]
        made = [*made, *left]
        del theirs[:]
        theirs.extend(made)

    def _spread(self, result: Message) -> list[Message] | None:
        """What `*` or `t.*` of the target stands for; None for anything else."""
        if not _is_star([result]):
            return None
        names = words(result.res_target.val.column_ref.fields)[:-1]
        if names and names[-1] != self.alias:
            return None
        own = [_expression(f"{_name(self.alias)}.{_name(name)}") for name in self.table]
        if names:
            return own
        if self.before.DESCRIPTOR.name == "MergeStmt":
            return [*_stars([self.before.source_relation]), *own]
        clauses = (getattr(self.before, name, []) for name in ("from_clause", "using_clause"))
        return [*own, *(star for clause in clauses for star in _stars(clause))]


def _stars(sources: Sequence[Message]) -> Iterator[Message]:
    for name, _ in given(sources):
        yield _expression(f"{_name(name)}.*")


def _is_star(results: Sequence[Message]) -> bool:
    if len(results) != 1:
        return False
    fields = _value(results[0]).column_ref.fields
    return bool(fields) and fields[-1].WhichOneof("node") == "a_star"


def _value(node: Message) -> Message:
    return node.res_target.val if node.WhichOneof("node") == "res_target" else node


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _expression(text: str) -> Message:
    return select(f"SELECT {text}").target_list[0].res_target.val
