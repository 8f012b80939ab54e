"""The tracker: a database two tenants write to, run once through the proxy and once straight.

Straight it is guarded by PostgreSQL's own row-level security, so an application is the same text
both times: it must be answered alike and leave the same rows. Rows of the other tenant stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml

from proxy.testing import PostgresServer, RunningProxy
from tests.drivers.store import TENANTS, Tap

HERE = Path(__file__).parent
SQL, ROWS, RULES = (HERE / f"tracker{end}" for end in (".sql", "_rows.sql", ".yaml"))
DATABASE = "tracker"
CANARIES = {
    "acme": (b"bolt-canary", b"hidden-canary", b"querywarden:"),
    "bolt": (b"acme-canary", b"hidden-canary", b"querywarden:"),
}
OWNED = ("projects", "tasks", "labels", "task_labels", "notes", "preferences", "events")
SHARED = ("currencies", "vault")
# What becomes of each table: but the times an application wrote, rows that are marked as deleted,
# and keys that are random.
_STATE = """
SELECT jsonb_build_object(
  'projects', (SELECT jsonb_agg(to_jsonb(t) - 'updated_at' ORDER BY id) FROM projects t
    WHERE tenant_id = %(tenant)s),
  'tasks', (SELECT jsonb_agg(to_jsonb(t) || jsonb_build_object('archived_at', archived_at IS NULL)
    ORDER BY id) FROM tasks t WHERE tenant_id = %(tenant)s),
  'labels', (SELECT jsonb_agg(t ORDER BY id) FROM labels t WHERE tenant_id = %(tenant)s),
  'task_labels', (SELECT jsonb_agg(t ORDER BY task_id, label_id) FROM task_labels t
    WHERE tenant_id = %(tenant)s),
  'notes', (SELECT jsonb_agg(body ORDER BY body) FROM notes t
    WHERE tenant_id = %(tenant)s AND deleted_at IS NULL),
  'preferences', (SELECT jsonb_agg(t ORDER BY name) FROM preferences t
    WHERE tenant_id = %(tenant)s),
  'events', (SELECT jsonb_agg(t ORDER BY id) FROM events t WHERE tenant_id = %(tenant)s),
  'shared', (SELECT jsonb_agg(t ORDER BY code) FROM currencies t),
  'vault', (SELECT jsonb_agg(t ORDER BY id) FROM vault t))
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where one tenant connects, and through what: the proxy or nothing but PostgreSQL."""

    tenant: str
    user: str
    password: str
    port: int
    received: bytearray

    @property
    def number(self) -> int:
        """Its tenant_id."""
        return TENANTS[self.tenant]

    def dsn(self, scheme: str = "postgresql") -> str:
        """A URL."""
        return f"{scheme}://{self.user}:{self.password}@127.0.0.1:{self.port}/{self.database}"

    @property
    def database(self) -> str:
        """The database behind it."""
        return DATABASE if self.user == self.tenant else f"{DATABASE}_straight"

    def leaked(self) -> list[bytes]:
        """Marks of the other tenant, of what is hidden and of the proxy in what was received."""
        return [mark for mark in CANARIES[self.tenant] if mark in self.received]


@dataclass(frozen=True, slots=True)
class Tracker:
    """Both databases. `owners`: DSN of each's owner."""

    through: dict[str, Desk]
    straight: dict[str, Desk]
    owners: dict[str, str]

    def renew(self) -> None:
        """Let both databases begin anew."""
        for owner in self.owners.values():
            with psycopg.connect(owner, autocommit=True) as connection:
                connection.execute(ROWS.read_bytes())

    def state(self, database: str, tenant: str) -> dict[str, Any]:
        """All rows of one tenant."""
        with psycopg.connect(self.owners[database]) as connection:
            row = connection.execute(_STATE, {"tenant": TENANTS[tenant]}).fetchone()
        assert row is not None
        found: dict[str, Any] = row[0]
        return found

    def digest(self, tenant: str) -> str:
        """Of every byte of one tenant's rows behind the proxy, and of what both share."""
        tables = [f"SELECT t::text FROM {table} t WHERE tenant_id = %(tenant)s" for table in OWNED]
        query = " UNION ALL ".join([*tables, *(f"SELECT t::text FROM {t} t" for t in SHARED)])
        with psycopg.connect(self.owners[DATABASE]) as connection:
            rows = connection.execute(query.encode(), {"tenant": TENANTS[tenant]}).fetchall()
        return hashlib.sha256(repr(sorted(rows)).encode()).hexdigest()

    def compare(self, run: Callable[[Desk], dict[str, object]]) -> None:
        """Run an application as each tenant, through the proxy and straight: it is answered alike,
        leaves the same rows, no row of the other tenant is another, none was seen."""
        self.renew()
        for tenant, other in (("acme", "bolt"), ("bolt", "acme")):
            before = self.digest(other)
            expected, found = run(self.straight[tenant]), run(self.through[tenant])
            for step, answer in expected.items():
                assert (step, found[step]) == (step, answer)
            assert self.digest(other) == before
            states = [self.state(name, tenant) for name in self.owners]
            assert states[0] == states[1]
            assert self.through[tenant].leaked() == []

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Nothing is written in there, by whomever."""
        self.renew()
        before = [self.digest(tenant) for tenant in TENANTS]
        yield
        assert [self.digest(tenant) for tenant in TENANTS] == before


def rules() -> str:
    """Those of the file; what tenant 2 writes is recorded with the rows as they were and became."""
    found = yaml.safe_load(RULES.read_text())
    capabilities, roles = found["capabilities"], found["roles"]
    capabilities["recorded"] = {**capabilities["work"], "images": True}
    roles["recorded"] = {**roles["app"], "can": ["read", "recorded", "report"]}
    found["subjects"][1]["roles"] = ["recorded"]
    return json.dumps(found)


@contextmanager
def opened(postgres: PostgresServer) -> Iterator[Tracker]:
    """Both databases and the proxy before one of them."""
    logins = {f"tracker_{tenant}": tenant for tenant in TENANTS}
    roles = "".join(
        f"CREATE ROLE {login} LOGIN IN ROLE tracker_own; "
        f"ALTER ROLE {login} SET app.tenant = '{TENANTS[tenant]}';"
        for login, tenant in logins.items()
    )
    postgres.execute("postgres", f"CREATE ROLE tracker_app LOGIN; CREATE ROLE tracker_own; {roles}")
    names = (DATABASE, f"{DATABASE}_straight")
    owners = {name: postgres.create_database(name, SQL) for name in names}
    passwords = {tenant: f"{tenant}-password" for tenant in TENANTS}
    upstream = postgres.dsn(DATABASE, "tracker_app")
    with RunningProxy(rules=rules(), users=passwords, upstream=upstream) as proxy:
        taps = {tenant: Tap(proxy.port) for tenant in TENANTS}
        yield Tracker(
            {t: Desk(t, t, passwords[t], taps[t].port, taps[t].received) for t in TENANTS},
            {t: Desk(t, login, "", postgres.port, bytearray()) for login, t in logins.items()},
            owners,
        )
        for tap in taps.values():
            tap.close()
    for name in names:
        postgres.drop_database(name)
    postgres.execute("postgres", f"DROP ROLE tracker_app, tracker_own, {', '.join(logins)}")
