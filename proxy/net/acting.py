"""As whom a session acts now: its login, narrowed or told apart by its own settings and by the
signed context in a comment.

    SET querywarden.capability = 'browse'                    until it is changed
    /*querywarden_context='<token>'*/ SELECT ...             for that text

Who acts is part of what a decision depends on. `Session.snapshot` is another object for each, so
whatever was decided for one is judged again before it runs for another, by the same checks that
notice new rules. A text's own context ends with the next text, or the next read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from policies import reasons
from policies.comments import CAPABILITY, REASON, without_context
from policies.decision import Allow, Deny, Plan, SessionChange
from policies.grammar import GrammarError
from policies.own_settings import CONTEXT
from policies.subject import Assumed, Subject, acting
from proxy.net.following import Following
from proxy.net.statement import Statement, Versioned
from proxy.oplog.operation import Origin

if TYPE_CHECKING:
    from proxy.net.session import Session

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
MOST_REMEMBERED: Final = 1000  # of those one session has acted as

_ENDS: Final = frozenset({"commit", "rollback", "undo"})


class Under:
    """The rules as they are for one who acts. Two are the same only if they are one object."""

    __slots__ = ("_from", "_origin", "rules", "subject", "version")

    def __init__(self, rules: Versioned, subject: Subject) -> None:
        self.rules = rules
        self.version = rules.version
        self.subject = subject
        self._from: Origin | None = None
        self._origin: Origin | None = None

    def origin(self, own: Origin) -> Origin:
        """Where its operations come from, when those of the login come from `own`."""
        if self._origin is None or self._from is not own:
            self._from, self._origin = own, replace(own, subject=self.subject)
        return self._origin


class Acting:
    """Who acts in one session. `turned`: for now it is whom the last text says."""

    __slots__ = ("_following", "_rules", "_session", "_unders", "turned")

    def __init__(self, session: Session, own: Mapping[str, str]) -> None:
        self._session = session
        self._following = Following(own)
        self._rules: Versioned | None = None
        self._unders: dict[Subject, Under] = {}
        self.turned = False

    # Who.

    def refresh(self) -> None:
        """As the settings say, as far as they still hold."""
        self.turned = False
        session, values = self._session, self._following.values
        assumed, token = None, values.get(CONTEXT)
        if token and session.login is not None:
            found = session.engine.assume(session.login, token, session.origin.session_id)
            assumed = found if isinstance(found, Assumed) else None
        self._act(assumed, values)

    def turn(self, text: bytes) -> bytes | Deny:
        """As the context in this text says, which is taken out of it."""
        session = self._session
        try:
            blank, token = without_context(text)
        except UnicodeDecodeError:
            return text  # which is refused for that
        except GrammarError:
            message = "a literal, a quoted name or a comment in the statement does not end"
            return session.deny(reasons.SYNTAX_ERROR, message)
        if not token:
            self.refresh()
            return blank
        if session.login is None:
            return session.engine.unknown_subject()
        found = session.engine.assume(session.login, token, session.origin.session_id)
        if isinstance(found, Deny):
            return found
        self._act(found, self._following.values)
        self.turned = True
        return blank

    def _act(self, assumed: Assumed | None, values: Mapping[str, str]) -> None:
        session, login = self._session, self._session.login
        session.subject = subject = (
            None if login is None else acting(login, assumed, values.get(CAPABILITY, ""))
        )
        rules = session.engine.snapshot
        if subject is None or subject == login:
            session.snapshot = rules
            return
        if self._rules is not rules or len(self._unders) >= MOST_REMEMBERED:
            self._rules = rules
            self._unders.clear()
        under = self._unders.get(subject)
        if under is None:
            under = self._unders[subject] = Under(rules, subject)
        session.snapshot = under

    def origin(self, snapshot: Versioned) -> Origin:
        """Where an operation decided under this comes from."""
        own = self._session.origin
        return snapshot.origin(own) if isinstance(snapshot, Under) else own

    # What became of the settings.

    def complete(self, change: SessionChange, tag: bytes) -> None:
        """A statement that changes them or ends what they hang on is complete."""
        self._following.complete(change, tag)
        self._session.unsettled = self._following.unsettled
        if change.what not in ("savepoint", "release"):
            self.refresh()

    def fail(self) -> None:
        """An error came: what is not settled may go with the transaction."""
        if self._session.unsettled:
            self._following.fail()

    def ready(self, idle: bool) -> None:
        """ReadyForQuery came."""
        self._following.ready(idle)
        self._session.unsettled = self._following.unsettled
        self.refresh()

    def holds(self, statement: Statement) -> bool:
        """Whether what follows it must wait for its answer."""
        if statement.holds or not self._session.unsettled:
            return statement.holds
        return any(plan.change and plan.change.what in _ENDS for plan in statement.plans)

    # What they say of a statement.

    def check(self, allow: Allow) -> Deny | None:
        """The refusal of a context that is none, and of a text whose later statements were decided
        under settings that an earlier one ends."""
        session, plans = self._session, allow.statements
        for plan in plans[:-1]:
            ends = plan.change is not None and plan.change.what in _ENDS and session.unsettled
            resets = plan.change is not None and plan.change.what == "reset"
            if ends or (resets and any(self._following.values.values())):
                return session.deny(
                    reasons.UNSUPPORTED_SYNTAX,
                    "what follows in this text was to run under settings of querywarden that end"
                    " before it",
                    "send it as a text of its own",
                    plan.facts,
                )
        change = plans[-1].change if plans else None
        if change is None or change.what != "set" or change.name != CONTEXT or not change.value:
            return None
        if session.login is None:
            return session.engine.unknown_subject()
        found = session.engine.assume(session.login, change.value, session.origin.session_id)
        return replace(found, facts=plans[-1].facts) if isinstance(found, Deny) else None

    def reason(self, plan: Plan) -> str:
        """Why a statement runs: as its comment says, else as was SET."""
        return plan.reason or self._following.values.get(REASON, "")

    def check_reason(self, statement: Statement) -> Deny | None:
        """The refusal of a write that must say why and does not."""
        for plan in statement.plans:
            if plan.write is None or not plan.write.reason_required or self.reason(plan):
                continue
            name = plan.facts.capability
            deny = self._session.deny(
                reasons.REASON_REQUIRED,
                f'capability "{name}" needs a reason for each write',
                "begin the statement with /*reason='why'*/, or send before it:"
                " SET querywarden.reason = 'why'",
                plan.facts,
            )
            return replace(deny, rule=f"capabilities.{name}.reason")
        return None
