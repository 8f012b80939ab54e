"""`querywarden ops verify`: whether a records file was changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proxy.commands import CommandError
from proxy.oplog import chain


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
