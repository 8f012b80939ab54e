"""A conversation with a session whose UPDATE needs somebody's consent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from policies.decision import Consent, Write
from proxy.approvals.desk import Asking
from proxy.approvals.request import Answer, Request
from proxy.wire.messages import (
    Bind,
    CommandComplete,
    Execute,
    Parse,
    ParseComplete,
    Sync,
)
from tests.proxy.conversation import (
    READY,
    SYNTAX_ERROR,
    Conversation,
    fields,
    plan,
)

CONSENT = Consent("refund", ("lead",), 900, "queue")
WRITE = Write(1, 1, "c.refund.update.orders.rows", consent=CONSENT)
UPDATE = b"UPDATE orders SET status = 'refunded' WHERE id = 41"
UPDATED = CommandComplete(b"UPDATE 1")
EXPIRES = datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
USED = Answer("used", "a1", EXPIRES)
PENDING = Answer("pending", "a1", EXPIRES)


@dataclass
class Question:
    """Stands in for an Asking."""

    request: Request
    wake: Callable[[], None]
    answer: Answer | None = None
    cancelled: bool = False

    def told(self, answer: Answer) -> None:
        self.answer = answer
        self.wake()

    def cancel(self) -> None:
        self.cancelled = True
        self.told(Answer("cancelled"))


@dataclass
class Desk:
    """Keeps every question."""

    asked: list[Question] = field(default_factory=list)

    def ask(self, request: Request, wake: Callable[[], None]) -> Asking:
        self.asked.append(Question(request, wake))
        return cast(Asking, self.asked[-1])

    @property
    def last(self) -> Question:
        return self.asked[-1]


class Talk(Conversation):
    """A conversation with a desk; UPDATE needs consent."""

    def __init__(self, table: dict[bytes, Any] | None = None) -> None:
        super().__init__({UPDATE: plan(UPDATE, write=WRITE, reason="asked"), **(table or {})})
        self.session.consents.desk = self.desk = Desk()


def refused(talk: Talk, answer: Answer, sqlstate: str = "QW001") -> dict[str, str]:
    """The last question is answered; the fields of the error the client gets."""
    talk.desk.last.told(answer)
    talk.server >> [SYNTAX_ERROR, READY]
    told = fields(talk.client.next())
    assert told["C"] == sqlstate
    talk.client << READY
    return told


def prepare(talk: Talk, types: tuple[int, ...] = ()) -> None:
    talk.client >> [Parse(b"s", UPDATE, types), Sync()]
    talk.server >> [ParseComplete(), READY]
    talk.client.heard()
    talk.server.heard()


def bind(talk: Talk, *values: bytes | None, formats: tuple[int, ...] = ()) -> None:
    talk.client >> [Bind(b"", b"s", formats, values), Execute(), Sync()]
