"""A running proxy for tests: the real command, a process of its own, gone when the test is.

    with EmbeddedPostgres() as postgres:
        dsn = postgres.create_database("shop", Path("schema.sql"))
        with RunningProxy(rules=RULES, users={"acme": "pw"}, upstream=dsn) as proxy:
            psycopg.connect(proxy.dsn("acme"))

Knows the command line and the admin address, nothing inside; must not know: policies, pytest.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from proxy.embedded import (
    EmbeddedPostgres,
    ExistingPostgres,
    PostgresError,
    PostgresServer,
    clean_environment,
    free_port,
    postgres_server,
)

__all__ = [
    "EmbeddedPostgres",
    "ExistingPostgres",
    "PostgresError",
    "PostgresServer",
    "ProxyError",
    "RunningProxy",
    "free_port",
    "postgres_server",
]

# The command as installed, without needing the script on the PATH.
_SERVE = "import sys; from proxy.commands.main import main; sys.exit(main())"
_START_SECONDS = 60.0
_DRAIN_SECONDS = "2"
_STOP_SECONDS = 10.0
# Waits at our end of a pipe: the proxy goes however this process ends, SIGKILL included.
_WATCH = 'read -r _; kill -KILL "$1"; rm -rf "$2"'
HASH_KEY_VARIABLE = "QUERYWARDEN_HASH_KEY"
TEST_HASH_KEY = "0123456789abcdef0123456789abcdef"


class ProxyError(Exception):
    """The proxy could not be started or did not do what was asked; holds what it printed."""


class RunningProxy:
    """`querywarden serve` as a process of its own, with throw-away rules, logins and records.

    `rules`: the text of a rules file. `users`: login -> password. `upstream`: a DSN. The process
    sees `environment` on top of ours, and a fixed hash key so that digests can be compared.
    """

    def __init__(
        self,
        *,
        rules: str,
        users: Mapping[str, str],
        upstream: str,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.rules = rules
        self.users = dict(users)
        self.upstream = upstream
        self.environment = dict(environment or {})
        self.arguments = tuple(arguments)
        self.port = 0
        self.admin_port = 0
        self.directory = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

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
    def pid(self) -> int:
        """The process id of the running proxy."""
        if self._process is None:
            raise ProxyError("the proxy is not running")
        return self._process.pid

    def dsn(self, login: str, database: str = "") -> str:
        """A postgresql:// URL through the proxy; the database is the upstream's own by default."""
        name = database or urlsplit(self.upstream).path.lstrip("/")
        password = quote(self.users[login], safe="")
        return f"postgresql://{quote(login)}:{password}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it and wait until it is ready. Raises ProxyError with what it printed."""
        self.directory = Path(tempfile.mkdtemp(prefix="querywarden-proxy-"))
        (self.directory / "rules.yaml").write_text(self.rules)
        lines = [f'"{login}" "{password}"\n' for login, password in self.users.items()]
        userlist = self.directory / "userlist.txt"
        userlist.touch(mode=0o600)
        userlist.write_text("".join(lines))
        self.port, self.admin_port = free_port(), free_port()
        command = [sys.executable, "-c", _SERVE, "serve"]
        command += ["--rules", str(self.directory / "rules.yaml"), "--upstream", self.upstream]
        command += ["--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin_port}"]
        command += ["--auth-file", str(userlist), "--records", str(self.directory / "records")]
        command += ["--drain-seconds", _DRAIN_SECONDS]
        environment = {**clean_environment(), HASH_KEY_VARIABLE: TEST_HASH_KEY, **self.environment}
        source = str(Path(__file__).resolve().parents[1])
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, (source, environment.get("PYTHONPATH")))
        )
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *self.arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, cwd=self.directory, start_new_session=True,
            )  # fmt: skip
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "sh", str(self._process.pid), str(self.directory)],
            stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            self._wait(lambda: self.http("/readyz")[0] == 200, "did not become ready")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> int:
        """Ask it to drain and wait for its end; returns its exit status."""
        status = 0
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                status = self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                status = -signal.SIGKILL
            self._process = None
        if self._watcher is not None and self._watcher.stdin is not None:
            self._watcher.kill()
            self._watcher.wait()
            self._watcher.stdin.close()
            self._watcher = None
        if self.directory.name:
            shutil.rmtree(self.directory, ignore_errors=True)
        return status

    def reload(self, rules: str) -> None:
        """Replace the rules file, send SIGHUP and wait until the new rules are in force."""
        before = self._policy()
        self.rules = rules
        (self.directory / "rules.new").write_text(rules)
        (self.directory / "rules.new").replace(self.directory / "rules.yaml")
        os.kill(self.pid, signal.SIGHUP)
        self._wait(lambda: self._policy() != before, "did not take the new rules")

    def records(self) -> list[dict[str, Any]]:
        """The operation records written so far; they follow a statement after a moment."""
        path = self.directory / "records"
        if not path.exists():
            return []
        whole = path.read_bytes().rpartition(b"\n")[0]  # the last line may still be being written
        return [json.loads(line) for line in whole.splitlines() if line.strip()]

    def http(self, path: str) -> tuple[int, str]:
        """Status and body of a GET from the admin address; status 0 when nobody answers."""
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def log(self) -> str:
        """What the process has printed so far."""
        return (self.directory / "log").read_text(errors="replace")

    def _policy(self) -> str:
        lines = self.http("/metrics")[1].splitlines()
        return "".join(line for line in lines if line.startswith("querywarden_policy_info"))

    def _wait(self, condition: Callable[[], bool], failure: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not condition():
            if self._process is None or self._process.poll() is not None:
                raise ProxyError(f"querywarden serve ended:\n{self.log()[-4000:]}")
            if time.monotonic() > deadline:
                raise ProxyError(f"querywarden serve {failure}:\n{self.log()[-4000:]}")
            time.sleep(0.02)
