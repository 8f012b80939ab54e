"""`querywarden ops`: what a records file says (`list`), and whether it was changed (`verify`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from policies.rules_writes import span_seconds
from proxy.commands import CommandError
from proxy.oplog import chain
from proxy.oplog.search import Asked, search


def listing(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Records files, oldest first when rotated."),
    ],
    entity: Annotated[str, typer.Option(help="Statements that name this entity.")] = "",
    operation: Annotated[str, typer.Option(help="select, insert, update, delete ...")] = "",
    capability: Annotated[str, typer.Option(help="Statements under this capability.")] = "",
    reason: Annotated[str, typer.Option(help="Statements whose reason holds these words.")] = "",
    login: Annotated[str, typer.Option(help="Statements of this login.")] = "",
    decision: Annotated[str, typer.Option(help="allow, rewrite, hold or deny.")] = "",
    since: Annotated[str, typer.Option(help="Not older than this: 30s, 15m, 1h, 2d.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The records as they are.")] = False,
) -> None:
    """Show operation records, one per line: those that meet every option given.

    [bold]Example.[/bold] querywarden ops list operations.jsonl --operation update --since 1h
    """
    asked = Asked(entity, operation, capability, reason, login, decision, _moment(since))
    try:
        for line, record in search(files, asked):
            typer.echo(line if as_json else _summary(record))
    except OSError as error:
        said = (error.strerror or "cannot be read").lower()
        raise CommandError(f"{error.filename}: {said}") from None


def _moment(since: str) -> str:
    """A timestamp as records write it, so long ago."""
    if not since:
        return ""
    try:
        ago = timedelta(seconds=span_seconds(since))
    except ValueError:
        raise CommandError(
            f"--since {since!r} is no duration; write a whole number and its unit, as 15m or 1h", 2
        ) from None
    return (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _summary(record: dict[str, Any]) -> str:
    """One line for a person. Names and reasons are the client's own: nothing in them may steer a
    terminal."""
    affected, error = record.get("affected_rows"), record.get("error") or {}
    rows = record.get("row_count", 0) if affected is None else affected
    words = [
        f"{record.get('timestamp', '')[:19]:<19}",
        f"{record.get('principal', {}).get('user', ''):<16}",
        f"{record.get('decision', ''):<7}",
        f"{record.get('outcome', ''):<9}",
        f"{record.get('operation', ''):<8}",
        f"{record.get('entity') or '-':<16}",
        f"{rows:>6}",
        record.get("capability") or "-",
        error.get("code") or error.get("sqlstate") or "",
        record.get("reason", ""),
    ]
    line = "  ".join(words).rstrip()
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Records files, oldest first when rotated."),
    ],
) -> None:
    """Check the hash chain of operation records.

    Names the first line that was changed, removed, put in or cut short, with exit status 1. Lines
    cut off the end do not show in the file itself: keep the last hash printed here elsewhere.
    """
    try:
        verdict = chain.verify(files)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise CommandError(f"{error.filename}: {reason}") from None
    if verdict.broken is not None:
        broken = verdict.broken
        raise CommandError(
            f"{broken.path}:{broken.line}: {broken.why}; {verdict.lines} lines before it hold"
        )
    if not verdict.lines:
        typer.echo("no records")
        return
    start = "the beginning" if verdict.first == chain.GENESIS else f"after {verdict.first}"
    typer.echo(f"ok: {verdict.lines} records from {start}; last hash {verdict.last}")
