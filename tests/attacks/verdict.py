"""What must hold for every attack, and the tally printed at the end of the run.

Whatever is expected of an attack: no hidden value comes back, both worlds answer alike, nothing
is changed, and the proxy goes on serving. Then the expectation itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from tests.attacks.catalogue import Attack, answered, leaks, refused
from tests.attacks.worlds import FORMS, Transcript, comparable

# The upstream's own words for what does not exist in the policy view: no such column, no such
# relation, no such function or type, an ambiguous or ungrouped name; and a syntax error, where an
# older server does not know what the grammar does.
NOT_THERE = {"42601", "42703", "42P01", "42883", "42704", "42809", "42702", "42803", "42P10"}


@dataclass(slots=True)
class Tally:
    """Counts for the summary."""

    attacks: int = 0
    replayed: int = 0  # of them under other setups
    written: int = 0  # of them as logins that may write
    damaged: int = 0  # of these, what changed something it must not
    bare_damaged: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # (form, outcome)
    leaks: int = 0
    differences: int = 0
    bare_leaks: int = 0
    bare_differences: int = 0
    conversations: int = 0
    skipped: dict[str, str] = field(default_factory=dict)  # conversation -> reason

    def lines(self) -> Iterator[str]:
        """The summary as a table."""
        yield f"{self.attacks} attacks, each sent to two worlds:"
        yield f"{'form':<18}{'answered':>10}{'refused':>10}{'failed':>10}"
        for form in FORMS:
            counts = [self.outcomes[form, outcome] for outcome in ("answered", "refused", "failed")]
            yield f"{form:<18}" + "".join(f"{count:>10}" for count in counts)
        if self.replayed:
            yield f"{self.replayed} of them under other tables and planner settings"
        yield f"canaries {self.leaks}, differences between the worlds {self.differences}"
        if self.written:
            yield f"{self.written} as logins that may write; damage by {self.damaged}"
        if self.bare_damaged:
            yield f"without the proxy: damage by {self.bare_damaged}"
        if self.bare_leaks or self.bare_differences:
            yield (
                f"without the proxy: canaries in {self.bare_leaks} attacks,"
                f" differences in {self.bare_differences}"
            )
        if self.conversations:
            yield f"{self.conversations} conversations, {len(self.skipped)} of them skipped"
        for name, reason in sorted(self.skipped.items()):
            yield f"  {name}: {reason}"


def outcome(transcript: Transcript) -> str:
    """answered, refused (by the proxy), failed (an error of the upstream) or broken."""
    if transcript.trouble:
        return "broken"
    if transcript.refusals:
        return "refused"
    return "failed" if transcript.sqlstates else "answered"


def leaked(attack: Attack, transcript: Transcript) -> dict[str, list[str]]:
    """Hidden values that came back in world A."""
    return leaks(transcript.received, attack.sql, attack.id)


def difference(attack: Attack, first: Transcript, second: Transcript) -> str:
    """The first message in which the worlds differ, "" when they answer alike."""
    pairs = zip_longest(comparable(first, attack), comparable(second, attack))
    for one, other in pairs:
        if one != other:
            return f"A sent {_short(one)}, B sent {_short(other)}"
    return "" if first.trouble == second.trouble else f"{first.trouble!r} / {second.trouble!r}"


def unexpected(attack: Attack, transcript: Transcript, server_version: int) -> str:
    """Why the outcome is not one of the safe ones, "" when it is."""
    found = outcome(transcript)
    match found:
        case "broken":
            return transcript.trouble
        case "answered":
            if attack.may_be_answered or attack.id in answered():
                return ""
            return "answered, but must be refused"
        case "failed":
            if attack.may_be_answered and attack.fails_anyway(server_version):
                return ""
            if attack.may_be_refused and set(transcript.sqlstates) <= NOT_THERE:
                return ""
            if attack.id in answered():
                return ""
            return "the upstream answered with an error, so it ran or was forwarded"
        case _:
            if attack.may_be_refused or attack.id in refused():
                return ""
            if attack.fails_anyway(server_version):
                return ""
            return "refused, but must be answered"


def problems(
    attack: Attack, form: str, first: Transcript, second: Transcript, version: int, tally: Tally
) -> Iterator[str]:
    """Everything wrong with one attack in one form, one line each."""
    tally.outcomes[form, outcome(first)] += 1
    hidden = leaked(attack, first)
    if hidden:
        tally.leaks += 1
        yield f"{form}: hidden values came back: {hidden}"
    apart = difference(attack, first, second)
    if apart:
        tally.differences += 1
        yield f"{form}: the worlds differ: {apart}"
    wrong = unexpected(attack, first, version)
    if wrong:
        yield f"{form}: {wrong}: {first.describe()}"


def _short(message: bytes | None) -> str:
    return "nothing" if message is None else repr(message)[:400]
