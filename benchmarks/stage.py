"""What the measurements run against: one PostgreSQL with pgbench's tables, and ways to reach it."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from proxy.embedded import EmbeddedPostgres, free_port
from proxy.testing import RunningProxy

DATABASE = "bench"
APP = "bench_app"  # what every way in uses upstream: no superuser, SELECT only
LOGIN = "bench_acme"
PASSWORD = "bench"
ACCOUNTS_PER_TENANT = 100_000  # pgbench's rows per unit of scale; branch `bid` plays the tenant
PGBOUNCER = Path("/usr/sbin/pgbouncer")

# pgbench_accounts is scoped to one branch of several and its filler is masked: rules are on.
RULES = f"""
version: 1
profile: dev
entities:
  pgbench_accounts: {{tenant: bid, columns: {{filler: {{mask: partial}}}}}}
capabilities:
  read: {{select: [pgbench_accounts]}}
roles:
  reader: {{can: [read]}}
subjects:
  - {{login: {LOGIN}, tenant: 1, roles: [reader]}}
"""

# pgbench -S with the range of one tenant, so that every way in reads the same rows.
SELECT_ONLY = f"""\\set aid random(1, {ACCOUNTS_PER_TENANT})
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
"""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a client connects, and as whom; `pid`: the process that answers (0: the server)."""

    name: str
    port: int
    user: str
    password: str = ""
    pid: int = 0

    def environment(self) -> dict[str, str]:
        """libpq's variables."""
        keep = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {
            **keep,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": DATABASE,
            "PGSSLMODE": "disable",
        }


@contextlib.contextmanager
def postgres(scale: int, connections: int = 200) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL with `scale` branches in pgbench's tables."""
    with EmbeddedPostgres(settings={"max_connections": str(connections)}) as server:
        server.create_database(DATABASE)
        superuser = Address("superuser", server.port, server.superuser)
        subprocess.run(
            [str(server.binaries / "pgbench"), "-i", "-q", "-s", str(scale), DATABASE],
            env=superuser.environment(), check=True, capture_output=True,
        )  # fmt: skip
        server.execute(
            DATABASE,
            f"CREATE ROLE {APP} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {APP};",
            "VACUUM ANALYZE;",
        )
        yield server


@contextlib.contextmanager
def pgbouncer(server: EmbeddedPostgres) -> Iterator[Address]:
    """PgBouncer in session mode before that server; it must not run as root."""
    port = free_port()
    directory = Path(tempfile.mkdtemp(prefix="querywarden-bench-"))
    (directory / "pgbouncer.ini").write_text(
        f"""[databases]
{DATABASE} = host=127.0.0.1 port={server.port} dbname={DATABASE} user={APP}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users
pool_mode = session
default_pool_size = 2000
max_client_conn = 2000
ignore_startup_parameters = extra_float_digits
"""
    )
    (directory / "users").write_text(f'"{LOGIN}" ""\n')
    directory.chmod(0o755)
    command = [str(PGBOUNCER), "-q", str(directory / "pgbouncer.ini")]
    if os.geteuid() == 0:
        command[1:1] = ["-u", "nobody"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
    try:
        wait_for_port(port, process, directory / "log")
        yield Address("pgbouncer", port, LOGIN, pid=process.pid)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(directory)


@contextlib.contextmanager
def querywarden(server: EmbeddedPostgres) -> Iterator[Address]:
    """The proxy as a process of its own, records written to a file as in production."""
    upstream = server.dsn(DATABASE, APP)
    with RunningProxy(rules=RULES, users={LOGIN: PASSWORD}, upstream=upstream) as proxy:
        yield Address("querywarden", proxy.port, LOGIN, PASSWORD, proxy.pid)


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until somebody listens there; RuntimeError with the log when the process ended instead."""
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not start: {log.read_text()[-500:]}")
        time.sleep(0.05)


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used, all threads; 0 for pid 0."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def console() -> Console:
    """Where tables go; as wide as they need when it is a file."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=200)


def table(title: str, *texts: str, figures: Sequence[str]) -> Table:
    """An empty table of some columns of text, then of figures; in a file it is Markdown."""
    shape = box.HEAVY_HEAD if sys.stdout.isatty() else box.MARKDOWN
    made = Table(*texts, title=title, title_justify="left", box=shape)
    for heading in figures:
        made.add_column(heading, justify="right")
    return made


def machine() -> str:
    """The line under every table: processor, cores, system, versions, commit."""
    names = {"asyncpg", "uvloop", "sqlglot", "postgast"}
    packages = ", ".join(f"{name} {version(name)}" for name in sorted(names))
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {platform.system()}"
        f" {platform.release()}; Python {platform.python_version()}, {packages};"
        f" commit {_commit()}"
    )


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "none"
