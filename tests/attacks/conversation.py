"""One raw conversation held in both worlds: no hidden value, no difference, both go on serving."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from tests.attacks.catalogue import Attack
from tests.attacks.verdict import difference, leaked
from tests.attacks.wire_client import Closed, LoginRefused, Message, WireClient, errors, rows
from tests.attacks.worlds import Transcript, World

Talk = Callable[[WireClient], Sequence[Message]]


def hold(worlds: Sequence[World], talk: Talk, *, sent: str = "") -> Transcript:
    """Log in to both worlds, talk, compare; returns what world A sent. `sent`: values of ours."""
    return compare(worlds, lambda world: _talk(world.door.connect(), talk), sent=sent)


def hold_raw(worlds: Sequence[World], talk: Talk, *, sent: str = "") -> Transcript:
    """As `hold`, on a socket on which nothing has been sent yet."""
    return compare(
        worlds, lambda world: _talk(WireClient(world.door.host, world.door.port), talk), sent=sent
    )


def compare(
    worlds: Sequence[World], run: Callable[[World], Transcript], *, sent: str = ""
) -> Transcript:
    """Run it in both worlds; returns what world A sent."""
    first, second = (run(world) for world in worlds)
    attack = Attack("conversation", "protocol", sent, "reject")
    assert not leaked(attack, first)
    assert not difference(attack, first, second)
    assert all(world.bystander_works() for world in worlds)
    return first


def _talk(client: WireClient, talk: Talk) -> Transcript:
    with client:
        try:
            return Transcript(list(talk(client)))
        except LoginRefused as refused:
            return Transcript([refused.message], "refused at log-in")
        except Closed as closed:
            return Transcript(closed.messages, "closed")


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
