"""`querywarden approvals`: what waits for consent, and a person's answer to it.

The store is asked directly, so whoever can log in there can answer; `--as` says who that is, and
the rules say whether this login may.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from policies.rules import RuleSet
from policies.rules_errors import did_you_mean
from policies.subject import Subject
from proxy.approvals.request import STATES, Entry, obstacle, sees
from proxy.approvals.store import Store, StoreError
from proxy.commands import CommandError
from proxy.config import variable
from proxy.rules_file import load

T = TypeVar("T")
_WHO = "Who you are: a login of the rules."
_FINAL = {
    "granted": "is granted already",
    "refused": "was refused",
    "used": "has been used",
    "expired": "has expired: the statement must be sent again",
}

Dsn = Annotated[
    str,
    typer.Option(
        "--approvals", metavar="DSN", envvar=variable("approvals"),
        help="Where approvals are kept: postgresql://user:password@host:port/database.",
    ),
]  # fmt: skip
Rules = Annotated[
    Path | None,
    typer.Option(
        "--rules", metavar="FILE|DIR", envvar=variable("rules"),
        help="Rules file, or a folder of *.yaml files; needed with --as.",
    ),
]  # fmt: skip
Id = Annotated[str, typer.Argument(metavar="ID", help="The approval, as the refusal names it.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]


def listing(
    approvals: Dsn,
    rules: Rules = None,
    login: Annotated[
        str, typer.Option("--as", metavar="LOGIN", help="Only what this login may decide about.")
    ] = "",
    state: Annotated[
        str, typer.Option(help=f"Only those {', '.join(STATES)}; all: every one.")
    ] = "pending",
    most: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show what waits for consent, newest first.

    [bold]Example.[/bold] querywarden approvals list --as boss
    """
    states = [one for one in STATES if state in ("all", one)]
    if not states:
        raise CommandError(f"--state {state!r} is none: {', '.join(STATES)} or all", 2)
    entries = _ask(approvals, lambda store: store.list(states, most))
    if login:
        known = _rules(rules)
        _subject(known, login)
        entries = [entry for entry in entries if not obstacle(entry, login, known)]
    if as_json:
        typer.echo(_json([_said(entry) for entry in entries]))
    elif entries:
        Console(highlight=False).print(_table(entries))
    else:
        typer.echo(f"no approval is {state}" if state != "all" else "no approvals")


def show(
    id: Id,
    approvals: Dsn,
    rules: Rules = None,
    login: Annotated[
        str, typer.Option("--as", metavar="LOGIN", help="Only if this login may see it.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show one approval: who asks, the statement and its values.

    Statement and values are there only as long as somebody may have to judge by them.
    """
    entry = _entry(approvals, id)
    if login and not sees(entry, _subject(_rules(rules), login)):
        raise CommandError(f"there is no approval {id!r}")
    if as_json:
        typer.echo(_json(_said(entry)))
    else:
        Console(highlight=False).print(_fields(entry))


def grant(
    id: Id,
    approvals: Dsn,
    login: Annotated[str, typer.Option("--as", metavar="LOGIN", help=_WHO)],
    rules: Rules = None,
    as_json: AsJson = False,
) -> None:
    """Consent: the statement may run once, as it was asked for, and only when it is sent again in
    time.

    [bold]Example.[/bold] querywarden approvals grant 3f9a01c27b5e --as boss
    """
    entry = _decide(approvals, id, "granted", login, rules)
    said = f"granted: {entry.login} may run it once, until {_moment(entry.expires_at)}"
    typer.echo(_json(_said(entry)) if as_json else _plain(said))


def refuse(
    id: Id,
    approvals: Dsn,
    login: Annotated[str, typer.Option("--as", metavar="LOGIN", help=_WHO)],
    rules: Rules = None,
    as_json: AsJson = False,
) -> None:
    """Refuse, also what was granted and is not used yet."""
    entry = _decide(approvals, id, "refused", login, rules)
    said = f"refused: {entry.login} is told so until {_moment(entry.expires_at)}"
    typer.echo(_json(_said(entry)) if as_json else _plain(said))


def _decide(
    approvals: str, id: str, state: Literal["granted", "refused"], login: str, rules: Path | None
) -> Entry:
    known = _rules(rules)
    _subject(known, login)
    entry = _entry(approvals, id)
    why = obstacle(entry, login, known)
    if entry.state in _FINAL and (entry.state, state) != ("granted", "refused"):
        why = f"it {_FINAL[entry.state]}"
    if why:
        raise CommandError(_plain(f"approval {id} is not {state}: {why}"))
    decided = _ask(approvals, lambda store: store.decide(id, state, "queue", login))
    if decided is None:
        raise CommandError(f"approval {id} is not {state}: somebody else was quicker, look again")
    return decided


def _ask(approvals: str, question: Callable[[Store], Awaitable[T]]) -> T:
    async def asked() -> T:
        store = Store(approvals)
        try:
            await store.open()
            return await question(store)
        finally:
            await store.close()

    if not approvals.startswith(("postgresql://", "postgres://")):
        raise CommandError("--approvals must be postgresql://user:password@host:port/database", 2)
    try:
        return asyncio.run(asked())
    except StoreError as error:
        raise CommandError(f"approvals cannot be read: {error}") from None


def _entry(approvals: str, id: str) -> Entry:
    found = _ask(approvals, lambda store: store.get(id))
    if found is None:
        raise CommandError(f"there is no approval {id!r}")
    return found


def _rules(path: Path | None) -> RuleSet:
    if path is None:
        raise CommandError(f"--as needs the rules: give --rules or set {variable('rules')}", 2)
    return load([path])


def _subject(rules: RuleSet, login: str) -> Subject:
    found = rules.subject(login)
    if found is None:
        known = did_you_mean(login, [one.login for one in rules.subjects])
        raise CommandError(f"the rules have no login {login!r}" + (f"; {known}" if known else ""))
    return found


# What a client wrote is shown so that it can steer no terminal and hide nothing.


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() or one == "\n" else _escaped(one) for one in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def _line(text: str) -> Text:
    return Text(_plain(" ".join(text.split())))


def _table(entries: list[Entry]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("id", "state", "left", "who", "capability"):
        table.add_column(heading, no_wrap=True)
    table.add_column("statement", overflow="ellipsis", no_wrap=True, ratio=1)
    for entry in entries:
        who = entry.login if entry.tenant is None else f"{entry.login} of {entry.tenant}"
        table.add_row(
            entry.id, entry.state, _left(entry), _line(who), _line(entry.capability),
            _line(entry.statement or entry.template),
        )  # fmt: skip
    return table


def _left(entry: Entry) -> str:
    if entry.state not in ("pending", "granted"):
        return ""
    seconds = max(0, int((entry.expires_at - datetime.now(UTC)).total_seconds()))
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds % 60:02}s"


def _fields(entry: Entry) -> Table:
    tenant = f", tenant {entry.tenant}" if entry.tenant is not None else ""
    user = f", user {entry.user_id}" if entry.user_id is not None else ""
    rows: list[tuple[str, str]] = [
        ("approval", f"{entry.id}, {entry.state}"),
        ("who", f"{entry.login} ({', '.join(entry.roles)}{tenant}{user})"),
        ("capability", entry.capability),
        ("reason", entry.reason),
        ("asked", _moment(entry.asked_at)),
        ("expires", _moment(entry.expires_at) if entry.state in ("pending", "granted") else ""),
        ("may decide", f"{', '.join(entry.by)} (gate {entry.gate})"),
        ("decided", _decided(entry)),
        ("used", _moment(entry.used_at) if entry.used_at is not None else ""),
        ("rules", entry.rules_version),
        ("settings", "; ".join(entry.settings)),
        ("statement", entry.statement or f"{entry.template}  (values are no longer kept)"),
        *((f"${number}", value) for number, value in enumerate(entry.values or (), 1)),
    ]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", min_width=10)
    grid.add_column(overflow="fold")
    for name, value in rows:
        if value:
            grid.add_row(name, Text(_plain(value)))
    return grid


def _decided(entry: Entry) -> str:
    if entry.decided_at is None:
        return ""
    return f"{_moment(entry.decided_at)} by {entry.decided_by or f'gate {entry.decided_via}'}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _said(entry: Entry) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(entry).items()
    }


def _json(said: object) -> str:
    """ASCII only: what a client wrote can steer no terminal here either."""
    return json.dumps(said)
