"""Bytes of one read from the upstream on their way to the client, and which statement they answer.

Knows offsets and the ledger's head; knows nothing of what a frame means.
"""

from __future__ import annotations

from policies.decision import Plan
from proxy.net.results import Results
from proxy.net.session import Session
from proxy.net.statement import Statement
from proxy.net.writing import Writing
from proxy.wire.ledger import EXECUTE, QUERY, Entry, OutOfStep


class Passing:
    """What `replies.Replies` is made on. Handlers look at `_buffer[start:stop]`, the frame; `_kept`
    is where the bytes begin that are neither forwarded nor left out yet, `_index` which statement
    of a Query is being answered."""

    __slots__ = (
        "_buffer", "_index", "_kept", "_ledger", "_names", "_now", "_out", "_result", "_session",
        "_writing",
    )  # fmt: skip

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ledger = session.ledger
        self._names = session.names
        self._result = Results(session)
        self._writing = Writing(session, self._result)
        self._buffer = b""
        self._out: list[bytes] = []
        self._kept = 0
        self._now = 0.0
        self._index = 0

    def _send(self, stop: int) -> None:
        out, client = self._out, self._session.client
        if out:
            out.append(self._buffer[self._kept : stop])
            client.write(b"".join(out))
            out.clear()
        elif stop > self._kept:
            # A slice that is the whole is the same object: nothing is copied.
            client.write(self._buffer[self._kept : stop])

    def _replace(self, start: int, stop: int, *instead: bytes) -> None:
        """These bytes are not forwarded; what stands before them is."""
        if start > self._kept:
            self._out.append(self._buffer[self._kept : start])
        self._out.extend(instead)
        self._kept = stop

    def _running(self, entry: Entry[Statement]) -> tuple[Plan | None, Statement | None]:
        """The plan whose result this is, and what it reads from when that has a name."""
        kind, _, statement, _, _ = entry
        if kind == EXECUTE:
            return (None, None) if statement is None else (statement.plan, statement.target)
        if kind != QUERY or statement is None:
            raise OutOfStep
        plan, targets = self._plan(statement), statement.targets
        return plan, targets[self._index] if targets else None

    def _plan(self, statement: Statement) -> Plan | None:
        """The plan of the Query's statement now being answered."""
        plans = statement.plans
        if self._index < len(plans):
            return plans[self._index]
        if statement.allow.mode == "enforce":
            raise OutOfStep
        return plans[-1] if plans else None
