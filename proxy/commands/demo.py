"""`querywarden demo`: the guided tour, or a plain word when its PostgreSQL is not installed."""

from __future__ import annotations

from typing import Annotated

import typer

from proxy.demo import run


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Walk through the tour and exit instead of staying up.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=65535, metavar="PORT",
            help="Where clients connect; without it 6432, or a free one when that is taken.",
        ),
    ] = None,
) -> int:  # fmt: skip
    """Try it: a sample database, the proxy before it, and a guided tour.

    Starts a PostgreSQL of its own (the extra [bold]querywarden\\[demo][/bold]), fills it with a
    shop of several companies, shows what each login sees of it, and prints a DATABASE_URL to paste
    into psql. Ctrl-C stops everything and leaves nothing behind.
    """
    return run(once, port)
