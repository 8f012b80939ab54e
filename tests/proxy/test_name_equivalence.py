"""As test_equivalence, with names of SQL among the statements: what the client sees is what it
would see without the proxy, however it mixes both kinds of names, and however the bytes are cut.

Where PostgreSQL would run what the proxy refuses, the model refuses too: EXECUTE of what is no
query, and FETCH from a portal of the protocol. Which of the errors for a name that cannot be used
is given is the proxy's own choice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from policies.decision import Decision, Facts, Forget, Naming, Plan
from policies.subject import Subject
from proxy.wire.messages import (
    Bind,
    Close,
    CommandComplete,
    Describe,
    Execute,
    Flush,
    Message,
    Parse,
    Query,
    Sync,
)
from tests.proxy.conversation import TableEngine
from tests.proxy.model_server import COLUMNS, Failure, ModelServer, Portal
from tests.proxy.test_equivalence import cut, decoded, with_proxy

UNUSABLE = {b"26000", b"34000", b"42501", b"25P02"}


class Portals(dict[bytes, Portal]):
    """Cursors end when portals do."""

    def __init__(self, cursors: dict[bytes, int]) -> None:
        super().__init__()
        self._cursors = cursors

    def clear(self) -> None:
        super().clear()
        self._cursors.clear()


@dataclass
class NamedServer(ModelServer):
    """`prepare s TEXT`, `execute s`, `deallocate s`, `declare c N`, `fetch c N`, `close c`."""

    cursors: dict[bytes, int] = field(default_factory=dict)  # rows that are left
    simple: bool = False

    def __post_init__(self) -> None:
        self.portals = Portals(self.cursors)

    def _query(self, message: Query, answers: list[Message]) -> None:
        self.simple = True
        try:
            super()._query(message, answers)
        finally:
            self.simple = False

    def _run(self, portal: Portal, limit: int) -> list[Message]:
        verb, *words = portal.text.split(b" ", 2)
        match verb:
            case b"prepare":
                if words[0] in self.statements:
                    raise Failure("42P05")
                self.statements[words[0]] = words[1]
            case b"deallocate":
                self._statement(words[0])
                del self.statements[words[0]]
            case b"declare":
                if self.status != "T":
                    raise Failure("25P01")
                if words[0] in self.cursors or words[0] in self.portals:
                    raise Failure("42P03")
                self.cursors[words[0]] = int(words[1])
            case b"close":
                if self.cursors.pop(words[0], None) is None and not self.portals.pop(
                    words[0], None
                ):
                    raise Failure("34000")
            case b"execute":
                text = self._statement(words[0])
                if not text.startswith(b"rows"):
                    raise Failure("42501")
                return self._rows_of(portal, int(text.split()[1]), limit)
            case b"fetch":
                if words[0] in self.portals:
                    raise Failure("42501")
                if words[0] not in self.cursors:
                    raise Failure("34000")
                count = min(int(words[1]), self.cursors[words[0]])
                self.cursors[words[0]] -= count
                return self._rows_of(portal, count, limit)
            case _:
                return super()._run(portal, limit)
        return [CommandComplete(verb.upper())]

    def _rows_of(self, portal: Portal, count: int, limit: int) -> list[Message]:
        """The portal has run, and gives these rows from now on."""
        portal.text, portal.left = b"rows %d" % count, count
        return [*([COLUMNS] if self.simple else []), *super()._run(portal, limit)]

    def _bind(self, message: Bind) -> None:
        self._read(self._statement(message.statement))
        if message.portal in self.cursors:
            raise Failure("42P03")
        super()._bind(message)

    def _describe(self, message: Describe) -> list[Message]:
        if message.kind == b"P" and message.name in self.cursors:
            return [COLUMNS]
        return super()._describe(message)

    def _extended(self, message: Message, answers: list[Message]) -> None:
        super()._extended(message, answers)
        if isinstance(message, Close) and message.kind == b"P":
            self.cursors.pop(message.name, None)


class NamingEngine(TableEngine):
    """Allows everything in other words, and says what it does with names."""

    def decide(self, subject: Subject, text: bytes) -> tuple[Decision, bool]:
        if text not in self.table:
            self.table[text] = [_plan(part.strip()) for part in text.split(b";") if part.strip()]
        return super().decide(subject, text)


def _plan(text: bytes) -> Plan:
    verb, *words = text.split(b" ", 2)
    name = words[0].decode() if words else ""
    naming, forget = None, None
    match verb:
        case b"prepare":
            naming = Naming("prepare", name, text, _plan(words[1]))
        case b"execute" | b"fetch" | b"declare":
            naming = Naming(verb.decode(), name, text)  # type: ignore[arg-type]
        case b"deallocate":
            forget = Forget("statement", name)
        case b"close":
            forget = Forget("portal", name)
    rows = verb in (b"rows", b"execute", b"fetch")
    return Plan(b"allowed " + text, Facts(), returns_rows=rows, naming=naming, forget=forget)


NAMES = st.sampled_from([b"", b"s", b"t"])
OWN = ["prepare s rows 3", "prepare t fail", "execute s", "execute t", "deallocate s",
       "declare s 5", "declare t 2", "fetch s 2", "fetch t 3", "close s"]  # fmt: skip
PLAIN = ["rows 1", "rows 3", "fail", "bad", "begin", "begin", "commit", "rollback", ""]
TOGETHER = ["prepare s rows 3; execute s", "begin; declare s 5; fetch s 2; fetch s 9",
            "deallocate s; prepare s rows 2; execute s", "prepare t rows 1; fail"]  # fmt: skip
TEXTS = st.sampled_from([text.encode() for text in OWN + PLAIN])

UNITS: st.SearchStrategy[list[Message]] = st.one_of(
    st.sampled_from([text.encode() for text in OWN + PLAIN + TOGETHER]).map(lambda t: [Query(t)]),
    st.builds(lambda name, text: [Parse(name, text)], NAMES, TEXTS),
    st.builds(lambda portal, name: [Bind(portal, name)], NAMES, NAMES),
    st.builds(lambda name, rows: [Execute(name, rows)], NAMES, st.sampled_from([0, 1, 2])),
    st.builds(
        lambda kind, name: [kind(which, name) for which in (b"S", b"P")],
        st.sampled_from([Close, Describe]),
        NAMES,
    ),
    st.just([Sync()]),
    st.just([Flush()]),
    st.builds(
        lambda text: [Parse(b"", text), Bind(b"", b""), Describe(b"P"), Execute(), Sync()], TEXTS
    ),
)


def _seen(raw: bytes) -> list[tuple[bytes, bytes]]:
    return [(tag, b"unusable" if tag == b"E" and body in UNUSABLE else body)
            for tag, body in decoded(raw)]  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(UNITS, max_size=14),
    st.lists(st.integers(0, 2000), max_size=6),
    st.lists(st.integers(0, 4), max_size=4),
    st.lists(st.integers(0, 300), max_size=4),
)
@example([[Query(b"prepare s rows 3")], [Bind(b"", b"s"), Execute(), Sync()]], [], [1], [])
@example([[Parse(b"s", b"rows 3"), Sync()], [Query(b"execute s")]], [], [2], [])
@example([[Query(b"begin; declare s 5; fetch s 2; fetch s 9")], [Query(b"fetch s 2")]], [], [], [])
def test_names_are_what_they_would_be_without_the_proxy(
    units: list[list[Message]], places: list[int], delays: list[int], cuts: list[int]
) -> None:
    units = [*units, [Sync()]]
    whole = b"".join(message.encode() for unit in units for message in unit)
    direct = NamedServer().hear(whole)
    server = NamedServer()
    heard, talk, _ = with_proxy(cut(whole, places), delays, cuts, NamingEngine(), server)
    assert _seen(heard) == _seen(direct)
    assert not talk.session.ledger.owed and not talk.session.waiting
    # The law: a name known here is at the upstream what it is here, or nobody's.
    for name, known in talk.session.names.settled.items():
        text = known.text.removeprefix(b"prepare %b " % name) if known.by_sql else known.text
        assert server.statements.get(name, text) == text
    assert not server.cursors.keys() & talk.session.names.portals.keys()
