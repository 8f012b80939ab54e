"""proxy/approvals/store.py on a real server: one consent, one run; and what is bound to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from policies.decision import Consent
from policies.rules import RuleSet, parse
from policies.subject import Subject
from proxy.approvals import store as stores
from proxy.approvals.request import Entry, Request, binding, obstacle, sees
from proxy.approvals.store import KEPT, Crowded, Store, StoreError, reachable
from proxy.testing import PostgresServer

AGENT = Subject("agent", tenant=1, user_id=7, roles=("support",))
CONSENT = Consent("refund", ("lead",), 900, "queue")
SQL = b"UPDATE orders SET status = $1 WHERE id = $2"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def request(values: bytes = b"one", subject: Subject = AGENT, **changes: object) -> Request:
    made = Request(
        binding(SQL, [values], subject, CONSENT.capability, "v1", (), ""),
        subject, CONSENT, "v1", "update", ("orders",), SQL.decode(), SQL.decode(),
        ("'refunded'", "41"), (("TimeZone", "UTC"),), "customer asked",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    yield postgres.create_database("approvals_test")
    postgres.drop_database("approvals_test")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(database: str, clock: Clock) -> AsyncIterator[Store]:
    made = Store(database, clock)
    await made.open()
    yield made
    await made._rows("DELETE FROM querywarden.approvals WHERE asked_at < $1::timestamptz + '1y'")
    await made.close()


async def granted(store: Store, wanted: Request) -> str:
    entry = await store.ask(wanted)
    assert entry.state == "pending"
    assert await store.decide(entry.id, "granted", "queue", "boss") is not None
    return entry.id


# One consent, one run.


async def test_a_request_is_pending_until_it_is_granted_and_runs_once(store: Store) -> None:
    first = await store.ask(request())
    again = await store.ask(request())
    assert (first.state, again.state, first.id) == ("pending", "pending", again.id)
    entry = await store.decide(first.id, "granted", "queue", "boss")
    assert entry is not None and (entry.decided_by, entry.statement) == ("boss", SQL.decode())
    used = await store.ask(request())
    assert (used.state, used.id) == ("used", first.id)
    replayed = await store.ask(request())
    assert replayed.state == "pending" and replayed.id != first.id


async def test_a_refused_one_says_so_until_its_time_is_over(store: Store, clock: Clock) -> None:
    first = await store.ask(request())
    assert await store.decide(first.id, "refused", "queue", "boss")
    for _ in range(2):
        entry = await store.ask(request())
        assert (entry.state, entry.id) == ("refused", first.id)
    assert await store.decide(first.id, "granted", "queue", "boss") is None
    clock.passes(901)
    assert (await store.ask(request())).state == "pending"


async def test_a_consent_can_be_taken_back_until_it_is_used(store: Store) -> None:
    taken = await granted(store, request())
    assert await store.decide(taken, "refused", "queue", "boss")
    assert (await store.ask(request())).state == "refused"
    other = await granted(store, request(b"two"))
    assert (await store.ask(request(b"two"))).state == "used"
    assert await store.decide(other, "refused", "queue", "boss") is None


async def test_a_request_and_a_consent_expire(store: Store, clock: Clock) -> None:
    first = await store.ask(request())
    clock.passes(900)
    assert await store.decide(first.id, "granted", "queue", "boss") is None
    second = await store.ask(request())
    assert second.id != first.id
    clock.passes(899)
    assert await store.decide(second.id, "granted", "queue", "boss")
    clock.passes(899)  # a consent holds from when it was given
    third = await granted(store, request(b"two"))
    assert (await store.ask(request())).state == "used"
    clock.passes(900)
    assert (await store.ask(request(b"two"))).state == "pending"
    expired = await store.get(third)
    assert expired is not None and (expired.state, expired.statement) == ("expired", None)


async def test_of_two_that_race_for_a_consent_one_wins(database: str, store: Store) -> None:
    stores = [Store(database, store._clock) for _ in range(3)]
    for one in stores:
        await one.open()
    for number in range(10):
        wanted = request(b"race %d" % number)
        id = await granted(store, wanted)
        found = await asyncio.gather(*(one.ask(wanted) for one in stores * 2))
        assert [entry.id for entry in found if entry.state == "used"] == [id]
        assert {entry.state for entry in found} == {"used", "pending"}
        assert len({entry.id for entry in found}) == 2
    for one in stores:
        await one.close()


async def test_nobody_fills_the_queue(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "MOST_PENDING", 2)
    first = await store.ask(request(b"1"))
    await store.ask(request(b"2"))
    with pytest.raises(Crowded):
        await store.ask(request(b"3"))
    assert (await store.ask(request(b"1"))).id == first.id
    assert await store.ask(request(b"3", replace(AGENT, login="other")))
    await store.decide(first.id, "granted", "queue", "boss")
    assert (await store.ask(request(b"3"))).state == "pending"


async def test_it_outlives_the_proxy(database: str, clock: Clock, store: Store) -> None:
    id = await granted(store, request())
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.ask(request())
    await store.open()
    assert (await store.ask(request())).id == id


async def test_nobody_consents_to_what_he_asked_for(store: Store) -> None:
    """The last wall; whoever decides is judged before (`obstacle`)."""
    entry = await store.ask(request())
    with pytest.raises(StoreError, match="SQLSTATE 23514"):
        await store.decide(entry.id, "granted", "queue", "agent")


async def test_what_needs_no_answer_is_kept_too(store: Store) -> None:
    first, second = await store.use_at_once(request()), await store.use_at_once(request())
    assert first.id != second.id
    assert (first.state, first.decided_via, first.decided_by) == ("used", "queue", None)
    assert first.used_at == first.asked_at


# What is kept.


async def test_statement_and_values_go_when_nobody_has_to_judge(store: Store) -> None:
    shown = await store.ask(request())
    assert (shown.statement, shown.values) == (SQL.decode(), ("'refunded'", "41"))
    assert "refunded" not in repr(shown) and "refunded" not in repr(request())
    await store.decide(shown.id, "granted", "queue", "boss")
    used = await store.ask(request())
    refused = await store.ask(request(b"two"))
    await store.decide(refused.id, "refused", "queue", "boss")
    at_once = await store.use_at_once(request(b"three"))
    for id in (used.id, refused.id, at_once.id):
        kept = await store.get(id)
        assert kept is not None and (kept.statement, kept.values) == (None, None)
        assert kept.template == SQL.decode()


async def test_listing_counting_and_sweeping(store: Store, clock: Clock) -> None:
    old = await store.ask(request())
    clock.passes(1)
    new = await store.ask(request(b"two"))
    assert [entry.id for entry in await store.list(["pending"], 9)] == [new.id, old.id]
    assert [entry.id for entry in await store.list(["pending"], 1)] == [new.id]
    await store.decide(new.id, "granted", "queue", "boss")
    counts = {"pending": 1, "granted": 1, "refused": 0, "used": 0, "expired": 0}
    assert await store.sweep() == counts
    clock.passes(900)
    assert (await store.sweep())["expired"] == 2
    clock.passes(KEPT.total_seconds() + 900)
    assert set((await store.sweep()).values()) == {0}
    assert await store.get("none") is None


# What it stands on.


async def test_two_proxies_may_start_at_once(postgres: PostgresServer) -> None:
    fresh = postgres.create_database("approvals_fresh")
    stores = [Store(fresh) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    assert (await stores[0].ask(request())).id == (await stores[3].ask(request())).id
    for store in stores:
        await store.close()
    postgres.drop_database("approvals_fresh")


async def test_tables_of_another_version_are_left_alone(postgres: PostgresServer) -> None:
    newer = postgres.create_database(
        "approvals_newer",
        "CREATE SCHEMA querywarden; CREATE TABLE querywarden.versions (part text PRIMARY KEY,"
        " version integer NOT NULL); INSERT INTO querywarden.versions VALUES ('approvals', 2);",
    )
    with pytest.raises(StoreError, match="version 2, this querywarden knows 1"):
        await Store(newer).open()
    postgres.drop_database("approvals_newer")


async def test_a_store_that_cannot_be_asked_says_no_value() -> None:
    with pytest.raises(StoreError, match="no connection") as raised:
        await Store("postgresql://u:hunter2@127.0.0.1:1/none").open()
    assert "hunter2" not in str(raised.value)


async def test_clients_cannot_reach_it(postgres: PostgresServer) -> None:
    owner = "CREATE ROLE warden_owner LOGIN CREATEROLE; CREATE ROLE warden_app LOGIN;"
    database = postgres.create_database("approvals_reach", owner)
    postgres.execute("postgres", "GRANT CREATE ON DATABASE approvals_reach TO warden_owner")
    as_app = postgres.dsn("approvals_reach", "warden_app")
    as_owner = postgres.dsn("approvals_reach", "warden_owner")
    assert not await reachable(database)  # nothing is there yet
    store = Store(as_owner)
    await store.open()
    await store.close()
    assert await reachable(database) and await reachable(as_owner)
    assert not await reachable(as_app)
    app = await asyncpg.connect(as_app)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("UPDATE querywarden.approvals SET state = 'granted'")
    await app.close()
    postgres.execute("postgres", "REVOKE CREATE ON DATABASE approvals_reach FROM warden_owner")
    await store.open()  # the right to make schemas is needed once
    await store.close()
    postgres.drop_database("approvals_reach")
    postgres.execute("postgres", "DROP ROLE warden_owner; DROP ROLE warden_app")


# What a consent is bound to.


def bound(**changes: object) -> bytes:
    given = dict(
        sql=SQL, parameters=(b"types", b"values"), subject=AGENT, capability="refund",
        rules_version="v1", settings=(("DateStyle", "ISO, MDY"),), reason="why",
    )  # fmt: skip
    return binding(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"sql": SQL + b" AND true"},
        {"sql": b"UPDATE orders SET status = $2 WHERE id = $1"},
        {"sql": SQL.replace(b"orders", b'"orders"')},
        {"sql": b"UPDATE ordersS ET status = $1 WHERE id = $2"},
        {"parameters": (b"types", b"value")},
        {"parameters": (b"type", b"svalues")},
        {"subject": replace(AGENT, login="other")},
        {"subject": replace(AGENT, tenant=2)},
        {"subject": replace(AGENT, tenant="1")},
        {"subject": replace(AGENT, user_id=8)},
        {"subject": replace(AGENT, roles=("support", "more"))},
        {"subject": replace(AGENT, attributes=(("region", "eu"),))},
        {"capability": "other"},
        {"rules_version": "v2"},
        {"settings": (("DateStyle", "ISO, DMY"),)},
        {"reason": "another"},
    ],
)
def test_everything_that_matters_is_bound(changes: dict[str, object]) -> None:
    assert bound() == bound() != bound(**changes)


def test_comments_and_blanks_do_not_count() -> None:
    traced = b"/* traceparent='00-1' */ UPDATE orders\n SET status = $1 WHERE id = $2 -- x"
    assert bound(sql=traced) == bound()
    assert bound(sql=b"SELECT 'a -- b'") != bound(sql=b"SELECT 'a")
    assert bound(sql=b"SELECT 'a'  || 'b'") == bound(sql=b"SELECT 'a' || 'b'")
    assert bound(sql=b"SELECT 'a  b'") != bound(sql=b"SELECT 'a b'")


# Who may decide.


RULES = """
version: 1
profile: dev
capabilities: {refund: {}}
roles: {support: {can: [refund]}, lead: {can: [refund]}}
subjects:
  - {login: agent, tenant: 1, user_id: 7, roles: [support, lead]}
  - {login: twin, tenant: 1, user_id: 7, roles: [lead]}
  - {login: boss, tenant: 1, user_id: 9, roles: [lead]}
  - {login: foreign, tenant: 2, user_id: 9, roles: [lead]}
  - {login: root, roles: [lead]}
  - {login: pool, roles: [lead], assume: signed}
  - {login: peer, tenant: 1, roles: [support]}
"""


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return parse(RULES, "r")


async def entry_under(store: Store, rules: RuleSet) -> Entry:
    return await store.ask(request(rules_version=rules.text_hash))


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ("boss", ""),
        ("root", ""),
        ("nobody", "the rules have no login 'nobody'"),
        ("agent", "agent has asked for it"),
        ("twin", "twin is the same user as agent"),
        ("peer", "peer has none of the roles that may decide: lead"),
        ("foreign", "foreign belongs to another tenant"),
        ("pool", "pool acts for others"),
    ],
)
async def test_who_may_decide(store: Store, rules: RuleSet, login: str, said: str) -> None:
    found = obstacle(await entry_under(store, rules), login, rules)
    assert found.startswith(said) and bool(found) == bool(said)


async def test_under_other_rules_it_must_be_asked_again(store: Store, rules: RuleSet) -> None:
    entry = await store.ask(request(rules_version="0123456789ab"))
    assert "sent again" in obstacle(entry, "boss", rules)


async def test_a_tenant_sees_its_own_requests(store: Store, rules: RuleSet) -> None:
    entry = await entry_under(store, rules)
    logins = ("boss", "root", "foreign", "pool")
    everybody = [rules.subject(login) for login in logins]
    assert [one is not None and sees(entry, one) for one in everybody] == [True, True, False, False]
