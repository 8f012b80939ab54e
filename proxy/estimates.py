"""What the upstream's planner expects of a statement, asked on a connection of our own.

    PREPARE querywarden_estimate AS SELECT ... WHERE id = $1
    EXPLAIN (FORMAT JSON) EXECUTE querywarden_estimate(NULL)        as a generic plan

Asked once for each text and kept while the snapshot holds; whoever waits is called. Knows texts
that were decided and proven; decides nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import asyncpg
import orjson

from policies.price import Estimate, Unknown

_log = logging.getLogger(__name__)

SECONDS: Final = 5.0  # how long the planner may take
MOST_KNOWN: Final = 10_000
MOST_WAITING: Final = 1000
# Tables grow while a snapshot holds; what went wrong may go well soon.
KEPT_SECONDS: Final = 600.0
FAILED_SECONDS: Final = 2.0

_NAME: Final = "querywarden_estimate"
_COUNT: Final = f"""
SELECT pg_catalog.cardinality(parameter_types) FROM pg_catalog.pg_prepared_statements
 WHERE name OPERATOR(pg_catalog.=) '{_NAME}'
"""
_TYPE: Final = "SELECT pg_catalog.format_type($1::pg_catalog.oid, NULL)"

Wake = Callable[[], None]
Key = bytes


class Estimates:
    """The estimates of one upstream. `run` asks; `close` ends the connection."""

    def __init__(self, dsn: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._dsn = dsn
        self._clock = clock
        self._search_path = ""
        self._known: OrderedDict[Key, tuple[float, Estimate | Unknown]] = OrderedDict()
        self._waiting: dict[Key, tuple[bytes, tuple[int, ...], set[Wake]]] = {}
        self._asked = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._generation = 0

    def forget(self, search_path: str) -> None:
        """A new snapshot: nothing is known any more. `search_path`: that of clients' sessions."""
        self._known.clear()
        self._generation += 1
        self._search_path = search_path

    def ask(self, query: bytes, types: Sequence[int], wake: Wake) -> Estimate | Unknown | None:
        """What is known of a query; None: nothing yet, and `wake` will be called when it is.

        `types`: OIDs of its parameters as far as they are declared, 0 for those that are not.
        """
        key = hashlib.sha256(b"%b\0%b" % (repr(tuple(types)).encode(), query)).digest()
        found = self._known.get(key)
        if found is not None and self._clock() < found[0]:
            return found[1]
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting[2].add(wake)
        elif len(self._waiting) >= MOST_WAITING:
            return Unknown()
        else:
            self._waiting[key] = (query, tuple(types), {wake})
            self._asked.set()
        return None

    async def run(self) -> None:
        """Answer what has been asked so far, then wait for more."""
        await self._asked.wait()
        self._asked.clear()
        while self._waiting:
            key, (query, types, _) = next(iter(self._waiting.items()))
            generation = self._generation
            try:
                found = await self._estimate(query, types)
            finally:
                wakes = self._waiting.pop(key)[2]
            if generation == self._generation:
                self._keep(key, found)
            for wake in wakes:
                asyncio.get_running_loop().call_soon(wake)

    async def close(self) -> None:
        """End the connection; nobody is answered any more."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _keep(self, key: Key, found: Estimate | Unknown) -> None:
        kept = KEPT_SECONDS if isinstance(found, Estimate) else FAILED_SECONDS
        if len(self._known) >= MOST_KNOWN:
            self._known.popitem(last=False)
        self._known[key] = (self._clock() + kept, found)

    async def _estimate(self, query: bytes, types: Sequence[int]) -> Estimate | Unknown:
        try:
            async with asyncio.timeout(SECONDS):
                connection = await self._connected()
                return await explain(connection, query.decode(), types)
        except asyncpg.PostgresError as error:
            sqlstate = str(error.sqlstate or "")
            if not sqlstate.startswith(("42", "22")):
                await self._lost(error)
            return Unknown(sqlstate)
        except Exception as error:
            await self._lost(error)
            return Unknown()

    async def _lost(self, error: Exception) -> None:
        _log.warning("a statement's cost could not be estimated: %s", type(error).__name__)
        await self.close()

    async def _connected(self) -> asyncpg.Connection:
        """The connection; a new one when it is gone or a newer snapshot has another path."""
        path = self._search_path
        known = self._connection
        if known is None or known.is_closed():
            known = self._connection = await asyncpg.connect(
                self._dsn,
                timeout=SECONDS,
                statement_cache_size=0,
                # a text means here what it means in clients' sessions, and may do no more
                server_settings={
                    "standard_conforming_strings": "on",
                    "client_encoding": "UTF8",
                    "application_name": "querywarden estimates",
                    "default_transaction_read_only": "on",
                    "plan_cache_mode": "force_generic_plan",
                    "statement_timeout": str(int(SECONDS * 1000)),
                },
            )
        await known.execute(f"SET search_path = {path or 'pg_catalog'}")
        return known


async def explain(
    connection: asyncpg.Connection, query: str, types: Sequence[int] = ()
) -> Estimate:
    """The planner's answer for one query. Raises what asyncpg raises."""
    names = ["unknown" if oid == 0 else str(await connection.fetchval(_TYPE, oid)) for oid in types]
    declared = f"({', '.join(names)})" if names else ""
    await connection.execute(f"PREPARE {_NAME}{declared} AS {query}\n")
    try:
        nulls = ["NULL"] * int(await connection.fetchval(_COUNT))
        given = f"({', '.join(nulls)})" if nulls else ""
        answer = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {_NAME}{given}")
    finally:
        await connection.execute(f"DEALLOCATE {_NAME}")
    (root,) = orjson.loads(answer)
    return read_plan(root["Plan"])


def read_plan(root: dict[str, Any]) -> Estimate:
    """Cost and rows of an EXPLAIN's plan."""
    rows, pending = 0.0, [root]
    while pending:
        node = pending.pop()
        if "Relation Name" in node:
            rows += node["Plan Rows"]
        pending += node.get("Plans", ())
    return Estimate(float(root["Total Cost"]), rows)
