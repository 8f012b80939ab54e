"""Writes through a listener in front of a real PostgreSQL, and the same without it.

The engine is a table's: every INSERT, UPDATE, DELETE, MERGE and COPY FROM is permitted as it is
written, with a Write that says how many rows it may affect; single texts can be given other plans.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

from policies import grammar
from policies.decision import Allow, CopyOut, Decision, Facts, Plan, Write
from policies.places import Written
from policies.subject import Subject
from proxy.net.address import UpstreamAddress
from proxy.wire import messages
from proxy.wire.messages import (
    Authentication,
    EmptyQueryResponse,
    ErrorResponse,
    Message,
    NoticeResponse,
    Query,
    ReadyForQuery,
    RowDescription,
)
from tests.proxy.conversation import TableEngine
from tests.proxy.fake_upstream import RawClient

MOST = 3
RULE = "capabilities.c.update.t.rows"
SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL DEFAULT 0 CHECK (n < 1000), s text, secret text);
CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE log (n int);
INSERT INTO t SELECT i, i, 's' || i, 'x' || i FROM generate_series(1, 10) i;
CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.n = 666 THEN RAISE EXCEPTION 'no %: %', NEW.n, NEW.secret; END IF;
  IF NEW.n = 333 THEN RAISE NOTICE 'saw %', NEW.secret; END IF;
  INSERT INTO log VALUES (NEW.n); RETURN NEW;
END $$;
CREATE TRIGGER logged BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION logged();
"""
WRITES = {"InsertStmt": "insert", "UpdateStmt": "update", "DeleteStmt": "delete",
          "MergeStmt": "merge"}  # fmt: skip
OPERATIONS = {"SelectStmt": "select", "VariableShowStmt": "show", "VariableSetStmt": "set"}
NAMES = frozenset({"t", "n", "t_pkey", "t_n_check", "child", "child_pkey", "child_t_fkey"})
UNBOUNDED = Write(None, MOST, RULE, shown=NAMES)


class WritingEngine(TableEngine):
    """`plans`: text -> what becomes of its one statement, a Plan."""

    def __init__(self, plans: dict[bytes, Plan] | None = None) -> None:
        super().__init__()
        self.plans = dict(plans or {})
        self.write = UNBOUNDED

    def decide(self, subject: Subject, text: bytes) -> tuple[Decision, bool]:
        if text in self.table:
            return super().decide(subject, text)
        raws = grammar.parse(text)
        plans = tuple(self._plan(raw) for raw in raws)
        return Allow(plans, b"\n;".join(plan.sql for plan in plans), "v1"), False

    def _plan(self, raw: grammar.Raw) -> Plan:
        text = raw.text.strip()
        written = Written(raw.start + raw.text.index(text), ())
        if text in self.plans:
            return self.plans[text]
        copies = raw.kind == "CopyStmt" and raw.node.get("is_from", False)
        operation = WRITES.get(raw.kind) or OPERATIONS.get(raw.kind, "utility")
        if raw.kind == "TransactionStmt":
            operation = re.split(rb"\W", text.lower())[0].decode()
        write = replace(self.write, copies_in=copies) if raw.kind in WRITES or copies else None
        facts = Facts(operation="copy" if copies else operation)
        out = CopyOut() if raw.kind == "CopyStmt" and not copies else None
        return Plan(text, facts, written=written, write=write, copy=out)


class Talk:
    """A raw client, past log-in."""

    def __init__(self, client: RawClient) -> None:
        self.client = client

    async def ask(self, *said: Message | bytes) -> list[Message]:
        """All that is answered: up to the answer of an empty Query behind it."""
        self.client.say(*said, Query(b""))
        heard = [
            *await self.client.until(EmptyQueryResponse),
            *await self.client.until(ReadyForQuery),
        ]
        return [plain(each) for each in heard]


def plain(message: Message) -> Message:
    """What the proxy leaves of it."""
    if isinstance(message, RowDescription):
        columns = tuple(replace(column, table=0, number=0) for column in message.columns)
        return RowDescription(columns)
    if isinstance(message, ErrorResponse | NoticeResponse):
        kept = tuple((key, value) for key, value in message.fields if key in "SVCMP")
        return type(message)(kept)
    return message


async def log_in_directly(client: RawClient, dsn: str) -> None:
    address = UpstreamAddress.parse(dsn)
    asked = {"user": address.user, "database": address.database}
    client.say(messages.startup(asked))
    first = await client.hear()
    assert first == Authentication(0)
    await client.until(ReadyForQuery)


async def both(
    proxy_port: int, direct: str, proxied: str, turns: Sequence[Sequence[Message]]
) -> tuple[list[list[Message]], list[list[Message]]]:
    """The answers to each turn through the proxy and without it. The latter's database is
    `direct`, the former's `proxied`."""
    address = UpstreamAddress.parse(direct)
    answers: list[list[list[Message]]] = []
    for port, dsn in ((proxy_port, proxied), (address.port, direct)):
        async with RawClient.to(port) as client:
            if dsn is direct:
                await log_in_directly(client, dsn)
            else:
                await client.log_in(database=UpstreamAddress.parse(dsn).database)
            talk = Talk(client)
            said = []
            for turn in turns:
                said.append(await asyncio.wait_for(talk.ask(*turn), 20))
            answers.append(said)
    return answers[0], answers[1]
