"""How many statements each login has sent lately: one bucket for each login and period.

A bucket holds as many statements as the period allows and fills up evenly, so after a pause that
many may come at once. Knows logins, numbers and a clock; knows nothing of statements.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from policies.rules_budget import Allowance


@dataclass(slots=True)
class Bucket:
    """What was left at a moment of the clock."""

    left: float
    at: float


class Rates:
    """All buckets of a proxy."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, int], Bucket] = {}

    def take(
        self, login: str, allowances: Iterable[Allowance], count: int
    ) -> tuple[Allowance, float] | None:
        """Take `count` statements out of every bucket of the login, or nothing: then the answer is
        what stands in the way and the seconds until it does not."""
        now = self._clock()
        taken = []
        for allowed in allowances:
            bucket = self._bucket(login, allowed, now)
            lacking = count - bucket.left
            if lacking > 0:
                return allowed, lacking * allowed.seconds / allowed.count
            taken.append(bucket)
        for bucket in taken:
            bucket.left -= count
        return None

    def _bucket(self, login: str, allowed: Allowance, now: float) -> Bucket:
        """The bucket as it is now. A new limit begins with what the old one had left, at most."""
        bucket = self._buckets.get((login, allowed.seconds))
        if bucket is None:
            bucket = self._buckets[login, allowed.seconds] = Bucket(float(allowed.count), now)
        gained = (now - bucket.at) * allowed.count / allowed.seconds
        bucket.left = min(float(allowed.count), bucket.left + gained)
        bucket.at = now
        return bucket
