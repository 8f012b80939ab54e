"""Statements that make and use names of SQL, and conversations about them: for two test files."""

from __future__ import annotations

from typing import Any

from policies import reasons
from policies.decision import Facts, Forget, Naming, Plan
from proxy.wire.messages import (
    CommandComplete,
    Message,
    Query,
    ReadyForQuery,
)
from tests.proxy.conversation import (
    COLUMNS,
    POISON,
    READY,
    ROW,
    SYNTAX_ERROR,
    Conversation,
    deny,
    error,
    plan,
)

IN_BLOCK = ReadyForQuery(b"T")


def select(sql: bytes, cap: int | None = None) -> Plan:
    facts = Facts(operation="select", entities=("users",), capability="browse")
    return Plan(sql, facts, cap=cap, returns_rows=True)


def prepare(name: str, query: bytes = b"SELECT 1", cap: int | None = None) -> Plan:
    sql = b"PREPARE %b AS %b" % (name.encode(), query)
    return plan(sql, naming=Naming("prepare", name, sql, select(query, cap)))


def execute(name: str) -> Plan:
    return plan(b"EXECUTE %b" % name.encode(), naming=Naming("execute", name), returns_rows=True)


def declare(name: str, rows: int | None = 2, hold: bool = False) -> Plan:
    sql = b"DECLARE %b" % name.encode()
    return plan(sql, naming=Naming("declare", name, sql, rows=rows, hold=hold))


def fetch(name: str) -> Plan:
    return plan(b"FETCH %b" % name.encode(), naming=Naming("fetch", name), returns_rows=True)


TABLE: dict[bytes, Any] = {
    b"PREPARE p AS SELECT 1": prepare("p", cap=2),
    b"PREPARE q AS SELECT 2": prepare("q", b"SELECT 2"),
    b"PREPARE p; EXECUTE p": [prepare("p", cap=2), execute("p")],
    b"EXECUTE p": execute("p"),
    b"EXECUTE s": execute("s"),
    b"DECLARE c": declare("c"),
    b"DECLARE d": declare("d", None, hold=True),
    b"DECLARE c; FETCH c": [declare("c"), fetch("c")],
    b"FETCH c": fetch("c"),
    b"FETCH d": fetch("d"),
    b"SELECT 1": select(b"SELECT 1", cap=2),
    b"DEALLOCATE p": plan(b"DEALLOCATE p", forget=Forget("statement", "p")),
    b"CLOSE c": plan(b"CLOSE c", forget=Forget("portal", "c")),
}
PREPARE = Query(b"PREPARE p AS SELECT 1")
PREPARED = [CommandComplete(b"PREPARE"), READY]
DECLARED = [CommandComplete(b"DECLARE CURSOR"), IN_BLOCK]
THREE: list[Message] = [COLUMNS, ROW, ROW, ROW]


def said(talk: Conversation, message: Message, *answer: Message) -> list[Message]:
    """One message and its answer; what the client heard of it."""
    talk.client >> message
    talk.server.heard()
    talk.server >> list(answer)
    return talk.client.heard()


def refused(talk: Conversation, message: Message, sqlstate: str, status: Message = READY) -> None:
    """The message does not go up, and the client hears this error."""
    talk.client >> message
    talk.server << Query(POISON)
    talk.server >> [SYNTAX_ERROR, status]
    talk.client << [error(sqlstate), status]
    talk.over()


CHANGED = {
    b"PREPARE p AS SELECT 1": prepare("p", b"SELECT 1 WHERE false"),
    b"DECLARE c": deny(reasons.MODEL_NOT_ALLOWED),
}
