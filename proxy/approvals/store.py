"""Requests and consents in PostgreSQL, so that they outlive the proxy.

    pending > granted > used        a consent is good for one run
            > refused               also after it was granted, as long as it is not used
            > expired               `ttl` after it was asked for, or after it was granted

Each step is one UPDATE that names the state it comes from, so of two that race one wins. Statement
and values are kept only while somebody may have to judge by them. Must not know: sessions, gates.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import asyncpg

from proxy.approvals.request import STATES, Entry, Request, State, subject_columns

SECONDS: Final = 5.0  # how long the store may take for one question
KEPT: Final = timedelta(days=30)  # what is over is kept so long
MOST_PENDING: Final = 200  # of one login: somebody has to look at each
VERSION: Final = 1
_CONNECTIONS: Final = 4
_ATTEMPTS: Final = 3

Via = Literal["queue", "callback", "auto"]

# Two proxies may start at the same time: one makes the tables, the other finds them.
_LOCK: Final = "SELECT pg_advisory_xact_lock(7307495031)"
_EXISTS: Final = "SELECT to_regnamespace('querywarden') IS NOT NULL"
_MAKE: Final = f"""
CREATE TABLE IF NOT EXISTS querywarden.versions (part text PRIMARY KEY, version integer NOT NULL);
CREATE TABLE IF NOT EXISTS querywarden.approvals (
    id text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ({", ".join(f"'{state}'" for state in STATES)})),
    binding bytea NOT NULL,
    login text NOT NULL,
    tenant text,
    user_id text,
    roles text[] NOT NULL,
    capability text NOT NULL,
    gate text NOT NULL,
    by text[] NOT NULL,
    ttl integer NOT NULL,
    rules_version text NOT NULL,
    operation text NOT NULL,
    entities text[] NOT NULL,
    template text NOT NULL,
    statement text,
    "values" text[],
    settings text[] NOT NULL,
    reason text NOT NULL,
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text CHECK (decided_by <> login),
    decided_via text,
    used_at timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS approvals_open
    ON querywarden.approvals (binding) WHERE state IN ('pending', 'granted');
CREATE INDEX IF NOT EXISTS approvals_refused
    ON querywarden.approvals (binding) WHERE state = 'refused';
CREATE INDEX IF NOT EXISTS approvals_state ON querywarden.approvals (state, asked_at);
INSERT INTO querywarden.versions VALUES ('approvals', {VERSION}) ON CONFLICT DO NOTHING;
"""
_KNOWN: Final = "SELECT version FROM querywarden.versions WHERE part = 'approvals'"

# The first parameter of each is the time, NULL for the server's own.
_NOW: Final = "coalesce($1::timestamptz, clock_timestamp())"
_FORGET: Final = 'statement = NULL, "values" = NULL'
_EXPIRE: Final = f"""
UPDATE querywarden.approvals SET state = 'expired', {_FORGET}
 WHERE state IN ('pending', 'granted') AND expires_at <= {_NOW}
"""
_USE: Final = f"""
UPDATE querywarden.approvals SET state = 'used', used_at = {_NOW}, {_FORGET}
 WHERE binding = $2 AND state = 'granted' AND expires_at > {_NOW} RETURNING *
"""
_STANDING: Final = f"""
SELECT * FROM querywarden.approvals
 WHERE binding = $2 AND state IN ('pending', 'granted', 'refused') AND expires_at > {_NOW}
 ORDER BY state = 'refused', asked_at DESC LIMIT 1
"""
_WAITING: Final = f"""
SELECT count(*) FROM querywarden.approvals
 WHERE state = 'pending' AND expires_at > {_NOW} AND login = $2
"""
_INSERT: Final = f"""
INSERT INTO querywarden.approvals
       (asked_at, binding, id, state, login, tenant, user_id, roles, capability, gate, by, ttl,
        rules_version, operation, entities, template, statement, "values", settings, reason,
        expires_at, decided_at, decided_via, used_at)
SELECT now, $2, $3, $4::text, $5, $6, $7, $8, $9, $10::text, $11, $12::integer, $13, $14, $15, $16,
       CASE WHEN NOT over THEN $17::text END, CASE WHEN NOT over THEN $18::text[] END,
       $19, $20, now + $12::integer * interval '1 second',
       CASE WHEN over THEN now END, CASE WHEN over THEN $10::text END, CASE WHEN over THEN now END
  FROM (SELECT {_NOW} AS now, $4::text = 'used' AS over) AS given
ON CONFLICT DO NOTHING RETURNING *
"""
# A consent that is given can be taken back until it is used.
_DECIDE: Final = f"""
UPDATE querywarden.approvals
   SET state = $3::text, decided_at = {_NOW}, decided_by = $4, decided_via = $5,
       expires_at = CASE WHEN $3::text = 'granted' THEN {_NOW} + ttl * interval '1 second'
                         ELSE expires_at END,
       statement = CASE WHEN $3::text = 'granted' THEN statement END,
       "values" = CASE WHEN $3::text = 'granted' THEN "values" END
 WHERE id = $2 AND expires_at > {_NOW}
   AND (state = 'pending' OR (state = 'granted' AND $3::text = 'refused')) RETURNING *
"""
_LIST: Final = """
SELECT * FROM querywarden.approvals WHERE state = ANY($1) ORDER BY asked_at DESC LIMIT $2
"""
_GET: Final = "SELECT * FROM querywarden.approvals WHERE id = $1"
_COUNT: Final = "SELECT state, count(*) FROM querywarden.approvals GROUP BY state"
_DROP: Final = f"""
DELETE FROM querywarden.approvals
 WHERE state IN ('refused', 'used', 'expired') AND expires_at < {_NOW} - $2::interval
"""
_REACHABLE: Final = """
SELECT coalesce(bool_or(has_schema_privilege(oid, 'USAGE, CREATE')
                        OR pg_has_role(nspowner, 'MEMBER')), false)
  FROM pg_namespace WHERE nspname = 'querywarden'
"""

# Nothing of the role or the database may change what these statements mean, and what the store has
# said it has written is written.
_SETTINGS: Final = {
    "application_name": "querywarden approvals",
    "search_path": "pg_catalog",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "synchronous_commit": "on",
    "statement_timeout": str(int(SECONDS * 1000)),
}


class StoreError(Exception):
    """The store cannot be asked; says why, and never a value."""


class Crowded(Exception):
    """Too many requests of this login wait already."""


class Store:
    """The requests of all proxies that share one database. `clock`: None for the server's own."""

    def __init__(self, dsn: str, clock: Callable[[], datetime | None] = lambda: None) -> None:
        self._dsn = dsn
        self._clock = clock
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Connect and make the tables unless they are there. Raises StoreError."""
        try:
            async with _said(words=True):
                await self._open()
        except BaseException:
            await self.close()
            raise

    async def _open(self) -> None:
        self._pool = await asyncpg.create_pool(
            self._dsn, min_size=1, max_size=_CONNECTIONS, timeout=SECONDS,
            command_timeout=SECONDS, server_settings=_SETTINGS,
        )  # fmt: skip
        async with self._pool.acquire(timeout=SECONDS) as connection, connection.transaction():
            await connection.execute(_LOCK)
            # IF NOT EXISTS wants the right to make schemas even when there is nothing to make
            if not await connection.fetchval(_EXISTS):
                await connection.execute("CREATE SCHEMA querywarden")
                await connection.execute("REVOKE ALL ON SCHEMA querywarden FROM PUBLIC")
            await connection.execute(_MAKE)
            found = await connection.fetchval(_KNOWN)
        if found != VERSION:
            raise StoreError(f"its tables are of version {found}, this querywarden knows {VERSION}")

    async def close(self) -> None:
        """End the connections."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(1):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def ask(self, request: Request) -> Entry:
        """Spend the consent for this request: state used, and nobody else will get it. Without one,
        its refusal or its pending entry, made when there is none. Raises StoreError, Crowded."""
        for _ in range(_ATTEMPTS):
            used = await self._one(_USE, request.binding)
            if used is not None:
                return used
            standing = await self._one(_STANDING, request.binding)
            if standing is None:
                await self._rows(_EXPIRE)
                if (await self._rows(_WAITING, request.subject.login))[0][0] >= MOST_PENDING:
                    raise Crowded
                standing = await self._insert(request, "pending")
            if standing is not None and standing.state != "granted":
                return standing
        raise StoreError("others ask for the same statement all the time")

    async def use_at_once(self, request: Request) -> Entry:
        """Keep a request that needs no answer as used. Raises StoreError."""
        made = await self._insert(request, "used")
        if made is None:
            raise StoreError("a number is taken")
        return made

    async def decide(self, id: str, state: State, via: Via, by: str | None = None) -> Entry | None:
        """Grant a pending request, or refuse one that is not used; None when it is neither any
        more. Raises StoreError."""
        return await self._one(_DECIDE, id, state, by, via)

    async def get(self, id: str) -> Entry | None:
        """One request. Raises StoreError."""
        await self._rows(_EXPIRE)
        found = await self._fetch(_GET, id)
        return _entry(found[0]) if found else None

    async def list(self, states: Sequence[State], most: int) -> list[Entry]:
        """The newest of these states. Raises StoreError."""
        await self._rows(_EXPIRE)
        return [_entry(row) for row in await self._fetch(_LIST, list(states), most)]

    async def sweep(self) -> Mapping[str, int]:
        """Mark what has expired, drop what is long over; how many there are by state. Raises
        StoreError."""
        await self._rows(_EXPIRE)
        await self._rows(_DROP, KEPT)
        found = {row[0]: row[1] for row in await self._fetch(_COUNT)}
        return {state: found.get(state, 0) for state in STATES}

    async def _insert(self, request: Request, state: State) -> Entry | None:
        consent = request.consent
        return await self._one(
            _INSERT, request.binding, secrets.token_hex(6), state,
            *subject_columns(request.subject), consent.capability, consent.gate, list(consent.by),
            consent.ttl, request.rules_version, request.operation, list(request.entities),
            request.template, request.statement, list(request.values),
            [f"{name}: {value}" for name, value in request.settings], request.reason,
        )  # fmt: skip

    async def _one(self, sql: str, *values: object) -> Entry | None:
        rows = await self._rows(sql, *values)
        return _entry(rows[0]) if rows else None

    async def _rows(self, sql: str, *values: object) -> Sequence[Any]:
        return await self._fetch(sql, self._clock(), *values)

    async def _fetch(self, sql: str, *values: object) -> Sequence[Any]:
        if self._pool is None:
            raise StoreError("it is closed")
        async with _said(), self._pool.acquire(timeout=SECONDS) as connection:
            rows: Sequence[Any] = await connection.fetch(sql, *values)
        return rows


async def reachable(dsn: str) -> bool:
    """Whether who logs in with this DSN could write in a store of that database. Raises StoreError.
    Statements of clients run with the upstream's login: it must not be able to give consent."""
    async with _said(words=True):
        connection = await asyncpg.connect(dsn, timeout=SECONDS, command_timeout=SECONDS)
        try:
            return bool(await connection.fetchval(_REACHABLE))
        finally:
            await connection.close()


@asynccontextmanager
async def _said(words: bool = False) -> AsyncIterator[None]:
    """What goes wrong with the server, as a StoreError. `words`: in the server's own, which can
    hold values where any are sent."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise StoreError(f"{error}" if words else f"SQLSTATE {error.sqlstate}") from None
    except TimeoutError:
        raise StoreError("no answer in time") from None
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, ValueError) as error:
        raise StoreError(f"no connection ({type(error).__name__})") from None


_COLUMNS: Final = tuple(each.name for each in fields(Entry))


def _entry(row: Mapping[str, Any]) -> Entry:
    values = {name: row[name] for name in _COLUMNS}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Entry(**{**values, **lists})
