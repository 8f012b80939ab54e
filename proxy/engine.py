"""The one door to the policies: the current snapshot, and the decisions made under it.

A reload assigns a new snapshot; the cache hangs on the snapshot and goes with it.
"""

from __future__ import annotations

import logging
import math
import re
from collections import OrderedDict
from collections.abc import Sequence

from policies.catalog import FIRST_NORMAL_OID
from policies.decision import Decision, Deny, Facts, Mode, Plan, denial
from policies.named import parameter_types
from policies.own_settings import check_start, own
from policies.pipeline import Snapshot, decide
from policies.price import Estimate, Unknown, judge
from policies.reasons import (
    AUTHENTICATION_REQUIRED,
    RATE_LIMITED,
    TYPE_NOT_ALLOWED,
    UNSUPPORTED_SYNTAX,
    Refusal,
)
from policies.rules import Budget
from policies.settings import check_set
from policies.sql import identifier
from policies.subject import Assumed, Subject
from proxy.contexts import Contexts
from proxy.estimates import Estimates, Wake
from proxy.rates import Rates

_log = logging.getLogger(__name__)

# Decisions kept per snapshot, and the longest text worth keeping one for.
CACHED_DECISIONS = 20_000
CACHED_TEXT_BYTES = 16_384

# regproc, regprocedure, regoper, regoperator, regclass, regtype, regrole, regnamespace and
# regcollation, and arrays of them (PostgreSQL source, pg_type.dat): their values print names.
_LOOKUP_OIDS = frozenset(
    {24, 1033, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4096, 4089, 4191}
    | {1008, 1034, 2207, 2208, 2209, 2210, 2211, 3735, 3770, 4097, 4090, 4192}
)

# A SET of a signed context: not kept in any form.
_SECRET = re.compile(rb"querywarden.{0,9}context", re.IGNORECASE | re.DOTALL)
_OPTION = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.]*)=((?:[^\s\\]|\\.)*)\s*")


class Engine:
    """Decides texts for subjects; assigning `snapshot` is the reload."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._decisions: OrderedDict[tuple[Subject, bytes], Decision] = OrderedDict()
        self.rates = Rates()
        self._estimates: Estimates | None = None
        self.contexts = Contexts()

    @property
    def snapshot(self) -> Snapshot:
        """The rules and catalog every decision from now on is made against."""
        return self._snapshot

    @snapshot.setter
    def snapshot(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._decisions = OrderedDict()
        if self._estimates is not None:
            self._estimates.forget(self._search_path())

    def estimate_by(self, estimates: Estimates) -> None:
        """Whom to ask what a statement costs; without, those with a cost limit are refused."""
        self._estimates = estimates
        estimates.forget(self._search_path())

    def _search_path(self) -> str:
        return ", ".join(map(identifier, self._snapshot.catalog.search_path))

    def subject(self, login: str) -> Subject | None:
        """Who a login is under the current rules; None for an unknown one."""
        return self._snapshot.rules.subject(login)

    def assume(self, subject: Subject, token: str, session: str) -> Assumed | Deny:
        """For whom a login acts that shows this context in this session, or why it does not."""
        try:
            if not subject.absent:
                raise Refusal(
                    AUTHENTICATION_REQUIRED,
                    "this login acts for itself only, so it takes no signed context",
                    "leave querywarden_context out",
                )
            return self.contexts.show(token, subject.login, session)
        except Refusal as refusal:
            return denial(refusal, Facts(), self._snapshot.version)

    def mode(self, subject: Subject) -> Mode:
        """Whether the subject's statements are enforced, observed or waved through."""
        return self._snapshot.rules.mode(subject.roles)

    def decide(self, subject: Subject, text: bytes) -> tuple[Decision, bool]:
        """The decision for a text, and whether it was a cached one. Never raises."""
        key = (subject, text)
        decisions = self._decisions
        found = decisions.get(key)
        if found is not None:
            return found, True
        decision = decide(text, subject, self._snapshot)
        if isinstance(decision, Deny) and decision.fault:
            _log.error("deciding failed fault=%s", decision.fault)
        if len(text) <= CACHED_TEXT_BYTES and _SECRET.search(text) is None:
            if len(decisions) >= CACHED_DECISIONS:
                decisions.popitem(last=False)
            decisions[key] = decision
        return decision, False

    def startup(self, subject: Subject, parameters: dict[str, str]) -> dict[str, str] | Deny:
        """Settings the subject's upstream connection is opened with.

        `parameters`: what the client's start-up packet asked for, `options` included. Pinned
        settings come last: opened with them, a RESET goes back to them, never past them.
        """
        snapshot = self._snapshot
        budget = self.budget(subject)
        asked = {name: value for name, value in parameters.items() if name != "options"}
        if self.mode(subject) != "enforce":
            return dict(parameters)
        try:
            asked.update(_options(parameters.get("options", "")))
            for name, value in asked.items():
                if known := own(name):
                    check_start(known, value, snapshot.rules.granted(subject.roles))
                    continue
                check_set(
                    name,
                    value,
                    time_limit=budget.time_ms,
                    search_path=snapshot.catalog.search_path,
                )
        except Refusal as refusal:
            return denial(refusal, Facts(operation="connect"), snapshot.version)
        settings = {name.lower(): value for name, value in asked.items()}
        return {
            "statement_timeout": str(budget.time_ms),
            "client_min_messages": "notice",  # what the server logs holds the rewritten text
            **settings,
            "search_path": self._search_path(),
            "client_encoding": "UTF8",
            "standard_conforming_strings": "on",
            # A second wall for who may only read. To PostgreSQL a row lock is a write, so who
            # may lock stands behind the first wall alone.
            "default_transaction_read_only": (
                "off" if snapshot.rules.changes(subject.roles) else "on"
            ),
        }

    def budget(self, subject: Subject) -> Budget:
        """The subject's limits."""
        return self._snapshot.rules.budget(subject.roles)

    def spend(self, subject: Subject, count: int, facts: Facts) -> Deny | None:
        """Counts statements against the subject's rate; the refusal when they are too many."""
        over = self.rates.take(subject.login, self.budget(subject).rate, count)
        if over is None:
            return None
        allowed, seconds = over
        period = {1: "second", 60: "minute", 3600: "hour"}[allowed.seconds]
        wait = math.ceil(seconds)
        hint = f"wait {wait} second{'s' if wait > 1 else ''}"
        if count > allowed.count:
            hint = f"send at most {allowed.count} statements in one text"
        refusal = Refusal(
            RATE_LIMITED,
            f"too many statements: your login may send {allowed.count} per {period}",
            f"{hint}; or have {allowed.rule} raised in the rules",
            rule=allowed.rule,
        )
        return denial(refusal, facts, self._snapshot.version)

    def price(self, plan: Plan, types: Sequence[int], wake: Wake) -> Deny | bool:
        """Whether a statement is within its price: True, the refusal, or False when that is not
        known yet; then `wake` will be called. `types`: declared OIDs of its parameters."""
        if plan.price is None:
            return True
        found: Estimate | Unknown | None = Unknown()
        if self._estimates is not None:
            found = self._estimates.ask(plan.price.query, types, wake)
        if found is None:
            return False
        refusal = judge(plan.price, found)
        if refusal is None:
            return True
        if isinstance(found, Unknown):
            refusal.hint = plan.hints.get(found.sqlstate, refusal.hint)
        return denial(refusal, plan.facts, self._snapshot.version)

    def parameter_types(self, subject: Subject, oids: Sequence[int]) -> Deny | None:
        """The refusal for a Parse that declares parameters of types the subject does not see.

        A parameter's type picks the operators around it, so it must be one the decision knew.
        """
        if not any(oid >= FIRST_NORMAL_OID or oid in _LOOKUP_OIDS for oid in oids):
            return None
        if self.mode(subject) != "enforce":
            return None
        catalog = self._snapshot.catalog
        seen = parameter_types(self._snapshot.views(subject).sight.types, catalog)
        if all(oid in seen or (oid < FIRST_NORMAL_OID and oid not in _LOOKUP_OIDS) for oid in oids):
            return None
        return Deny(
            reason=TYPE_NOT_ALLOWED,
            message="a parameter has a type that does not exist or is not visible to you",
            hint="leave the parameter's type open",
            facts=Facts(operation="parse"),
            policy_version=self._snapshot.version,
        )

    def unknown_subject(self) -> Deny:
        """The answer to every statement of a login the current rules no longer know."""
        return Deny(
            reason=AUTHENTICATION_REQUIRED,
            message="your login is no longer known to the rules",
            hint="ask whoever keeps the rules",
            facts=Facts(),
            policy_version=self._snapshot.version,
        )


def _options(text: str) -> dict[str, str]:
    """`-c a=b --d=e` of a start-up packet as settings. Raises Refusal for anything else."""
    found: dict[str, str] = {}
    text = text.strip()
    position = 0
    while position < len(text):
        match = _OPTION.match(text, position)
        if match is None:
            raise Refusal(
                UNSUPPORTED_SYNTAX,
                "the start-up options hold something other than settings",
                "write them as -c name=value",
            )
        found[match[1]] = re.sub(r"\\(.)", r"\1", match[2])
        position = match.end()
    return found
