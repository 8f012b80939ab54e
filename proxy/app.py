"""The composition root: builds every part from Settings, starts and stops them in order, reloads.

The only file that knows all parts. What a reload swaps is one reference, the engine's Snapshot;
rules that cannot be used never replace rules that can.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path

from policies.catalog import Catalog
from policies.check import findings
from policies.pipeline import Snapshot
from policies.rules import RulesError, RuleSet
from proxy.admin.http import AdminServer
from proxy.approvals.desk import SWEEP_SECONDS, Desk
from proxy.approvals.hook import Hook
from proxy.approvals.store import Store, StoreError, reachable
from proxy.auth import Userlist, UserlistError
from proxy.config import ConfigError, Settings, variable
from proxy.contexts import Contexts
from proxy.engine import Engine
from proxy.estimates import Estimates
from proxy.introspect import CatalogError, read_catalog
from proxy.metrics import Metrics
from proxy.net.address import AddressError, UpstreamAddress
from proxy.net.listener import Listener
from proxy.oplog.jsonl import JsonlSink
from proxy.oplog.recorder import Recorder
from proxy.rules_file import load

WATCH_SECONDS = 1.0  # how soon a changed rules or auth file is noticed
RETRY_SECONDS = 5.0  # how soon an upstream that did not answer is asked again
RECORD_SECONDS = 5.0  # how long the last records may take on the way out

_log = logging.getLogger(__name__)


class AppError(Exception):
    """The proxy cannot start; one line for each thing that is wrong, with the way out."""


class App:
    """One proxy. `port` and `admin_port` are the bound ones once it has started."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.port = 0
        self.admin_port = 0
        self.metrics = Metrics()
        self.engine: Engine
        self._dsn = settings.upstream.get_secret_value()
        self._hash_key = b""
        self._userlist: Userlist
        self._listener: Listener | None = None
        self._estimates: Estimates | None = None
        self._desk: Desk | None = None
        self._recorder: Recorder | None = None
        self._admin: AdminServer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changing = asyncio.Lock()
        self._files: tuple[object, object] = ((), ())
        self._upstream_problem = ""
        self._draining = False

    async def start(self) -> None:
        """Start everything; raises AppError, having stopped again what was started."""
        try:
            await self._start()
        except (AddressError, CatalogError, ConfigError, UserlistError) as error:
            await self.stop()
            raise AppError(str(error)) from None
        except RulesError as error:
            await self.stop()
            raise AppError("\n".join(str(problem) for problem in error.problems)) from None
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        settings = self.settings
        address = UpstreamAddress.parse(self._dsn)
        self._hash_key = settings.key()
        self._files = self._seen()
        rules = load([settings.rules])
        self._require_key(rules)
        self._require_desk(rules)
        self._userlist = Userlist.load(settings.auth_file)
        catalog = await _read_aside(self._dsn)
        self.engine = Engine(self._snapshot(rules, catalog))
        self.engine.contexts = Contexts(settings.context_keys(), settings.context_seconds)
        self._estimates = Estimates(self._dsn)
        self.engine.estimate_by(self._estimates)
        self._announce(rules, catalog)
        self._desk = await self._open_desk()
        self._recorder = self._start_recorder()
        self._admin = AdminServer(self.metrics.render, self._checks)
        self.admin_port = await _bound("admin", settings.admin, self._admin.start)
        self._listener = Listener(
            self.engine,
            self._userlist,
            address,
            (self.metrics, self._recorder),
            self.metrics,
            max_statement_bytes=settings.max_statement_bytes,
            max_clients=settings.max_clients,
            desk=self._desk,
        )
        self.port = await _bound("listen", settings.listen, self._listener.start)
        self._tasks = [
            asyncio.create_task(_forever("watching files", self._watch_files)),
            asyncio.create_task(_forever("estimating costs", self._estimates.run)),
            asyncio.create_task(_forever("refreshing the catalog", self._refresh_catalog)),
        ]
        if self._desk is not None:
            counting = _forever("counting approvals", partial(self._count_approvals, self._desk))
            self._tasks.append(asyncio.create_task(counting))
        # what lives now lives for good: the collector need not look at it again
        gc.collect()
        gc.freeze()
        _log.info(
            "ready listen=%s:%d admin=%s:%d upstream=%s rules=%s",
            settings.listen.host,
            self.port,
            settings.admin.host,
            self.admin_port,
            address,
            rules.text_hash,
        )

    async def run(self) -> None:
        """Serve until SIGTERM (drains) or SIGINT (stops); SIGHUP reloads. Call after `start`."""
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        seconds = [0.0]
        reloads: set[asyncio.Task[None]] = set()

        def end(drain: float) -> None:
            seconds[0] = 0.0 if asked.is_set() else drain
            asked.set()

        def reload() -> None:
            task = asyncio.create_task(_guarded("reloading", self.reload()))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGTERM, end, self.settings.drain_seconds)
        loop.add_signal_handler(signal.SIGINT, end, 0.0)
        loop.add_signal_handler(signal.SIGHUP, reload)
        await asked.wait()
        stopping = asyncio.create_task(self.stop(seconds[0]), name="stop")
        # a second signal does not wait for open transactions
        asked.clear()
        again = asyncio.create_task(asked.wait(), name="second signal")
        await asyncio.wait({stopping, again}, return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        if not stopping.done() and self._listener is not None:
            await self._listener.close()
        await stopping

    async def stop(self, drain_seconds: float = 0.0) -> None:
        """Let clients finish for so long, then end everything. A second call does nothing."""
        self._draining = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._listener is not None:
            _log.info("stopping drain_seconds=%g", drain_seconds)
            if drain_seconds > 0:
                await self._listener.drain(drain_seconds)
            await self._listener.close()
            self._listener = None
        if self._estimates is not None:
            await self._estimates.close()
        if self._desk is not None:
            await self._desk.close()
            self._desk = None
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close, RECORD_SECONDS)
            self._recorder = None
        if self._admin is not None:
            await self._admin.stop()
            self._admin = None
            _log.info("stopped")

    async def reload(self) -> str:
        """Read rules, logins and catalog again. Returns one line saying what came of it."""
        async with self._changing:
            said = [await self._reload_rules(), self._reload_logins(), await self._reload_catalog()]
        line = "; ".join(said)
        _log.info("reloaded %s", line)
        return line

    async def _reload_rules(self) -> str:
        current = self.engine.snapshot
        try:
            rules = await asyncio.to_thread(load, [self.settings.rules])
            self._require_key(rules)
            self._require_desk(rules)
            if rules == current.rules:
                self.metrics.rules_reloaded("unchanged")
                return f"rules: unchanged, version {rules.text_hash}"
            snapshot = self._snapshot(rules, current.catalog)
        except (RulesError, ConfigError) as error:
            problems = error.problems if isinstance(error, RulesError) else (error,)
            for problem in problems:
                _log.error("rules refused problem=%s", problem)
            self.metrics.rules_reloaded("refused")
            return f"rules: refused ({len(problems)} problems), {current.version} stays"
        self.engine.snapshot = snapshot
        self.metrics.rules_reloaded("ok")
        self._announce(rules, current.catalog)
        return f"rules: version {rules.text_hash}"

    def _reload_logins(self) -> str:
        try:
            self._userlist.reload()
        except UserlistError as error:
            _log.error("logins refused problem=%s", error)
            return "logins: refused, the earlier ones stay"
        return f"logins: {len(self._userlist)}"

    async def _reload_catalog(self) -> str:
        current = self.engine.snapshot
        try:
            catalog = await _read_aside(self._dsn, current.catalog)
        except CatalogError as error:
            if not self._upstream_problem:
                _log.error("catalog not refreshed problem=%s", error)
            self._upstream_problem = str(error)
            self.metrics.catalog_refreshed("failed")
            return "catalog: not read, the earlier one stays"
        if self._upstream_problem:
            _log.info("catalog refreshed again")
        self._upstream_problem = ""
        if catalog is current.catalog:
            self.metrics.catalog_refreshed("unchanged")
            return "catalog: unchanged"
        self.engine.snapshot = self._snapshot(current.rules, catalog)
        self.metrics.catalog_refreshed("ok")
        self._announce(current.rules, catalog)
        return f"catalog: {len(catalog.relations)} relations"

    def _snapshot(self, rules: RuleSet, catalog: Catalog) -> Snapshot:
        return Snapshot(
            rules=rules, catalog=catalog, hash_key=self._hash_key, version=rules.text_hash
        )

    def _require_key(self, rules: RuleSet) -> None:
        if not self._hash_key and uses_hash(rules):
            raise ConfigError(
                f"the rules hash columns, which needs a key: set {variable('hash_key')} (as from"
                f" `openssl rand -hex 32`) or name a file in {variable('hash_key_file')}"
            )

    def _require_desk(self, rules: RuleSet) -> None:
        gates = {one.approval.gate for one in rules.capabilities.values() if one.approval}
        if gates and self.settings.approvals is None:
            raise ConfigError(
                f"the rules ask for approvals, which are kept in a PostgreSQL database: set"
                f" {variable('approvals')} to postgresql://user:password@host:port/database"
            )
        missing = [
            variable(name)
            for name in ("approval_hook", "approval_hook_key")
            if getattr(self.settings, name) is None
        ]
        if "callback" in gates and missing:
            raise ConfigError(f"the rules have a callback for approvals: set {', '.join(missing)}")

    async def _open_desk(self) -> Desk | None:
        settings = self.settings
        if settings.approvals is None:
            return None
        store = Store(settings.approvals.get_secret_value())
        try:
            await store.open()
            if await reachable(self._dsn):
                raise StoreError(
                    "the upstream's login can reach it, and so could a client that gets around the"
                    " proxy: use a database of its own, or another login that owns the schema"
                )
            self.metrics.approvals(await store.sweep())
        except StoreError as error:
            await store.close()
            raise ConfigError(f"{variable('approvals')}: {error}") from None
        hook, key = settings.approval_hook, settings.approval_hook_key
        service = None
        if hook is not None and key is not None:
            secret = key.get_secret_value().encode()
            service = Hook(hook.get_secret_value(), secret, settings.approval_hook_seconds)
        return Desk(store, service, settings.approval_wait)

    async def _count_approvals(self, desk: Desk) -> None:
        """Wait, then mark what has expired and count."""
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            self.metrics.approvals(await desk.sweep())
        except StoreError as error:
            _log.error("approvals cannot be counted problem=%s", error)

    def _announce(self, rules: RuleSet, catalog: Catalog) -> None:
        """Say loudly what weakens enforcement, and tell the metrics the names in use."""
        for warning in rules.warnings():
            _log.warning("rules %s", warning)
        for finding in findings(rules, catalog):
            level = logging.ERROR if finding.error else logging.WARNING
            _log.log(level, "rules and database do not fit %s", finding)
        if any(one.assume for one in rules.subjects) and not self.settings.context_keys():
            _log.warning("logins act for others, and no key of signed contexts is configured")
        absent = [one.login for one in rules.subjects if one.login not in self._userlist]
        if absent:
            _log.warning("logins without a line in the auth file: %s", ", ".join(absent))
        self.metrics.known(rules.entities, rules.roles)
        self.metrics.policy_info(rules.text_hash)
        self.metrics.unenforced_roles(Counter(role.mode for role in rules.roles.values()))

    def _start_recorder(self) -> Recorder:
        sink = JsonlSink(self.settings.records, self.settings.records_max_bytes)

        def count(result: str, records: int) -> None:
            self.metrics.count_records(sink.name, result, records)

        recorder = Recorder(sink, f"{socket.gethostname()}:{os.getpid()}", count=count)
        recorder.start()
        return recorder

    def _checks(self) -> Mapping[str, str]:
        """What /readyz says: each condition and its problem, "" when it holds."""
        listening = self._listener is not None and self.port
        return {
            "clients": "draining" if self._draining else "" if listening else "starting",
            "upstream": self._upstream_problem,
            "records": self._recorder.problem if self._recorder else "stopped",
        }

    async def _watch_files(self) -> None:
        """Wait a moment, then load rules or logins if their file has changed."""
        await asyncio.sleep(WATCH_SECONDS)
        (rules, logins), self._files = self._files, self._seen()
        async with self._changing:
            if self._files[0] != rules:
                _log.info("rules file changed %s", await self._reload_rules())
            if self._files[1] != logins:
                _log.info("auth file changed %s", self._reload_logins())

    def _seen(self) -> tuple[object, object]:
        return _signature(self.settings.rules), _signature(self.settings.auth_file)

    async def _refresh_catalog(self) -> None:
        """Wait as long as set, or less while the upstream does not answer, then read it."""
        usual = self.settings.catalog_refresh
        await asyncio.sleep(min(usual, RETRY_SECONDS) if self._upstream_problem else usual)
        async with self._changing:
            await self._reload_catalog()


def uses_hash(rules: RuleSet) -> bool:
    """Whether any column is hashed, so that a key is needed."""
    return any(
        rule.kind == "hash"
        for entity in rules.entities.values()
        for rule in entity.columns.values()
    )


async def _read_aside(dsn: str, current: Catalog | None = None) -> Catalog:
    """The catalog, `current` itself if that still holds. In a thread: a large one takes long enough
    to be felt by clients."""

    def read() -> Catalog:
        found = asyncio.run(read_catalog(dsn))
        return current if current is not None and found == current else found

    return await asyncio.to_thread(read)


async def _guarded(name: str, work: Coroutine[None, None, object]) -> None:
    """Background work whose fault is said and does no harm to clients."""
    try:
        await work
    except Exception:
        _log.error("%s has failed", name, exc_info=True)


async def _forever(name: str, work: Callable[[], Coroutine[None, None, object]]) -> None:
    while True:
        await _guarded(name, work())


async def _bound(
    name: str, address: tuple[str, int], start: Callable[[str, int], Coroutine[None, None, int]]
) -> int:
    host, port = address
    try:
        return await start(host, port)
    except OSError as error:
        # asyncio puts a sentence of its own in place of the system's
        reason = error.strerror or str(error)
        if error.errno and not isinstance(error, socket.gaierror):
            reason = os.strerror(error.errno)
        raise ConfigError(
            f"cannot listen on {host}:{port} ({reason.lower()}): give --{name} another HOST:PORT"
        ) from None


def _signature(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of the file, or of each file in the folder; what is gone is left out."""
    seen = []
    with contextlib.suppress(OSError):
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            status = file.stat()
            seen.append((file.name, status.st_mtime_ns, status.st_size))
    return tuple(seen)
