"""`querywarden passwd`: one line of the auth file, with a SCRAM verifier instead of a password."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from proxy.auth import passwd_line
from proxy.commands import CommandError


def passwd(
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="The login's name.")],
) -> None:
    """Print an auth file line for a login.

    Asks for the password twice, or reads one line of standard input when that is not a terminal.
    The line holds a SCRAM-SHA-256 verifier: it proves a password and does not contain it.

    [bold]Example.[/bold] querywarden passwd agent_acme >> userlist.txt
    """
    typer.echo(passwd_line(login, _password(login)))


def _password(login: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"Password of {login}: ")
    if getpass.getpass("Again: ") != password:
        raise CommandError("the two passwords differ; nothing was made")
    return password
