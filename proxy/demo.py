"""`querywarden demo`: a sample database, the proxy before it and a tour, in one command.

Starts an embedded PostgreSQL, fills it (`proxy.demo_data`), puts the proxy in front with
rules/demo.yaml and lets `proxy.demo_tour` walk through it. Whatever is started here is stopped
here, files included, however the demo ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvloop
from pydantic import SecretStr
from rich.console import Console

from policies.decision import Allow
from proxy import demo_data, logs
from proxy.app import App, AppError
from proxy.auth import passwd_line
from proxy.config import Address, Settings, shipped_rules
from proxy.demo_tour import ACME, BOLT, LEAD, Places, Tour
from proxy.embedded import EmbeddedPostgres, PostgresError, free_port, uninterrupted

HOST: Final = "127.0.0.1"
PORT: Final = 6432
PASSWORD: Final = "demo"  # of every login: the data is made up and only this machine may connect
LOGINS: Final = {
    ACME: "an agent in the support of Acme Tools, tenant 1",
    BOLT: "the same for Bolt Supply, tenant 2",
    "office_acme": "the office of Acme Tools: may add, change and remove its users",
    LEAD: "who agrees to refunds, or does not",
    "analyst_acme": "an analyst of Acme Tools: no people, up to 5,000 rows",
    "crm_admin": "observe mode: statements run as written, the record says what rules would do",
}
INTERRUPTED: Final = 130  # what a shell reports for Ctrl-C


def run(once: bool, port: int | None = None) -> int:
    """Start, walk through and, unless `once`, stay until Ctrl-C. Returns the exit status: 0, or 1
    when something could not start or the tour did not show what it should."""
    logs.configure("error")  # the tour says what there is to say
    console = Console(highlight=False)
    with _terminated_like_interrupted():
        try:
            return _run(console, once, port)
        except KeyboardInterrupt:
            console.print("\nstopped before the tour was over", style="dim")
            return INTERRUPTED
        except (PostgresError, AppError) as error:
            console.print(f"querywarden demo: {error}", style="bold red", markup=False)
            return 1


def _run(console: Console, once: bool, port: int | None) -> int:
    console.print("[bold]querywarden demo[/]")
    directory: Path | None = None
    try:
        with uninterrupted():
            directory = Path(tempfile.mkdtemp(prefix="querywarden-demo-"))
        postgres = EmbeddedPostgres()
        try:
            with _step(console, "starting PostgreSQL 18"):
                postgres.start()
            with _step(console, "loading the shop: 6 companies, 66,000 rows"):
                postgres.create_database(demo_data.DATABASE, demo_data.SHOP)
                postgres.create_database(demo_data.APPROVALS)
            return uvloop.run(_Demo(console, postgres, directory, once).run(_port(console, port)))
        finally:
            with _step(console, "stopping everything") if not once else contextlib.nullcontext():
                postgres.stop()
    finally:
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)


class _Demo:
    """The part that needs an event loop: the proxy, the tour, and waiting."""

    def __init__(
        self, console: Console, postgres: EmbeddedPostgres, directory: Path, once: bool
    ) -> None:
        self._console = console
        self._postgres = postgres
        self._directory = directory
        self._once = once

    async def run(self, port: int) -> int:
        """The exit status of the tour, once Ctrl-C ended the waiting after it."""
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        app = App(self._settings(port))
        with _step(self._console, "starting the proxy"):
            await app.start()
        try:
            places = self._places(app)
            self._say_where(places)
            tour = Tour(self._console, places)
            held = await tour.walk()
            self._console.print()
            if not held:
                self._console.print(
                    f"[bold red]{len(tour.failures)} of {tour.checks} checks failed[/]"
                )
                return 1
            self._console.print(f"[green]all {tour.checks} checks held[/]", style="bold")
            if not self._once:
                await self._stay(places)
            return 0
        finally:
            await app.stop()

    def _settings(self, port: int) -> Settings:
        logins = self._directory / "userlist.txt"
        logins.touch(mode=0o600)
        logins.write_text("".join(f"{passwd_line(login, PASSWORD)}\n" for login in LOGINS))
        return Settings(
            rules=shipped_rules() / "demo.yaml",
            upstream=SecretStr(self._postgres.dsn(demo_data.DATABASE, demo_data.UPSTREAM_ROLE)),
            auth_file=logins,
            listen=Address(HOST, port),
            admin=Address(HOST, 0),
            records=str(self._directory / "operations.jsonl"),
            approvals=SecretStr(self._postgres.dsn(demo_data.APPROVALS)),
            hash_key=SecretStr(secrets.token_hex(16)),
        )

    def _places(self, app: App) -> Places:
        def rewrite(login: str, statement: str) -> str:
            subject = app.engine.subject(login)
            if subject is None:
                return "(this login is not in the rules)"
            decision, _ = app.engine.decide(subject, statement.encode())
            return decision.text.decode() if isinstance(decision, Allow) else decision.message

        def url(login: str) -> str:
            return f"postgresql://{login}:{PASSWORD}@{HOST}:{app.port}/{demo_data.DATABASE}"

        return Places(
            dsn={login: url(login) for login in LOGINS},
            direct=self._postgres.dsn(demo_data.DATABASE),
            approvals=self._postgres.dsn(demo_data.APPROVALS),
            metrics=f"http://{HOST}:{app.admin_port}/metrics",
            records=self._directory / "operations.jsonl",
            rewrite=rewrite,
        )

    def _say_where(self, places: Places) -> None:
        """The addresses, ready to be copied: each on a line of its own, whatever the width."""
        program = "psql" if shutil.which("psql") else str(self._postgres.psql)
        self._console.print(
            "\nPaste into another terminal, or use as an application's DATABASE_URL:"
        )
        for login, who in LOGINS.items():
            self._console.print(f"\n  {who}", style="dim")
            self._console.print(f"  {program} {places.dsn[login]}", style="bold", soft_wrap=True)

    async def _stay(self, places: Places) -> None:
        self._say_where(places)
        self._console.print()
        for name, place in (
            ("metrics", places.metrics),
            ("records", places.records),
            ("approvals", places.approvals),
            ("rules", f"{shipped_rules() / 'demo.yaml'} (change and save: they are read again)"),
        ):
            self._console.print(f"  [dim]{name:8}[/]{place}", soft_wrap=True)
        self._console.print("\nCtrl-C stops everything and removes its files.")
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


@contextlib.contextmanager
def _step(console: Console, doing: str) -> Iterator[None]:
    """`doing … 1.2 s`, the time when it is done."""
    started = time.monotonic()
    console.print(f"  {doing} … ", end="", style="dim")
    try:
        yield
    except BaseException:
        console.print("failed" if not console.is_terminal else "", style="dim")
        raise
    console.print(f"{time.monotonic() - started:.1f} s", style="dim")


def _port(console: Console, wanted: int | None) -> int:
    """The port asked for, or another one, said so, when somebody listens there already."""
    port = PORT if wanted is None else wanted
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            other = free_port()
            console.print(f"  port {port} is in use, taking {other} instead", style="yellow")
            return other
    return port


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Until the event loop has its own handler, SIGTERM must clean up like Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
