"""The demo's tour: real clients run statements through the running proxy and a person looks on.

Every station checks what it shows (nothing of another tenant, no denied column, the refusal, the
notice, the record), so the tour is also a test. It knows the addresses and the two databases'
worth of truth it is given; how the proxy was started is `proxy.demo`'s.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from proxy import demo_cards as cards
from proxy import layout
from proxy.approvals.store import Store

ACME: Final = "agent_acme"
BOLT: Final = "agent_bolt"
LEAD: Final = "ops_lead"

REPORT: Final = (
    "SELECT o.status, count(*) AS orders, sum(o.total) AS revenue"
    " FROM orders AS o WHERE o.created_at >= '2026-01-01'"
    " GROUP BY o.status ORDER BY revenue DESC"
)
PEOPLE: Final = "SELECT * FROM users ORDER BY id LIMIT 3"
HIDDEN: Final = "SELECT id, ssn FROM users LIMIT 3"
WRITE: Final = "UPDATE users SET balance = 0 WHERE id = 1"
EVERYTHING: Final = "SELECT id, total FROM orders ORDER BY id"
RECENT: Final = (
    "SELECT id FROM orders WHERE status = 'shipped' AND created_at > '2026-01-05'"
    " ORDER BY id LIMIT 1"
)
REFUND: Final = "UPDATE orders SET status = 'refunded', refunded_at = '2026-01-31' WHERE id = {}"
WHY: Final = "/* reason='ticket 4711' */ "
STATEMENTS: Final = (REPORT, PEOPLE, HIDDEN, WRITE, EVERYTHING)

_RECORD_SECONDS = 5.0  # how long a record may take to reach the file


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is: DSNs by login, a superuser's DSN of the same database, the admin
    address, the file of records, where approvals are kept, and the text a statement of a login
    becomes."""

    dsn: dict[str, str]
    direct: str
    approvals: str
    metrics: str
    records: Path
    rewrite: Callable[[str, str], str]


@dataclass(slots=True)
class Tour:
    """One walk: what has been shown goes to `console`, what did not hold to `failures`."""

    console: Console
    places: Places
    failures: list[str] = field(default_factory=list)
    checks: int = 0
    _station: int = 0

    def expect(self, holds: bool, what: str) -> None:
        """Note one thing that must be so."""
        self.checks += 1
        if not holds:
            self.failures.append(what)
            self.console.print(f"  [bold red]not so:[/] {what}")

    def station(self, title: str, *said: str) -> None:
        """Begin the next part with a heading and a sentence or two."""
        self._station += 1
        self.console.print()
        self.console.print(Rule(f"[bold]{self._station}. {title}[/]", align="left", style="dim"))
        for line in said:
            self.console.print(f"  {line}", style="dim", markup=False)
        self.console.print()

    def show(self, *parts: RenderableType) -> None:
        """Print below the heading, indented."""
        for part in parts:
            self.console.print(Padding(part, (0, 0, 0, 2)))

    async def walk(self) -> bool:
        """All stations in order; True when everything that was checked held."""
        acme = await asyncpg.connect(self.places.dsn[ACME])
        bolt = await asyncpg.connect(self.places.dsn[BOLT])
        direct = await asyncpg.connect(self.places.direct)
        try:
            await self._one_select(acme, bolt, direct)
            await self._masks(acme, direct)
            await self._refusals(acme)
            await self._cap(acme, direct)
            await self._refund(acme, direct)
            await self._records()
            await self._metrics()
        finally:
            for connection in (acme, bolt, direct):
                await connection.close()
        return not self.failures

    async def _one_select(
        self, acme: asyncpg.Connection, bolt: asyncpg.Connection, direct: asyncpg.Connection
    ) -> None:
        self.station(
            "One SELECT, two tenants",
            "Client and SQL stay as they are. Each table becomes the caller's view of it:",
            "own tenant's rows, no drafts (see rules/demo.yaml), never more than 100 rows.",
        )
        before = layout.words(REPORT)
        after = layout.words(self.places.rewrite(ACME, REPORT))
        new = layout.added(before, after)
        width = self.console.width - 2
        self.show(cards.titled(f"{ACME} sends", layout.drawn(before, frozenset(), width)))
        self.show(cards.titled("PostgreSQL receives", layout.drawn(after, new, width)))
        rows = {ACME: await acme.fetch(REPORT), BOLT: await bolt.fetch(REPORT)}
        both = Table.grid(padding=(0, 4))
        both.add_row(*(cards.titled(f"{login} sees", cards.result(rows[login])) for login in rows))
        self.show(both)
        for tenant, login in ((1, ACME), (2, BOLT)):
            truth = await direct.fetch(
                REPORT.replace("WHERE", f"WHERE o.tenant_id = {tenant} AND o.status <> 'draft' AND")
            )
            self.expect(bool(truth) and rows[login] == truth, f"{login} sees exactly its own rows")
        self.expect(rows[ACME] != rows[BOLT], "the two tenants see different figures")

    async def _masks(self, acme: asyncpg.Connection, direct: asyncpg.Connection) -> None:
        self.station(
            "SELECT * with masks",
            "Masks are applied where the table is read: WHERE, JOIN, GROUP BY see them",
            "too. A denied column is not there, not even for SELECT *.",
        )
        seen = await acme.fetch(PEOPLE)
        ids = [row["id"] for row in seen]
        stored = {
            row["id"]: row
            for row in await direct.fetch("SELECT * FROM users WHERE id = ANY ($1)", ids)
        }
        self.show(cards.titled(f"{ACME} sends", layout.drawn(layout.words(PEOPLE))))
        if self._checked_people(seen, stored):
            self.show(cards.people(seen, stored))

    def _checked_people(
        self, seen: Sequence[asyncpg.Record], stored: dict[int, asyncpg.Record]
    ) -> bool:
        self.expect(len(seen) == 3, "three users are seen")
        text = repr([tuple(row) for row in seen])
        for row in stored.values():
            self.expect(row["tenant_id"] == 1, "only tenant 1's users are seen")
            self.expect(row["deleted_at"] is None, "no deleted user is seen")
            hidden = ("ssn", "password_hash", "email", "full_name", "phone")
            for column in hidden:
                self.expect(row[column] is None or row[column] not in text, f"{column} is hidden")
        for row in seen:
            self.expect("ssn" not in dict(row), "ssn is not a column")
            self.expect(row["balance"] is None, "balance is masked")
        return bool(seen) and set(stored) == {row["id"] for row in seen}

    async def _refusals(self, acme: asyncpg.Connection) -> None:
        self.station(
            "Refused, with the way out",
            "What may not run is refused before the database sees it; what may not be seen",
            "does not exist. Error codes are PostgreSQL's, the hint says what to write.",
        )
        for statement in (WRITE, HIDDEN):
            error = await _error(acme, statement)
            self.show(cards.refusal(statement, error), "")
            self.expect(error is not None, f"{statement} is refused")
            if error is not None:
                self.expect(bool(error.hint), f"the refusal of {statement} has a hint")
                told = f"{error.message} {error.detail} {error.hint}"
                self.expect("password_hash" not in told, "no hint names a hidden column")

    async def _cap(self, acme: asyncpg.Connection, direct: asyncpg.Connection) -> None:
        self.station("A result that is too long is capped, and says so")
        notices: list[str] = []
        acme.add_log_listener(lambda _, message: notices.append(message.message))
        statement = await acme.prepare(EVERYTHING)
        rows = await statement.fetch()
        status = statement.get_statusmsg()
        there = await direct.fetchval(
            "SELECT count(*) FROM orders WHERE tenant_id = 1 AND status <> 'draft'"
        )
        said = [notice for notice in notices if "capped" in notice]
        card = Table.grid(padding=(0, 2))
        card.add_column(style="dim", justify="right")
        card.add_row("sends", layout.drawn(layout.words(EVERYTHING)))
        card.add_row("receives", Text(f"{len(rows):,} rows of {there:,}, tag {status}"))
        card.add_row("notice", Text(said[0] if said else "none", style="yellow"))
        self.show(card)
        self.expect(0 < len(rows) < there, "the result is capped")
        self.expect(bool(said), "a notice says so")
        self.expect(status == f"SELECT {len(rows)}", "the command tag counts the rows handed out")

    async def _refund(self, acme: asyncpg.Connection, direct: asyncpg.Connection) -> None:
        self.station(
            "A refund, with a reason and somebody's consent",
            "A write needs a capability. This one touches one order named by its key, until 30",
            "days after it was made, says why, and waits for an ops_lead (see rules/demo.yaml).",
        )
        order = await acme.fetchval(RECENT)
        plain = REFUND.format(order)
        silent = await _write_error(acme, plain)
        self.show(cards.refusal(plain, silent), "")
        self.expect(_code(silent) == "QW002", "a refund without a reason is refused")
        held = await _write_error(acme, WHY + plain)
        self.show(cards.refusal(WHY + plain, held), "")
        self.expect(_code(held) == "QW001", "a refund is held")
        written = await direct.fetchval("SELECT count(*) FROM orders WHERE status = 'refunded'")
        self.expect(written == 0, "nothing is written before somebody agrees")
        number = json.loads((held and held.detail) or "{}").get("approval", "")
        self.show(Text(f"querywarden approvals grant {number} --as {LEAD}", style="bold"), "")
        self.expect(await self._grant(number), "the refund can be granted")
        tag = await _tag(acme, WHY + plain)
        self.show(Text.assemble(("sent again  ", "dim"), tag), "")
        self.expect(tag == "UPDATE 1", "the refund runs when it is sent again")
        again = await _write_error(acme, WHY + plain)
        self.expect(_code(again) == "QW001", "a consent is good for one run")
        refunded = await direct.fetch("SELECT id, tenant_id FROM orders WHERE status = 'refunded'")
        self.expect([tuple(row) for row in refunded] == [(order, 1)], "one order is written")
        await self._refund_record(number)

    async def _grant(self, number: str) -> bool:
        """What the command does that is shown."""
        store = Store(self.places.approvals)
        try:
            await store.open()
            return await store.decide(number, "granted", "queue", LEAD) is not None
        finally:
            await store.close()

    async def _refund_record(self, number: str) -> None:
        record = await self._ran(number)
        self.expect(record is not None, "the refund has its record")
        if record is None:
            return
        self.show(cards.titled("and its record says", cards.written(record)))
        self.expect(record["reason"] == "ticket 4711", "the record says why")
        self.expect(record["affected_rows"] == 1, "the record counts what was written")
        held = [one["result"] for one in record["invariants_checked"]]
        self.expect(held == ["held", "held"], "the record says what was looked at")
        pairs = zip(record.get("before", ()), record.get("after", ()), strict=True)
        changed = [{name for name in new if old[name] != new[name]} for old, new in pairs]
        self.expect(changed == [{"status", "refunded_at"}], "the record holds both rows")

    async def _ran(self, approval: str) -> dict[str, Any] | None:
        """The record of what ran with this approval; it arrives a moment after its statement."""
        deadline = time.monotonic() + _RECORD_SECONDS
        while True:
            for record in self._own_records():
                if record["approval_id"] == approval and record["outcome"] == "ok":
                    return record
            if not approval or time.monotonic() > deadline:
                return None
            await asyncio.sleep(0.05)

    async def _records(self) -> None:
        self.station(
            "The record of each",
            "One line of JSON per statement, chained by hashes. Literals appear as $1, $2 …",
            "and no value of the database, unless a capability asks for the rows it writes.",
        )
        records = await self._written(len(STATEMENTS))
        self.show(cards.record_table(records), "")
        refused = [record for record in records if record["decision"] == "deny"]
        if refused:
            self.show(cards.titled("the refusal's line in full", cards.whole(refused[0])))
        self.expect(len(records) >= len(STATEMENTS), "every statement has its record")
        self.expect(bool(refused), "the refusal has its record")
        self.expect(any(r["truncated"] for r in records), "the record says a result was capped")
        templates = " ".join(record["sql_template"] for record in records)
        self.expect("2026-01-01" not in templates, "no literal is in the records")

    async def _written(self, wanted: int) -> list[dict[str, Any]]:
        """The tour's own records, in order; each arrives a moment after its statement."""
        deadline = time.monotonic() + _RECORD_SECONDS
        while True:
            records = self._own_records()
            refused = any(record["decision"] == "deny" for record in records)
            capped = any(record["truncated"] for record in records)
            complete = len(records) >= wanted and refused and capped
            if complete or time.monotonic() > deadline:
                return records
            await asyncio.sleep(0.05)

    def _own_records(self) -> list[dict[str, Any]]:
        if not self.places.records.exists():
            return []
        lines = self.places.records.read_bytes().splitlines()
        parsed = [json.loads(line) for line in lines if line.endswith(b"}")]
        return [record for record in parsed if record["entities"] or record["error"]]

    async def _metrics(self) -> None:
        self.station("Metrics for Prometheus")
        text = await asyncio.to_thread(_get, self.places.metrics)
        wanted = (
            "statements_total{",
            "rows_total ",
            "rows_truncated_total ",
            "affected_rows_total{",
            "clients ",
            "policy_",
        )
        lines = [
            line
            for line in text.splitlines()
            if line.startswith(tuple(f"querywarden_{name}" for name in wanted))
        ]
        self.show(Text("\n".join(lines[:12]), style="cyan", overflow="fold"))
        self.show(Text(f"… {len(text.splitlines())} lines at {self.places.metrics}", style="dim"))
        self.expect(bool(lines), "statements are counted")


async def _error(connection: asyncpg.Connection, statement: str) -> asyncpg.PostgresError | None:
    try:
        await connection.fetch(statement)
    except asyncpg.PostgresError as error:
        return error
    return None


async def _write_error(connection: asyncpg.Connection, sql: str) -> asyncpg.PostgresError | None:
    try:
        await connection.execute(sql)
    except asyncpg.PostgresError as error:
        return error
    return None


async def _tag(connection: asyncpg.Connection, sql: str) -> str:
    try:
        return str(await connection.execute(sql))
    except asyncpg.PostgresError as error:
        return str(error)


def _code(error: asyncpg.PostgresError | None) -> str:
    return error.sqlstate or "" if error is not None else ""


def _get(url: str) -> str:
    """The body at an address, "" when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            body: bytes = response.read()
    except OSError:
        return ""
    return body.decode()
