"""Does rewriting keep the meaning? Captured statements through the engine, undone and compared.

    python -m benchmarks.fidelity
    python -m benchmarks.fidelity --corpora DIR --show 5 orm tpch

Under rules that let the subject read every relation a statement names, each SELECT is decided.
`passed`: a text came out and, with policy views put back and caps taken off by an independent
checker (`benchmarks.undo`), it is the original. `names nothing`: it names a function or type that
no PostgreSQL has, so that PostgreSQL would refuse it too (language models write `year(x)`; the
regression tests make their own). `writes`: SELECT INTO, INSERT within WITH, setval(). `not
allowed`: policy forbids it (a function off the list, a system table with statistics), whatever its
spelling. `unsupported`: the rewriter could not do it. `changed`: a text came out that says
something else. It must be 0.

Statements that write are counted the same, under rules that permit all of them and a catalog of
tables that have the columns they name.

What drivers and ORMs ask the system tables can be tried on a real server: of those statements that
PostgreSQL accepts as written, the last table says how many it accepts as rewritten.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import postgast
from rich.console import Console
from rich.table import Table

from benchmarks import corpora, stage
from benchmarks.undo import Expected, difference, equal
from benchmarks.undo_writes import Tenancy
from policies.catalog import Catalog
from policies.decision import Allow
from policies.pipeline import Snapshot, decide
from policies.rules import RuleSet
from proxy.embedded import EmbeddedPostgres
from proxy.introspect import read_catalog

POLICY = frozenset(
    "RELATION_NOT_ALLOWED FUNCTION_NOT_ALLOWED TYPE_NOT_ALLOWED OPERATOR_NOT_ALLOWED "
    "SETTING_NOT_ALLOWED FIELD_NOT_ALLOWED STATEMENT_NOT_ALLOWED".split()
)
CATALOG_ROWS = 10_000
# Views of information_schema whose rows do not say whose they are.
_MADE_ANEW = frozenset(
    "table_constraints referential_constraints check_constraints constraint_column_usage "
    "constraint_table_usage table_privileges role_table_grants column_privileges "
    "role_column_grants".split()
)
HASH_KEY = b"0" * 32


@dataclass(slots=True)
class Count:
    """What became of one corpus. `nothing`: named what exists nowhere;
    `writes`: would have written; `refused`: reason -> how
    many; `examples`: (reason, message, SQL);
    `changed`: (original, rewritten, where they differ)."""

    corpus: str
    total: int = 0
    passed: int = 0
    nothing: int = 0
    writes: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, str, str]] = field(default_factory=list)
    changed: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def unsupported(self) -> int:
        """Refused for no reason of policy: what the rewriter could not do."""
        return sum(n for code, n in self.refused.items() if code not in POLICY)

    @property
    def not_allowed(self) -> int:
        """Refused by policy."""
        return sum(n for code, n in self.refused.items() if code in POLICY)

    @property
    def share(self) -> float:
        """Passed, of what reads and names things that exist."""
        return self.passed / max(1, self.total - self.nothing - self.writes)

    @property
    def share_of_allowed(self) -> float:
        """Passed, of what policy allows besides."""
        return self.passed / max(1, self.passed + self.unsupported)


def empty_catalog(server: EmbeddedPostgres) -> Catalog:
    """The catalog of a database with nothing in it: system relations, types, operators."""
    return asyncio.run(read_catalog(server.dsn()))


def count(corpus: str, system: Catalog, directory: Path = corpora.DIRECTORY) -> Count:
    """Decide and check every SELECT of a corpus."""
    texts = corpora.selects(corpus, directory)
    return _counted(corpus, texts, corpora.permissive(texts, system), system)


def count_writes(corpus: str, system: Catalog, directory: Path = corpora.DIRECTORY) -> Count:
    """Decide and check every statement of a corpus that writes."""
    texts = corpora.writes(corpus, directory)
    return _counted(corpus, texts, corpora.writable(texts, system), system)


def _counted(
    corpus: str, texts: Sequence[str], given: tuple[RuleSet, Catalog], system: Catalog
) -> Count:
    rules, catalog = given
    snapshot = Snapshot(rules, catalog, HASH_KEY, "fidelity")
    is_view, tenancy = _view_of(catalog), _tenancy(catalog)
    result = Count(corpus, total=len(texts))
    for text in texts:
        decision = decide(text.encode(), corpora.SUBJECT, snapshot)
        if not isinstance(decision, Allow):
            code = decision.reason.code
            if code == "FUNCTION_NOT_FOUND" or (
                code == "TYPE_NOT_ALLOWED" and corpora.names_nothing(text, system)
            ):
                result.nothing += 1
                continue
            if code == "WRITE_DISABLED":
                result.writes += 1
                continue
            result.refused[decision.reason.code] += 1
            result.examples.append((decision.reason.code, decision.message, text))
            continue
        rewritten = decision.text.decode()
        cap = _cap(text, decision.statements[0].cap)
        where = difference(text, rewritten, Expected(cap, is_view, tenancy=tenancy))
        if where:
            result.changed.append((text, rewritten, where))
        else:
            result.passed += 1
    return result


@dataclass(slots=True)
class Accepted:
    """Rewritten statements on system tables: how many PostgreSQL prepares, and (error, original)
    of the others."""

    corpus: str
    prepared: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


async def accepted(
    corpus: str, system: Catalog, dsn: str, directory: Path = corpora.DIRECTORY
) -> Accepted:
    """Prepare what became of every statement that reads system tables only and is valid itself."""
    texts = corpora.selects(corpus, directory)
    rules, catalog = corpora.permissive(texts, system)
    snapshot = Snapshot(rules, catalog, HASH_KEY, "fidelity")
    result = Accepted(corpus)
    connection = await asyncpg.connect(dsn, statement_cache_size=0)
    for text in texts:
        decision = decide(text.encode(), corpora.SUBJECT, snapshot)
        own = corpora.reads_own_tables(text, system)
        if own or not corpora.relations([text]) or not isinstance(decision, Allow):
            continue
        if await _prepare(connection, text):
            continue
        problem = await _prepare(connection, decision.text.decode())
        if problem:
            result.failed.append((problem, text))
        else:
            result.prepared += 1
    await connection.close()
    return result


async def _prepare(connection: asyncpg.Connection, text: str) -> str:
    """The error PostgreSQL gives, "" when it takes the statement."""
    try:
        await connection.execute(f"PREPARE fidelity AS {text}")
        await connection.execute("DEALLOCATE fidelity")
    except asyncpg.PostgresError as error:
        return str(error).splitlines()[0]
    return ""


def _cap(text: str, made: int | None) -> int:
    """How many rows it may give: those of the role, or of catalogs when it reads nothing else."""
    system = {schema for schema, _ in corpora.relations([text])} <= {*corpora.SYSTEM, "public"}
    return made if system and made == CATALOG_ROWS else corpora.ROWS


def _view_of(catalog: Catalog) -> Callable[[Any, str, str], bool]:
    """The test `undo` asks for: does this SELECT read just that relation, scoped to the tenant?"""

    def is_view(inner: Any, schema: str, name: str) -> bool:
        relation = catalog.find(schema, name)
        if relation is None or len(inner.from_clause) != 1:
            return False
        source = inner.from_clause[0].range_var
        if relation.schema == "information_schema" and not source.relname:
            return name in _MADE_ANEW
        if (source.schemaname, source.relname) != (relation.schema, relation.name):
            return False
        if inner.sort_clause:
            return False  # the order of nothing around it
        if relation.schema in corpora.SYSTEM:
            return True  # what rows of it are seen depends on what exists; the attacks check that
        name = source.alias.aliasname or relation.name
        name = '"' + name.replace('"', '""') + '"'
        return any(
            equal(inner.where_clause, _condition(f"{column} = '{corpora.TENANT}'"))
            for column in ("tenant_id", f"{name}.tenant_id")
        )

    return is_view


def _tenancy(catalog: Catalog) -> Tenancy:
    def columns(schema: str, name: str) -> list[str]:
        relation = catalog.find(schema or "public", name)
        return [column.name for column in relation.columns] if relation is not None else []

    return Tenancy("tenant_id", f"'{corpora.TENANT}'", "bigint", "id", columns)


@functools.cache
def _condition(text: str) -> Any:
    return postgast.parse(f"SELECT WHERE {text}").stmts[0].stmt.select_stmt.where_clause


def _table(title: str, counts: Sequence[Count]) -> Table:
    table = stage.table(
        f"Fidelity of rewriting: {title}",
        "corpus",
        figures=(
            "statements",
            "names nothing",
            "writes",
            "not allowed",
            "unsupported",
            "passed",
            "of reads",
            "of allowed",
            "changed",
        ),
    )
    table.add_column("refused for")
    for c in counts:
        reasons = ", ".join(f"{n:,} {code}" for code, n in c.refused.most_common(3))
        cells = (c.total, c.nothing, c.writes, c.not_allowed, c.unsupported, c.passed)
        figures = [f"{cell:,}" for cell in cells]
        figures += [f"{c.share:.1%}", f"{c.share_of_allowed:.1%}", f"{len(c.changed)}"]
        table.add_row(c.corpus, *figures, reasons)
    return table


def _accepted_table(results: Sequence[Accepted], number: int) -> Table:
    title = "Rewritten statements on system tables"
    table = stage.table(title, "corpus", figures=("prepared", "failed"))
    table.add_column("because")
    for r in results:
        reasons = Counter(error for error, _ in r.failed).most_common(max(3, number))
        why = ", ".join(f"{n:,} {error}" for error, n in reasons)
        table.add_row(r.corpus, f"{r.prepared:,}", f"{len(r.failed):,}", why)
    return table


def _examples(console: Console, counts: Sequence[Count], number: int) -> None:
    for c in counts:
        for code in c.refused:
            some = [example for example in c.examples if example[0] == code][:number]
            for _, message, text in some:
                console.print(f"{c.corpus}: {code}: {message}", markup=False, style="yellow")
                console.print(f"    {text[:400]!r}", markup=False)
        for text, rewritten, where in c.changed[:number]:
            console.print(f"{c.corpus}: CHANGED at {where}", markup=False, style="bold red")
            console.print(f"    {text!r}\n    {rewritten!r}", markup=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a statement was changed silently."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", help=f"of {', '.join(corpora.NAMES)}; default: all")
    parser.add_argument("--corpora", type=Path, default=corpora.DIRECTORY)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="examples per reason")
    chosen = parser.parse_args(arguments)
    names = [n for n in chosen.names or corpora.NAMES if corpora.available(n, chosen.corpora)]
    if not names:
        print(f"fidelity: skipped, no corpora in {chosen.corpora} (--corpora DIR)")
        return 0
    with EmbeddedPostgres() as server:
        system = empty_catalog(server)
        counts = [count(name, system, chosen.corpora) for name in names]
        writing = [count_writes(name, system, chosen.corpora) for name in names]
        valid = [
            asyncio.run(accepted(name, system, server.dsn(), chosen.corpora))
            for name in ("orm", "clients")
            if name in names
        ]
    console = stage.console()
    writing = [counted for counted in writing if counted.total]
    console.print(_table("SELECTs", counts))
    if writing:
        console.print(_table("statements that write", writing))
    if valid:
        console.print(_accepted_table(valid, chosen.show))
    _examples(console, [*counts, *writing], chosen.show)
    console.print(stage.machine(), style="dim", soft_wrap=True)
    return 1 if any(c.changed for c in (*counts, *writing)) else 0


if __name__ == "__main__":
    sys.exit(main())
