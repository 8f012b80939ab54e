"""The capability a statement chooses: narrower than what the subject has, and never more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import grammar
from policies.choice import only_reads
from policies.decision import Allow, Decision, Deny
from policies.pipeline import decide
from policies.reasons import CAPABILITY_REQUIRED, RELATION_NOT_ALLOWED, WRITE_DISABLED
from tests.policies.lab import SNAPSHOT, ask, subject


def acting(sql: str, capability: str, login: str = "kim") -> Decision:
    """The decision in a session that has SET its capability."""
    return decide(sql.encode(), replace(subject(login), capability=capability), SNAPSHOT)


def test_a_comment_narrows_what_is_read() -> None:
    wide = ask("SELECT x FROM s", "kim")
    assert isinstance(wide, Allow)
    narrow = ask("/*capability='keep'*/ SELECT x FROM s", "kim")
    assert isinstance(narrow, Deny) and narrow.reason is RELATION_NOT_ALLOWED
    same = ask("/*capability='browse'*/ SELECT x FROM s", "kim")
    assert isinstance(same, Allow)
    assert same.statements[0].sql == wide.statements[0].sql
    assert same.statements[0].facts.capability == "browse"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT x FROM s",
        "SELECT 1 WHERE EXISTS (SELECT FROM s)",
        "COPY s TO STDOUT",
        "COPY (SELECT x FROM s) TO STDOUT",
        "PREPARE p AS SELECT x FROM s",
        "DECLARE c CURSOR FOR SELECT x FROM s",
        "EXPLAIN SELECT x FROM s",
    ],
)
def test_what_was_set_narrows_every_read(sql: str) -> None:
    assert isinstance(acting(sql, "sums", "kim"), Deny)
    assert isinstance(acting(sql, "plans", "dan"), Allow)


def test_locks_and_functions_are_narrowed_too() -> None:
    locking = acting("SELECT id FROM t FOR UPDATE", "browse")
    assert isinstance(locking, Deny) and locking.reason is WRITE_DISABLED
    assert isinstance(acting("SELECT id FROM t FOR UPDATE", "keep"), Allow)
    assert isinstance(acting("SELECT total(1)", "browse"), Deny)
    assert isinstance(acting("SELECT total(1)", "sums"), Allow)


def test_the_catalog_shows_what_the_capability_shows() -> None:
    wide = ask("SELECT relname FROM pg_class", "kim")
    narrow = ask("/*capability='sums'*/ SELECT relname FROM pg_class", "kim")
    assert isinstance(wide, Allow) and isinstance(narrow, Allow)
    assert len(narrow.text) < len(wide.text)


@pytest.mark.parametrize("name", ["huge", "nothing", "browse, keep", "Browse"])
@pytest.mark.parametrize("sql", ["SELECT x FROM s", "SELECT 1", "PREPARE p AS SELECT 1"])
def test_nobody_gains_a_capability_by_choosing_it(name: str, sql: str) -> None:
    for refusal in (ask(f"/*capability='{name}'*/ {sql}"), acting(sql, name, "ann")):
        assert isinstance(refusal, Deny)
        assert refusal.reason is CAPABILITY_REQUIRED
        assert refusal.message == f'capability "{name}" is not one of yours'
        assert refusal.hint == "yours are: browse"


def test_a_comment_goes_before_what_was_set() -> None:
    chosen = acting("/*capability='browse'*/ SELECT x FROM s", "sums")
    assert isinstance(chosen, Allow)
    other = acting("/*capability='sums'*/ SELECT x FROM s", "browse")
    assert isinstance(other, Deny) and other.reason is RELATION_NOT_ALLOWED


def test_each_statement_of_a_text_has_its_own_comments() -> None:
    first = ask("/*capability='browse'*/ SELECT x FROM s; SELECT id FROM t FOR UPDATE", "kim")
    assert isinstance(first, Allow)
    second = ask("SELECT x FROM s; /*capability='browse'*/ SELECT id FROM t FOR UPDATE", "kim")
    assert isinstance(second, Deny) and second.reason is WRITE_DISABLED
    behind = ask("SELECT x FROM s; SELECT id FROM t FOR UPDATE; /*capability='browse'*/", "kim")
    assert isinstance(behind, Deny) and behind.reason is WRITE_DISABLED


def test_transaction_control_needs_no_capability() -> None:
    assert isinstance(acting("BEGIN", "nothing"), Allow)
    assert isinstance(ask("/*capability='nothing'*/ ROLLBACK"), Allow)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", True),
        ("COPY t TO STDOUT", True),
        ("EXPLAIN SELECT 1", True),
        ("COPY t FROM STDIN", False),
        ("COPY (DELETE FROM t RETURNING id) TO STDOUT", False),
        ("UPDATE t SET a = 1", False),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", False),
        ("WITH w AS (DELETE FROM t RETURNING id) SELECT id FROM w", False),
        ("EXPLAIN DELETE FROM t", False),
        ("PREPARE p AS INSERT INTO t VALUES (1)", False),
        ("SET timezone TO utc", False),
    ],
)
def test_what_only_reads(sql: str, expected: bool) -> None:
    raw = grammar.parse(sql.encode())[0]
    assert only_reads(raw.kind, raw.node) is expected
