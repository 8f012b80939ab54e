"""Whether a statement leaves open which rows it returns: rows that tie in an order cut off, say.

The reference answers again over the same rows stored the other way round and without indexes. What
then answers differently is not determined by its rows, and no answer to it is wrong. Only for
captured statements; generated ones have one right answer by construction.
"""

from __future__ import annotations

from tests.attacks.wire_client import WireClient
from tests.oracle.answers import Answer, difference, read
from tests.oracle.exchange import Form, messages
from tests.oracle.grammar import Statement
from tests.oracle.world import Door

_TURN = """
DO $$ DECLARE t regclass; BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
           WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema|base)' LOOP
    EXECUTE format('CREATE TEMP TABLE turned AS SELECT * FROM %s ORDER BY ctid DESC', t);
    EXECUTE format('DELETE FROM %s', t);
    EXECUTE format('INSERT INTO %s SELECT * FROM turned', t);
    DROP TABLE turned;
  END LOOP; END $$
"""
_PLANS = ("SET LOCAL enable_indexscan = off", "SET LOCAL enable_hashjoin = off")


def undetermined(tables: Door, statement: Statement, form: Form) -> bool:
    """Whether the reference itself answers one way or another. `tables`: its owner's door."""
    plain = Form(form.extended, form.declared, form.result)
    if statement.parameters and not form.extended:
        plain = Form(extended=True)
    client = tables.connect()
    try:
        first = _ask(client, statement, plain)
        client.query("BEGIN")
        client.query(_TURN)
        for plan in _PLANS:
            client.query(plan)
            if difference(first, _ask(client, statement, plain), statement.order):
                return True
        return False
    finally:
        client.close()  # and with it the transaction


def _ask(client: WireClient, statement: Statement, form: Form) -> Answer:
    client.send(b"".join(messages(statement, statement.reference, form)))
    return read(client.until(b"Z"))
