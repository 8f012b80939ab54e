"""One shop database with pgbench's tables, and one proxy before it, for all clients."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from proxy.testing import PostgresServer, RunningProxy
from tests.drivers.market import TENANTS
from tests.drivers.store import DATABASE, RULES, SQL, Door, Tap
from tests.drivers.store import TENANTS as LIBRARIES
from tests.drivers.tracker import Tracker, opened

HERE = Path(__file__).parent
USERS = {"acme": "pass word/1", "bolt": "two"}  # a password that must be quoted in a URL


@pytest.fixture(scope="session")
def shop(postgres: PostgresServer) -> Iterator[RunningProxy]:
    """The proxy before the shop; login acme is tenant 1, bolt is tenant 2."""
    owner = postgres.create_database("shop")
    pgbench = postgres.psql.with_name("pgbench")
    subprocess.run([pgbench, "-i", "-I", "dtgp", "-q", owner], check=True, capture_output=True)
    postgres.execute("shop", "DROP ROLE IF EXISTS shop_app", HERE / "shop.sql")
    rules = (HERE / "rules.yaml").read_text()
    upstream = postgres.dsn("shop", "shop_app")
    with RunningProxy(rules=rules, users=USERS, upstream=upstream) as proxy:
        yield proxy
    postgres.drop_database("shop")
    postgres.execute("postgres", "DROP ROLE shop_app")


@pytest.fixture(scope="session")
def dsn(shop: RunningProxy) -> str:
    """Where tenant 1 connects."""
    return shop.dsn("acme")


@pytest.fixture(scope="session")
def other_dsn(shop: RunningProxy) -> str:
    """Where tenant 2 connects."""
    return shop.dsn("bolt")


@pytest.fixture(scope="session")
def market(postgres: PostgresServer) -> Iterator[tuple[RunningProxy, str]]:
    """The proxy before the market, and where its owner connects."""
    owner = postgres.create_database("market")
    postgres.execute("market", "DROP ROLE IF EXISTS market_app", HERE / "market.sql")
    rules, upstream = (HERE / "market.yaml").read_text(), postgres.dsn("market", "market_app")
    with RunningProxy(
        rules=rules, users={login: login for login in (*TENANTS, "clerk")}, upstream=upstream
    ) as p:
        yield p, owner
    postgres.drop_database("market")
    postgres.execute("postgres", "DROP ROLE market_app")


def plain_environment() -> dict[str, str]:
    """Our environment without libpq's variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


@pytest.fixture(scope="session")
def store(postgres: PostgresServer) -> Iterator[dict[str, Door]]:
    """The library for ORMs: doors of both tenants through the proxy, one straight ("direct")."""
    postgres.execute("postgres", "DROP ROLE IF EXISTS store_app")
    owner = postgres.create_database(DATABASE, SQL)
    upstream = postgres.dsn(DATABASE, "store_app")
    users = {tenant: f"{tenant}-password" for tenant in LIBRARIES}
    with RunningProxy(rules=RULES, users=users, upstream=upstream) as proxy:
        taps = {tenant: Tap(proxy.port) for tenant in LIBRARIES}
        doors = {
            tenant: Door(tenant, tenant, users[tenant], tap.port, tap.received)
            for tenant, tap in taps.items()
        }
        straight = urlsplit(owner)
        assert straight.port is not None and straight.username is not None
        doors["direct"] = Door("direct", straight.username, "", straight.port, bytearray())
        yield doors
        for tap in taps.values():
            tap.close()
        for tenant in LIBRARIES:
            assert doors[tenant].leaked() == []
    postgres.drop_database(DATABASE)
    postgres.execute("postgres", "DROP ROLE store_app")


@pytest.fixture(scope="session")
def tracker(postgres: PostgresServer) -> Iterator[Tracker]:
    """What applications write to, behind the proxy and straight."""
    with opened(postgres) as both:
        yield both
