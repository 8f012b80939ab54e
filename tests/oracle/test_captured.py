"""Tables derived from statements fit the statements, and their answers are compared too."""

from __future__ import annotations

import pytest

from policies import grammar
from proxy.testing import PostgresServer
from tests.oracle.captured import Application, Group, _ordered
from tests.oracle.derive import Derived
from tests.oracle.exchange import Form
from tests.oracle.run import run
from tests.oracle.turned import undetermined
from tests.oracle.world import world

TEXTS = (
    "SELECT c.name, count(*) FROM customer c LEFT JOIN orders o ON o.customer_id = c.id"
    " WHERE o.placed >= date '2024-01-01' GROUP BY c.id ORDER BY 2 DESC LIMIT 5",
    "SELECT * FROM orders WHERE status IN ('new', 'paid') AND total > 10.5 AND NOT is_gift",
    "WITH big AS (SELECT id, total * 1.1 AS more FROM orders) SELECT avg(more) FROM big, customer"
    " WHERE big.id = customer.id AND c_rank < 10",
    "SELECT o.id FROM sales.orders o WHERE o.tags ->> 'k' = $1 AND o.id < $2 FOR UPDATE",
    "SELECT lower(name) FROM customer WHERE name LIKE 'Sm%' OR extract(year FROM born) = 2000",
    "SELECT count(*) FROM customer WHERE name + 1 > 3",
    "SELECT id FROM orders OFFSET 2",
)


def test_columns_and_types_are_read_off_the_statements() -> None:
    derived = Derived(TEXTS)
    orders, customer = ("public", "orders"), ("public", "customer")
    kinds = {
        (table[1], column): derived.type_of((table, column))
        for table, columns in derived.columns.items()
        for column in columns
        if column
    }
    assert set(derived.columns) == {orders, customer, ("sales", "orders")}
    assert kinds["orders", "placed"] == "date"
    assert kinds["orders", "total"] == "numeric"
    assert kinds["orders", "customer_id"] == kinds["customer", "id"] == "integer"
    assert kinds["orders", "is_gift"] == "boolean"
    assert kinds["customer", "name"] == "text"
    assert kinds["customer", "born"] == "timestamp"
    assert ("big", "id") not in kinds
    assert derived.columns[orders]["status"].literals == {"new", "paid"}


@pytest.mark.parametrize(
    ("text", "ordered"),
    [
        ("SELECT a, b FROM t LIMIT 3", "SELECT a, b FROM t ORDER BY 1, 2 LIMIT 3"),
        ("SELECT a, b FROM t ORDER BY b", "SELECT a, b FROM t ORDER BY b"),
        (
            "SELECT a, (SELECT 1 LIMIT 1) FROM t ORDER BY é OFFSET 1 LIMIT $1",
            "SELECT a, (SELECT 1 LIMIT 1) FROM t ORDER BY é, 1, 2 OFFSET 1 LIMIT $1",
        ),
    ],
)
def test_a_limit_gets_a_total_order(text: str, ordered: str) -> None:
    assert _ordered(text, 2) == ordered
    grammar.parse_one(ordered)


def test_what_rows_leave_open_is_told_from_what_they_say(postgres: PostgresServer) -> None:
    texts = (
        "SELECT id, row_number() OVER (ORDER BY status) FROM orders WHERE status = 'x'",
        "SELECT count(*) FROM (SELECT id FROM orders ORDER BY status LIMIT 5) o WHERE id < 30",
        "SELECT id, row_number() OVER (ORDER BY status, id) FROM orders",
        "SELECT count(*) FROM (SELECT id FROM orders ORDER BY id LIMIT 5) o WHERE id < 30",
    )
    application = Application(Group("open", texts), postgres)
    with world(postgres, application.design(1)) as made:
        form = Form(around="cursor")
        found = [undetermined(made.owner, each, form) for _, each in application.statements(1)]
    assert found == [True, True, False, False]


def test_captured_statements_answer_as_the_reference_does(postgres: PostgresServer) -> None:
    application = Application(Group("few", TEXTS), postgres)
    with world(postgres, application.design(1)) as made:
        report = run("few", made, application.statements(1), workers=1)
    assert [str(finding) for finding in report.differences + report.refusals] == []
    assert report.tally.equal == len(TEXTS) - 1, str(report)
    assert dict(report.tally.both_failed) == {"42883": 1}, str(report)  # text + integer
    assert report.tally.rows > 20
