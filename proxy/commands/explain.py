"""`querywarden explain`: what would happen to a statement, and why, without running it."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from policies import grammar
from policies.decision import Allow, Deny, Facts, Plan, Write
from policies.pipeline import Snapshot, decide
from policies.rules import RuleSet
from policies.rules_errors import did_you_mean
from policies.subject import Subject
from proxy import layout
from proxy.commands import CommandError
from proxy.introspect import read_catalog
from proxy.rules_file import load

# Statements are only shown, so hashed columns are compiled with this and then blanked.
_NO_KEY = b"explain shows no key"
_KEY_LITERAL = re.compile(r"'\\x[0-9a-f]{128}'")

_EFFECTS = {
    "scope": "rows limited",
    "mask": "masked",
    "hash": "hashed",
    "hide": "not there",
    "cap": "capped",
    "fence": "fenced: limited before anything else is asked of its rows",
}


def explain(
    statement: Annotated[
        str, typer.Argument(metavar="SQL", help="The statement, or - to read standard input.")
    ],
    login: Annotated[str, typer.Option("--as", metavar="LOGIN", help="Who asks.")],
    rules: Annotated[
        Path,
        typer.Option(
            "--rules", metavar="FILE|DIR", help="Rules file, or a folder of *.yaml files.",
            envvar="QUERYWARDEN_RULES",
        ),
    ],
    upstream: Annotated[
        str,
        typer.Option(
            "--upstream", metavar="DSN", envvar=["QUERYWARDEN_UPSTREAM", "DATABASE_URL"],
            help="The database: postgresql://user:password@host:port/database.",
        ),
    ],
) -> None:  # fmt: skip
    """Show what the proxy would make of a statement, and why. Nothing is run.

    Prints the decision, the capability that permits the statement, what each rule does to each
    table, and the statement before and after; what was put in is marked.

    [bold]Example.[/bold] querywarden explain --as agent_acme --rules rules.yaml
    --upstream postgresql://app@db/shop "SELECT * FROM users"
    """
    text = sys.stdin.read() if statement == "-" else statement
    found = load([rules])
    subject = found.subject(login)
    if subject is None:
        known = did_you_mean(login, [one.login for one in found.subjects])
        raise CommandError(f"the rules have no login {login!r}" + (f"; {known}" if known else ""))
    catalog = asyncio.run(read_catalog(upstream))
    snapshot = Snapshot(rules=found, catalog=catalog, hash_key=_NO_KEY, version=found.text_hash)
    decision = decide(text.encode("utf-8", "surrogateescape"), subject, snapshot)
    console = Console(highlight=False, soft_wrap=False)
    console.print(_who(subject, found))
    match decision:
        case Deny():
            console.print(_denied(decision))
        case Allow():
            for number, plan in enumerate(decision.statements, 1):
                title = f"statement {number}" if len(decision.statements) > 1 else ""
                console.print(_allowed(plan, decision, title, text, console.width))
            if not decision.statements:
                console.print("decision    allow: there is no statement in this text")


def _who(subject: Subject, rules: RuleSet) -> RenderableType:
    values = {"tenant": subject.tenant, "user_id": subject.user_id, **dict(subject.attributes)}
    said = "".join(f", {name} {value}" for name, value in values.items() if value is not None)
    roles = ", ".join(subject.roles)
    return _fields(
        [
            ("subject", f"{subject.login} ({roles}{said})"),
            ("rules", f"version {rules.text_hash}, profile {rules.profile}"),
        ]
    )


def _denied(decision: Deny) -> RenderableType:
    rows: list[tuple[str, str | Text]] = [
        ("decision", Text("deny", "bold red")),
        ("reason", f"{decision.reason.code} (SQLSTATE {decision.reason.sqlstate})"),
        ("message", decision.message),
        ("hint", decision.hint),
        ("table", decision.table),
        ("column", decision.column),
        ("rule", decision.rule),
    ]
    return _fields([row for row in rows if row[1]])


def _allowed(plan: Plan, decision: Allow, title: str, text: str, width: int) -> RenderableType:
    facts = plan.facts
    parts: list[RenderableType] = [Text(f"\n{title}", "bold")] if title else []
    parts.append(_fields(_decided(plan, decision)))
    if decision.mode != "enforce":
        return Group(*parts)
    if facts.effects:
        parts.append(Padding(_effects(facts), (1, 0, 0, 0)))
    before = text if len(decision.statements) == 1 else facts.sql_template
    after = _KEY_LITERAL.sub("'<hash key>'", plan.sql.decode())
    if len(decision.statements) > 1:
        after = facts.rewritten_template or after
    parts += _before_and_after(before, after, width)
    return Group(*parts)


def _decided(plan: Plan, decision: Allow) -> list[tuple[str, str | Text]]:
    facts = plan.facts
    word = "rewrite" if facts.effects else "allow"
    rows: list[tuple[str, str | Text]] = [("decision", Text(word, "bold green"))]
    if decision.mode != "enforce":
        rows = [("decision", Text(f"forwarded as written (mode {decision.mode})", "bold yellow"))]
        rows.append(("enforced", f"{facts.observed} {facts.observed_reason}".strip()))
    rows.append(("operation", facts.operation))
    rows.append(("capability", facts.capability))
    rows.append(("reads", ", ".join(facts.fields_read or facts.entities)))
    rows.append(("rows", f"at most {plan.cap:,}" if plan.cap is not None else ""))
    if plan.write is not None:
        rows += _written(facts, plan.write)
    return [row for row in rows if row[1]]


def _written(facts: Facts, write: Write) -> list[tuple[str, str | Text]]:
    needs = ["a reason"] if write.reason_required and not write.reason else []
    if write.consent is not None and write.consent.gate != "auto":
        needs.append(f"consent of {' or '.join(write.consent.by)}")
    return [
        ("writes", ", ".join(facts.affected_fields)),
        ("at most", f"{write.most:,} rows ({write.most_rule})"),
        ("needs", " and ".join(needs)),
        ("held to", ", ".join(f"{name} (by {by})" for name, by in write.invariants)),
    ]


def _effects(facts: Facts) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("entity", "column", "what is done", "because of"):
        table.add_column(heading)
    for effect in facts.effects:
        done = _EFFECTS.get(effect.effect, effect.effect)
        table.add_row(effect.entity or "(result)", effect.column, done, effect.rule)
    return table


def _before_and_after(before: str, after: str, width: int) -> list[RenderableType]:
    try:
        old, new = layout.words(before), layout.words(after)
    except grammar.GrammarError:
        return [Text(f"\nbefore\n{before}\n\nafter\n{after}")]
    return [
        Text("\nbefore", "dim"),
        layout.drawn(old, frozenset(), width),
        Text("\nafter", "dim"),
        layout.drawn(new, layout.added(old, new), width),
    ]


def _fields(rows: Sequence[tuple[str, str | Text]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", min_width=10)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, value if isinstance(value, Text) else Text(value))
    return grid
