"""Captured statements keep their meaning: nothing changes silently, and little is refused.

Needs the corpora (QUERYWARDEN_CORPORA, else beside the project); skipped where there are none.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import corpora
from benchmarks.fidelity import HASH_KEY, Count, accepted, count, count_writes, empty_catalog
from policies.catalog import Catalog
from policies.decision import Deny
from policies.pipeline import Snapshot, decide
from proxy.introspect import read_catalog
from proxy.testing import EmbeddedPostgres

# Share that must come through: of SELECTs that read and name what exists, and of those of them
# that policy allows.
LEAST = {
    "orm": (0.99, 0.99),
    "clients": (0.99, 1.0),
    "tpch": (1.0, 1.0),
    "tpcds": (1.0, 1.0),
    "job": (1.0, 1.0),
    "llm_bird": (1.0, 1.0),
    "sqleval": (1.0, 1.0),
    "regress": (0.85, 0.98),
}
# How many may be left out of the count because they name what no PostgreSQL has, or write.
MOST_APART = {"orm": 1, "clients": 4, "llm_bird": 101, "regress": 980}


@pytest.fixture(scope="module")
def system() -> Iterator[Catalog]:
    with EmbeddedPostgres() as server:
        yield empty_catalog(server)


def counted(corpus: str, system: Catalog) -> Count:
    if not corpora.available(corpus):
        pytest.skip(f"no {corpus} corpus in {corpora.DIRECTORY}")
    return count(corpus, system)


@pytest.mark.parametrize("corpus", corpora.NAMES)
def test_nothing_changes_silently_and_little_is_refused(corpus: str, system: Catalog) -> None:
    result = counted(corpus, system)
    assert result.changed == []
    assert result.total > 0
    apart = result.nothing + result.writes
    assert result.passed + apart + result.unsupported + result.not_allowed == result.total
    assert apart <= MOST_APART.get(corpus, 0)
    of_reads, of_allowed = LEAST[corpus]
    assert result.share >= of_reads, result.refused
    assert result.share_of_allowed >= of_allowed, result.refused


@pytest.mark.parametrize(("corpus", "least"), [("orm", 0.98), ("clients", 1.0), ("regress", 0.94)])
def test_writes_change_nothing_silently_and_few_are_refused(
    corpus: str, least: float, system: Catalog
) -> None:
    if not corpora.available(corpus):
        pytest.skip(f"no {corpus} corpus in {corpora.DIRECTORY}")
    result = count_writes(corpus, system)
    assert result.changed == []
    assert result.writes == 0
    assert result.passed >= least * result.total, result.refused


@pytest.mark.parametrize("corpus", ["tpch", "tpcds", "job"])
def test_benchmark_queries_all_pass(corpus: str, system: Catalog) -> None:
    result = counted(corpus, system)
    assert result.passed == result.total, result.examples


@pytest.mark.parametrize(
    "form", ["PREPARE one AS {}", "DECLARE one CURSOR FOR {}", "COPY ({}\n) TO STDOUT"]
)
@pytest.mark.parametrize("corpus", ["tpch", "tpcds", "job"])
def test_a_query_inside_another_statement_passes_as_well(
    corpus: str, form: str, system: Catalog
) -> None:
    if not corpora.available(corpus):
        pytest.skip(f"no {corpus} corpus in {corpora.DIRECTORY}")
    texts = [text.strip().rstrip(";") for text in corpora.selects(corpus)][::3]
    rules, catalog = corpora.permissive(texts, system)
    snapshot = Snapshot(rules, catalog, HASH_KEY, "fidelity")
    decisions = [decide(form.format(text).encode(), corpora.SUBJECT, snapshot) for text in texts]
    assert [d.message for d in decisions if isinstance(d, Deny)] == []


@pytest.mark.parametrize(("corpus", "most"), [("orm", 0.1), ("clients", 0.3)])
async def test_what_clients_ask_the_system_tables_is_still_valid(corpus: str, most: float) -> None:
    if not corpora.available(corpus):
        pytest.skip(f"no {corpus} corpus in {corpora.DIRECTORY}")
    with EmbeddedPostgres() as server:
        catalog = await read_catalog(server.dsn())
        result = await accepted(corpus, catalog, server.dsn())
    assert len(result.failed) <= most * (result.prepared + len(result.failed)), result.failed[:3]
