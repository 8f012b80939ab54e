"""Put writes to both sides, many in one go, each in a transaction that is rolled back.

A write is followed by what all tables then hold, asked through the same connection: a function of
the rules for the proxy. Some writes stand alone, without BEGIN; what they left is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.attacks.wire_client import (
    BINARY,
    TEXT,
    Closed,
    Message,
    bind,
    close,
    describe,
    execute,
    frame,
    parse,
    query,
    row_values,
    sync,
)
from tests.oracle.answers import Answer, read
from tests.oracle.exchange import LOST, Form, values_of
from tests.oracle.world import Door
from tests.oracle.writes.texts import Written
from tests.oracle.writes.world import Pair

_RESET, _STATE = "SELECT oracle.reset()", "SELECT oracle.state()"
_MOST_TOGETHER = 6


@dataclass(frozen=True, slots=True)
class Way:
    """How a write is sent. `alone`: without a transaction around; `twice`: prepared, and executed
    two times; `named`: by PREPARE and EXECUTE; `copies`: data follows when it is asked for;
    `first`: another write goes before it in the transaction."""

    form: Form
    alone: bool = False
    twice: bool = False
    named: bool = False
    copies: bool = False
    first: Written | None = None

    @property
    def place(self) -> int:
        """Which of the answers is the write's: BEGIN's comes first."""
        return 1 + (self.first is not None)

    @property
    def parts(self) -> int:
        """How many answers the write has, with what follows from the way it is sent."""
        return 1 + self.named + (self.twice and self.form.extended)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write did: its answer, its command tags, what all tables hold after it. `failed`: the
    write before it had failed."""

    answer: Answer
    tags: tuple[str, ...] = ()
    state: str = ""
    failed: bool = False


def way_of(number: int, statement: Written) -> Way:
    """The way a write of that number is sent."""
    alone = number % 7 == 0
    if statement.shape == "copy":
        return Way(Form(), alone=alone, copies=True)
    if number % 40 == 4:  # PREPARE takes queries
        return Way(Form(), alone=alone, named=True)
    if not statement.parameters and number % 4:
        return Way(Form(), alone=alone)
    result = BINARY if number % 2 else TEXT
    form = Form(extended=True, declared=number % 5 == 0, result=result)
    return Way(form, alone=alone, twice=number % 9 == 0)


def with_first(number: int, way: Way, first: Written) -> Way:
    """The way with another write before it, for some of those that stand in a transaction."""
    plain = not (way.alone or way.named or way.twice or way.copies)
    return replace(way, first=first) if plain and number % 6 == 1 else way


def messages(statement: Written, text: str, way: Way, first: str) -> list[bytes]:
    """What is sent; each part is answered by one ReadyForQuery, but for the write, which may have
    several. `first`: the text of the write before it."""
    if way.named:
        given = ", ".join(_literal(value) for _, value in statement.parameters)
        listed = f"({given})" if given else ""
        write = query(f"PREPARE q AS {text}") + query(f"EXECUTE q{listed}")
    elif way.form.extended:
        write = _extended(statement, text, way)
    else:
        write = query(text)
    begin = query(_RESET if way.alone else f"BEGIN; {_RESET}")
    parts = [begin, *([query(first)] if first else []), write, query(_STATE)]
    if not way.alone:
        parts.append(query("ROLLBACK"))
    if way.named:
        parts.append(query("DEALLOCATE ALL"))
    return parts


def _extended(statement: Written, text: str, way: Way) -> bytes:
    types, formats, values = values_of(statement.parameters, way.form)
    name = "twice" if way.twice else ""
    parts = [parse(name, text, types), describe("S", name)]
    for _ in range(2 if way.twice else 1):
        parts += [
            bind("", name, values, formats=formats, result_formats=[way.form.result]),
            describe("P", ""),
            execute(""),
        ]
    if way.twice:
        parts += [sync(), close("S", name)]
    return b"".join((*parts, sync()))


def _literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


class Side:
    """One side's connection. It is opened again when it breaks."""

    def __init__(self, door: Door, owner: Door) -> None:
        self._door = door
        self._client, self._owner = door.connect(), owner.connect()
        self._data, self._later, self._copies = b"", b"", 0

    def send(self, writes: Sequence[tuple[Written, Way]], say: Callable[[Written], str]) -> None:
        """Put the writes on the way; `say`: the text of each that is meant for this side."""
        for statement, way in writes:
            first = say(way.first) if way.first is not None else ""
            parts = messages(statement, say(statement), way, first)
            self._data = statement.data
            self._later = b"".join(parts[2:]) if way.copies else b""
            self._client.send(b"".join(parts[:2] if way.copies else parts))
        self._client.sent.clear()

    def receive(self, way: Way) -> Outcome:
        """The outcome of the next one."""
        many = way.place + way.parts + 1 + (not way.alone) + way.named
        try:
            got = [self._next(way) for _ in range(many)]
        except (Closed, TimeoutError):
            self._client.close()
            self._client = self._door.connect()
            return Outcome(LOST)
        parts = got[way.place : way.place + 1 + way.named]
        tags = [m.body[:-1].decode() for part in parts for m in part if m.tag == b"C"]
        return Outcome(
            read([message for part in parts for message in part]),
            tuple(tag for tag in tags if tag != "PREPARE"),
            _state(got[way.place + way.parts]),
            any(m.tag == b"E" for m in got[1]) and way.first is not None,
        )

    def _next(self, way: Way) -> list[Message]:
        """Everything up to the next ReadyForQuery; data when a COPY asks for it."""
        if not way.copies or not self._later:
            return self._client.until(b"Z")
        got = self._client.until(b"Z", b"G")
        if got[-1].tag == b"G":
            self._client.send(frame(b"d", self._data) + frame(b"c", b""))
            got += self._client.until(b"Z")
        self._copies += 1
        if self._copies == 2:  # BEGIN, COPY
            self._client.send(self._later)
            self._later, self._copies = b"", 0
        return got

    def baseline(self) -> str:
        """What the tables hold now."""
        return _state(self._owner.query(_STATE))

    def restore(self) -> None:
        """Put everything back as it was at first."""
        self._owner.query("SELECT oracle.restore()")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._owner.close()


def _state(found: Sequence[Message]) -> str:
    for message in found:
        if message.tag == b"D":
            return (row_values(message)[0] or b"").decode()
    return ""


class Both:
    """The two sides as one login sees them."""

    def __init__(self, pair: Pair, login: str) -> None:
        self.proxy = Side(pair.proxy[login], pair.owners[0])
        self.reference = Side(pair.reference, pair.owners[1])

    def ask(self, writes: Sequence[tuple[Written, Way]]) -> list[tuple[Outcome, Outcome]]:
        """What each write did on either side. Those that stand alone are put back."""
        outcomes = []
        for together in _batches(writes):
            self.proxy.send(together, lambda written: written.sql)
            self.reference.send(together, lambda written: written.reference)
            for _, way in together:
                found = self.proxy.receive(way), self.reference.receive(way)
                outcomes.append(found)
                if way.alone:
                    self.proxy.restore()
                    self.reference.restore()
        return outcomes

    def close(self) -> None:
        """Close the connections."""
        self.proxy.close()
        self.reference.close()


def _batches(writes: Sequence[tuple[Written, Way]]) -> list[list[tuple[Written, Way]]]:
    """A write that stands alone ends its batch, for it has to be put back before the next; a COPY
    is one, for its data waits to be asked for."""
    batches: list[list[tuple[Written, Way]]] = [[]]
    for each in writes:
        if len(batches[-1]) == _MOST_TOGETHER or each[1].copies:
            batches.append([])
        batches[-1].append(each)
        if each[1].alone or each[1].copies:
            batches.append([])
    return [batch for batch in batches if batch]
