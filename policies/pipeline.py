"""decide(text, subject, snapshot): the steps in their order. Any exception is a Deny.

The only file that makes an Allow, and so the only way for a text to reach an upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from policies import grammar
from policies.calling import called, fill
from policies.catalog import Catalog
from policies.choice import chosen, only_reads
from policies.comments import CAPABILITY, REASON, said, trace_id
from policies.copying import copy_out
from policies.decision import (
    Allow,
    Decision,
    Deny,
    Facts,
    Mode,
    Naming,
    Plan,
    PolicyEffect,
    Price,
    denial,
)
from policies.envelope import Cover, enclose
from policies.explaining import explain
from policies.grammar import Raw
from policies.named import declare, prepare
from policies.own_settings import check_order, sets, sets_context
from policies.places import JOINT, Written, tell
from policies.reasons import INTERNAL_ERROR, SYNTAX_ERROR, Refusal
from policies.rules import RuleSet
from policies.scopes import nobody
from policies.statement import Statement
from policies.steps.admit import admit, too_complex
from policies.steps.authorize import authorize
from policies.steps.budget import budget
from policies.steps.cap import cap
from policies.steps.complete import complete
from policies.steps.confine import confine
from policies.steps.generate import generate
from policies.steps.parse import parse
from policies.steps.prove import prove
from policies.steps.read import read, refuse_kind
from policies.steps.resolve import resolve
from policies.steps.utility import write_utility
from policies.steps.write import WRITERS, write
from policies.subject import Subject
from policies.views import Views
from policies.writes.copy_in import copy_in

STEPS: tuple[Callable[[Statement], None], ...] = (
    read,
    parse,
    resolve,
    authorize,
    budget,
    confine,
    write,
    complete,
    cap,
    generate,
    prove,
)

# Statements with a query inside: what is written around it, by kind.
ENVELOPES: dict[str, Callable[[Statement], Cover]] = {
    "DeclareCursorStmt": declare,
    "PrepareStmt": prepare,
}

_MOST_VIEWS = 1000  # subjects whose compiled views are kept


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Rules and catalog of one moment; every decision is made against exactly one.

    `version` names the rules in records. Compiled views hang on it, so a new snapshot starts clean.
    """

    rules: RuleSet
    catalog: Catalog
    hash_key: bytes
    version: str
    _views: dict[tuple[Subject, str], Views] = field(default_factory=dict)

    def views(self, subject: Subject, called: str = "") -> Views:
        """The subject's policy views, compiled once: of the capability it has chosen, if any.
        `called`: the one whose own statement runs."""
        found = self._views.get((subject, called))
        if found is None:
            if len(self._views) >= _MOST_VIEWS:
                self._views.clear()
            rules = self.rules.calling(called) if called else self.rules
            rules = rules.only(subject.capability) if subject.capability else rules
            found = Views(rules, self.catalog, subject, self.hash_key)
            self._views[subject, called] = found
        return found


def decide(text: bytes, subject: Subject, snapshot: Snapshot) -> Decision:
    """What happens to a text (one or more statements) of this subject. Never raises."""
    mode = snapshot.rules.mode(subject.roles)
    decision = _enforced(text, subject, snapshot)
    if mode == "enforce":
        return decision
    return _forwarded(text, decision, mode, snapshot)


def _enforced(text: bytes, subject: Subject, snapshot: Snapshot) -> Decision:
    facts = Facts()
    try:
        admit(text)
        raws = _parsed(text)
        plans = []
        for raw, words in zip(raws, _words(text, raws), strict=True):
            facts = _facts_before(raw)
            if words:
                facts = replace(facts, trace_id=trace_id(words))
            plans.append(_plan(raw, facts, subject, snapshot, words))
        check_order(plans)
        joined = JOINT.join(plan.sql for plan in plans)
        named = any(plan.naming is not None or sets(plan) for plan in plans)
        return Allow(tuple(plans), joined, snapshot.version, named=named)
    except Refusal as refusal:
        return denial(refusal, facts, snapshot.version)
    except (grammar.TooDeep, RecursionError):
        return denial(too_complex(), facts, snapshot.version)
    except grammar.GrammarError as error:
        return denial(Refusal(SYNTAX_ERROR, str(error)), facts, snapshot.version)
    except Exception as error:  # fail closed: a fault while deciding is a refusal
        return Deny(
            INTERNAL_ERROR,
            "the statement could not be decided, so it is refused",
            "this is a fault of the proxy; its log names the place",
            facts,
            snapshot.version,
            fault=_place(error),
        )


def _place(error: Exception) -> str:
    """Type and innermost place of an exception; its message may hold values, so it stays out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        code = trace.tb_frame.f_code
        where = f" at {code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name}"
    return f"{type(error).__name__}{where}"


def _parsed(text: bytes) -> tuple[Raw, ...]:
    """The statements of a text. Raises Refusal, GrammarError, TooDeep."""
    try:
        return grammar.parse(text)
    except grammar.GrammarError as error:
        # libpg_query takes comments for tokens, which breaks a literal that goes on behind one.
        blank = grammar.without_comments(text)
        if blank == text:
            raise Refusal(SYNTAX_ERROR, str(error), place=error.position) from error
    try:
        return grammar.parse(blank)
    except grammar.GrammarError as error:
        place = tell(b"", error.position, [(blank, Written(0, ()))], text).place
        raise Refusal(SYNTAX_ERROR, str(error), place=place) from error


def _words(text: bytes, raws: Sequence[Raw]) -> list[Mapping[str, str]]:
    """What the comments before, in and behind each statement say."""
    ends = [*(raw.start + len(raw.text) for raw in raws[:-1]), len(text)]
    return [said(text[start:end]) for start, end in pairwise((0, *ends))][: len(raws)]


def _whole(subject: Subject) -> Subject:
    """The subject with every capability it may choose."""
    if subject.bound or not subject.capability:
        return subject
    return replace(subject, capability="")


def _plan(
    raw: Raw, facts: Facts, subject: Subject, snapshot: Snapshot, words: Mapping[str, str]
) -> Plan:
    statement = Statement(
        text=raw.text,
        offset=raw.start,
        kind=raw.kind,
        node=raw.node,
        subject=subject,
        views=snapshot.views(_whole(subject)),
        catalog=snapshot.catalog,
        budget=snapshot.rules.budget(subject.roles),
        said=words,
        operation=facts.operation,
    )
    if (words or subject.capability) and only_reads(raw.kind, raw.node):
        capability = chosen(statement)
        statement.views = snapshot.views(replace(subject, capability=capability))
    if name := called(statement):
        return _call(name, facts, statement, snapshot)
    if raw.kind == "SelectStmt" or raw.kind in WRITERS:
        for step in STEPS:
            step(statement)
        statement.query = statement.output
    elif raw.kind == "CopyStmt" and raw.node.get("is_from"):
        copy_in(statement)
    elif raw.kind == "CopyStmt":
        copy_out(statement, STEPS)
    elif raw.kind == "ExplainStmt":
        explain(statement, STEPS)
    elif raw.kind in ENVELOPES:
        inner = enclose(statement, ENVELOPES[raw.kind](statement), STEPS)
        if statement.naming is not None:
            return _naming_plan(facts, statement, inner, statement.naming)
    elif write_utility(statement):
        prove(statement)
    else:
        raise refuse_kind(raw.kind)
    return _made(facts, statement)


def _call(name: str, facts: Facts, outer: Statement, snapshot: Snapshot) -> Plan:
    """The plan of a capability's own statement. A read is narrowed to that capability."""
    raw, subject = fill(outer, outer.views.statements[name]), outer.subject
    alone = subject.bound or only_reads(raw.kind, raw.node)
    inner = Statement(
        text=raw.text,
        offset=raw.start,
        kind=raw.kind,
        node=raw.node,
        subject=subject,
        views=snapshot.views(replace(subject, capability=name if alone else ""), name),
        catalog=outer.catalog,
        budget=outer.budget,
        said={**outer.said, CAPABILITY: name},
        operation=_OPERATIONS[raw.kind],
    )
    try:
        for step in STEPS:
            step(inner)
    except Refusal as refusal:
        refusal.place = 0  # nowhere in the client's text
        raise
    inner.query, inner.written, inner.capability = inner.output, None, name
    return _made(facts, inner)


def _made(facts: Facts, statement: Statement) -> Plan:
    if statement.subject.absent:
        _check_absent(statement)
    return Plan(
        sql=statement.output,
        facts=_facts_after(facts, statement),
        cap=statement.cap,
        most_bytes=None if statement.only_catalogs else statement.budget.bytes,
        returns_rows=_returns_rows(statement),
        forget=statement.forget,
        copy=statement.copy,
        naming=statement.naming,
        shown=statement.shown,
        price=_price(statement),
        hints=_hints(statement),
        written=statement.written,
        write=statement.write,
        change=statement.change,
        reason=statement.said.get(REASON, ""),
    )


def _returns_rows(statement: Statement) -> bool:
    kinds = ("SelectStmt", "VariableShowStmt", "ExplainStmt")
    return statement.kind in kinds or "returningClause" in statement.node


def _check_absent(statement: Statement) -> None:
    """Who acts for nobody reads, calls and writes nothing of the rules'."""
    entities = [use for use in statement.uses if use.view.capabilities]
    if entities or statement.targets or statement.reading.calls:
        raise nobody()


def _naming_plan(facts: Facts, outer: Statement, inner: Statement, naming: Naming) -> Plan:
    """The plan of a PREPARE or DECLARE. It gives no rows itself; what runs under a prepared name
    is its query, with the query's own cap."""
    raw = Raw(inner.text, inner.offset, inner.kind, inner.node)
    query = _made(_facts_before(raw), inner)
    naming = replace(naming, text=outer.text, query=query, rows=inner.cap)
    return replace(_made(facts, outer), cap=None, naming=naming)


def _price(statement: Statement) -> Price | None:
    budget = statement.budget
    if not budget.priced or not statement.query or statement.only_catalogs:
        return None
    rules = budget.rule("cost"), budget.rule("scan_rows")
    return Price(statement.query, budget.cost, budget.scan_rows, *rules)


_OPERATIONS = {
    "SelectStmt": "select",
    "InsertStmt": "insert",
    "UpdateStmt": "update",
    "DeleteStmt": "delete",
    "MergeStmt": "merge",
    "CopyStmt": "copy",
    "ExplainStmt": "explain",
    "DeclareCursorStmt": "declare",
    "PrepareStmt": "prepare",
    "ExecuteStmt": "execute",
    "FetchStmt": "fetch",
    "DoStmt": "do",
    "CallStmt": "call",
}


def _facts_before(raw: Raw) -> Facts:
    """What is known before any step: enough for the record of a refusal."""
    if sets_context(raw.kind, raw.node):  # also in quotes that are no literal's
        return Facts(operation="set", sql_template="SET querywarden.context TO $1")
    return Facts(
        operation=_OPERATIONS.get(raw.kind, "utility"),
        fingerprint=grammar.fingerprint(raw.text),
        sql_template=grammar.template(raw.text, raw.kind),
    )


def _facts_after(facts: Facts, statement: Statement) -> Facts:
    seen = list(statement.views_by_node.values())
    effects = {e: None for view in seen for e in view.effects}
    for use in statement.uses:
        if id(use.relation.node) in statement.fences:
            effects[PolicyEffect("fence", "fence", use.view.name)] = None
    if statement.cap is not None:
        effects[PolicyEffect(statement.budget.rule("rows"), "cap", "")] = None
    views = {view.name: view for view in seen}
    return replace(
        facts,
        operation=statement.operation,
        complexity_score=statement.complexity,
        capability=statement.capability,
        entities=tuple(views),
        fields_read=_fields_read(statement),
        affected_fields=tuple(
            f"{target.name}.{column}" for target in statement.targets for column in target.written
        ),
        rewritten_template=grammar.template(statement.output, statement.kind),
        effects=tuple(effects),
    )


def _fields_read(statement: Statement) -> tuple[str, ...]:
    """entity.column for every column the text names of an entity it reads."""
    by_alias = {}
    for use in statement.uses:
        node = use.relation.node
        by_alias[grammar.alias(node)] = use.view
    by_alias.update((target.alias, target.view) for target in statement.targets)
    found: dict[str, None] = {}
    for parts in statement.reading.columns:
        if len(parts) > 1 and parts[-2] in by_alias:
            candidates = [by_alias[parts[-2]]]
        elif len(parts) == 1:
            candidates = list(by_alias.values())
        else:
            continue
        for view in candidates:
            if parts[-1] in view.columns:
                found[f"{view.name}.{parts[-1]}"] = None
    return tuple(sorted(found))


def _hints(statement: Statement) -> dict[str, str]:
    """For an unknown column: what there is instead. It names only what the subject sees."""
    views = statement.views_by_node.values()
    lists = [f"{view.name} has: {', '.join(view.columns)}" for view in views]
    return {"42703": "; ".join(dict.fromkeys(lists))} if lists else {}


def _forwarded(text: bytes, decision: Decision, mode: Mode, snapshot: Snapshot) -> Decision:
    """observe and bypass: the client's own text, with what enforcement would have done."""
    if isinstance(decision, Deny):
        if decision.reason.code in ("INVALID_TEXT", "TOO_LARGE", "INTERNAL_ERROR"):
            return decision  # such a text has no statements to record
        known = [replace(decision.facts, observed="deny", observed_reason=decision.reason.code)]
    else:
        known = [
            replace(plan.facts, observed="rewrite" if plan.facts.effects else "allow")
            for plan in decision.statements
        ]
    try:
        raws = grammar.parse(text)
    except (grammar.GrammarError, grammar.TooDeep):
        raws = ()
    if any(sets_context(raw.kind, raw.node) for raw in raws):
        return decision  # a secret is forwarded by nobody
    pieces = [raw.text for raw in raws] or [text]
    facts = known if len(known) == len(pieces) else known[-1:] * len(pieces)
    plans = tuple(Plan(sql=piece, facts=fact) for piece, fact in zip(pieces, facts, strict=True))
    if not raws and isinstance(decision, Allow):
        plans = ()  # only comments and blanks
    return Allow(plans, text, snapshot.version, mode)
