"""choice: the capability a statement says it runs under, by a comment or by its session's SET.

    /*capability='browse'*/ SELECT ...   ->   "browse"

A read is narrowed to what that capability may read, call and lock; a write runs under it. Nobody
gains by saying so: it must be one the subject has, and a comment goes before what was SET.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies import grammar
from policies.comments import CAPABILITY
from policies.grammar import Node
from policies.reasons import CAPABILITY_REQUIRED, Refusal
from policies.statement import Statement
from policies.writes.shape import VERBS

_READS = frozenset({"SelectStmt", "ExplainStmt", "DeclareCursorStmt", "PrepareStmt"})


def chosen(statement: Statement) -> str:
    """The capability chosen for a statement, "" for none. Raises Refusal (CAPABILITY_REQUIRED) for
    one the subject does not have."""
    subject = statement.subject
    name = statement.said.get(CAPABILITY) or subject.capability
    if name in statement.views.statements:
        raise Refusal(
            CAPABILITY_REQUIRED,
            f'capability "{name}" permits its own statement only',
            f"send EXECUTE {name}(...)",
        )
    granted = [subject.capability] if subject.bound else statement.views.granted
    if name and (name not in granted or name not in statement.views.granted):
        raise not_granted(name, granted)
    return name


def not_granted(name: str, granted: Sequence[str]) -> Refusal:
    """The refusal of a capability the subject does not have."""
    return Refusal(
        CAPABILITY_REQUIRED,
        f'capability "{name}" is not one of yours',
        f"yours are: {', '.join(sorted(granted))}" if granted else "you have none",
    )


def only_reads(kind: str, node: Node) -> bool:
    """Whether a statement reads rows and writes none."""
    if kind == "CopyStmt":
        return not node.get("is_from") and not _writes(node)
    return kind in _READS and not _writes(node)


def _writes(node: Node) -> bool:
    return any(key in VERBS for key, _ in grammar.walk(node))
