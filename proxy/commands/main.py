"""The command line: which commands there are, and how an error is said.

Every failure is one line on standard error (one per problem where there are several) that says
what to do; the exit status is 1, or 2 when the command line itself is wrong. Never a traceback.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import PurePath
from traceback import extract_tb
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from policies.rules import RulesError
from proxy import __version__
from proxy.app import AppError
from proxy.auth import UserlistError
from proxy.commands import CommandError
from proxy.commands.approvals import grant, refuse, show
from proxy.commands.approvals import listing as list_approvals
from proxy.commands.check import check
from proxy.commands.demo import demo
from proxy.commands.explain import explain
from proxy.commands.ops import listing, verify
from proxy.commands.passwd import passwd
from proxy.commands.schema import schema
from proxy.commands.serve import serve
from proxy.config import ConfigError
from proxy.introspect import CatalogError

PROGRAM = "querywarden"
INTERRUPTED = 130  # what a shell reports for Ctrl-C

Command = Callable[..., Any]

# In the order of --help; a dictionary is a group of commands with its help text under "".
COMMANDS: dict[str, Command | dict[str, Command | str]] = {
    "demo": demo,
    "serve": serve,
    "check": check,
    "explain": explain,
    "passwd": passwd,
    "schema": schema,
    "approvals": {
        "": "Statements that wait for somebody's consent.",
        "list": list_approvals,
        "show": show,
        "grant": grant,
        "refuse": refuse,
    },
    "ops": {"": "Work with operation records.", "list": listing, "verify": verify},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        result = application()(
            args=given or ["--help"],
            prog_name=PROGRAM,
            standalone_mode=False,
        )
    except TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else PROGRAM
        return _say(f"{_sentence(error.format_message())}; see {path} --help", error.exit_code)
    except CommandError as error:
        return _say(str(error), error.status)
    except (AppError, CatalogError, ConfigError, RulesError, UserlistError) as error:
        return _say(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # whoever read our output has gone; nothing more can be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except Exception as error:
        at = extract_tb(error.__traceback__)[-1]
        place = f"{PurePath(at.filename).name}:{at.lineno}"
        return _say(f"this is a fault of querywarden: {type(error).__name__} at {place}", 1)
    return result if isinstance(result, int) else 0


def application() -> typer.Typer:
    """The command line of COMMANDS."""
    program = typer.Typer(
        name=PROGRAM, rich_markup_mode="rich",
        add_completion=False, pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip
    program.callback(help=_paragraphs(_program))(_program)
    for name, command in COMMANDS.items():
        if isinstance(command, dict):
            group = typer.Typer(
                help=str(command[""]), no_args_is_help=True, rich_markup_mode="rich"
            )
            for inner, function in command.items():
                if callable(function):
                    group.command(inner, help=_paragraphs(function))(function)
            program.add_typer(group, name=name)
        else:
            program.command(name, help=_paragraphs(command))(command)
    return program


def _paragraphs(command: Command) -> str:
    """The docstring with each paragraph on one line, so that it wraps where the terminal ends."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_version
        ),
    ] = False,
) -> None:
    """A PostgreSQL proxy that makes untrusted SQL safe to run.

    Clients keep their driver and their SQL; only their DATABASE_URL changes. Every statement is
    parsed, refused unless its shape is allowed, rewritten so that each table it names is the
    caller's own view of that table, capped, run and recorded.

    Start with [bold]querywarden demo[/bold]. Then write a rules file, look at it with
    [bold]check[/bold] and [bold]explain[/bold], make logins with [bold]passwd[/bold], and run
    [bold]serve[/bold].
    """


def _say(message: str, status: int) -> int:
    for line in message.splitlines() or ["failed"]:
        typer.echo(f"{PROGRAM}: {line}", err=True)
    return status


def _sentence(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
