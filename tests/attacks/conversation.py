"""One raw conversation held in both worlds: no hidden value, no difference, both go on serving."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from tests.attacks.catalogue import Attack
from tests.attacks.verdict import difference, leaked
from tests.attacks.wire_client import Closed, LoginRefused, Message, WireClient, errors, rows
from tests.attacks.worlds import Transcript, World

CAP = 100  # rows a statement may give, by rules.yaml
MANY = "SELECT o.id FROM orders o CROSS JOIN generate_series(1, 100) g"  # 300 rows of tenant 1

Talk = Callable[[WireClient], Sequence[Message]]


def hold(worlds: Sequence[World], talk: Talk) -> Transcript:
    """Log in to both worlds, talk, compare; returns what world A sent."""
    return compare(worlds, lambda world: _talk(world.door.connect(), talk))


def hold_raw(worlds: Sequence[World], talk: Talk) -> Transcript:
    """As `hold`, on a socket on which nothing has been sent yet."""
    return compare(worlds, lambda world: _talk(WireClient(world.door.host, world.door.port), talk))


def compare(worlds: Sequence[World], run: Callable[[World], tuple[Transcript, str]]) -> Transcript:
    """Run it in both worlds; returns what world A sent. `run` gives it and what the client sent."""
    (first, sent), (second, _) = (run(world) for world in worlds)
    attack = Attack("conversation", "protocol", sent, "reject")
    hidden, apart = leaked(attack, first), difference(attack, first, second)
    assert not hidden, hidden
    assert not apart, apart
    assert all(world.bystander_works() for world in worlds), "another client is disturbed"
    return first


def _talk(client: WireClient, talk: Talk) -> tuple[Transcript, str]:
    with client:
        try:
            seen = Transcript(list(talk(client)))
        except LoginRefused as refused:
            seen = Transcript([refused.message], "refused at log-in")
        except Closed as closed:
            seen = Transcript(closed.messages, "closed")
    return seen, client.sent.decode("utf-8", "replace")


def ask(client: WireClient, *parts: bytes) -> list[Message]:
    """Send messages in one write, read up to ReadyForQuery."""
    client.send(b"".join(parts))
    return client.until(b"Z")


def still_serves(client: WireClient) -> bool:
    """The same connection answers a simple query."""
    return rows(client.query("SELECT 1")) == [[b"1"]]


def until_closed(client: WireClient) -> list[Message]:
    """What comes until the server closes; TimeoutError when it does not."""
    with contextlib.suppress(ConnectionError):
        return client.rest()
    return []


def error_codes(messages: Sequence[Message]) -> list[str]:
    """The SQLSTATE of every error."""
    return [fields["C"] for fields in errors(messages)]
