"""One set of data three times: behind the proxy, as views the subject may see, as plain tables.

Three databases made from one template, so that every type has the same OID in each and a text that
names schemas means the same. `views`: the tables, moved to the schema base and under row-level
security, are seen through security-barrier views. `tables`: what those views show, copied, with
primary keys. Neither is made from policies/; the reference SQL is written by hand or derived anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from proxy.testing import PostgresServer, RunningProxy
from tests.attacks.wire_client import WireClient

LOGIN, PASSWORD = "subject", "oracle"
ROLES = ("oracle_app", "oracle_owner", "oracle_subject")
SECONDS = 10  # a statement that takes longer is not compared

ROLE_SCRIPT = "".join(
    f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n"
    for role in ROLES
)
# UPDATE is what FOR SHARE wants.
READABLE = """
DO $$ DECLARE s text; BEGIN
  FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|base)' LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %%I TO %(role)s; GRANT SELECT, UPDATE ON ALL TABLES'
                   ' IN SCHEMA %%I TO %(role)s', s, s);
  END LOOP; END $$;
"""
# Tables of public go to base, those of another schema x to "base x"; types stay.
MOVE = """
DO $$ DECLARE t regclass; s text; BEGIN
  FOR t, s IN SELECT c.oid, CASE nspname WHEN 'public' THEN 'base' ELSE 'base ' || nspname END
           FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
           WHERE relkind IN ('r', 'p') AND nspname !~ '^(pg_|information_schema)' LOOP
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', s);
    EXECUTE format('ALTER TABLE %s SET SCHEMA %I', t, s);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO oracle_owner', s);
    EXECUTE format('GRANT SELECT, UPDATE ON %s TO oracle_owner', t);
  END LOOP; END $$;
CREATE SCHEMA IF NOT EXISTS base;
CREATE TABLE base.digests (key text, value text, digest text);
CREATE FUNCTION keyed_digest(text, text) RETURNS text STABLE SECURITY DEFINER LANGUAGE sql
AS 'SELECT digest FROM base.digests WHERE key = $1 AND value = $2';
"""
OWNED = """
DO $$ DECLARE v regclass; BEGIN
  FOR v IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
           WHERE relkind = 'v' AND nspname !~ '^(pg_|information_schema)' LOOP
    EXECUTE format('ALTER VIEW %s OWNER TO oracle_owner', v);
  END LOOP; END $$;
"""
_COPY = """
DO $$ DECLARE v regclass; s text; r text; BEGIN
  FOR v, s, r IN SELECT c.oid, nspname, relname FROM pg_class c JOIN pg_namespace n
           ON n.oid = relnamespace
           WHERE relkind = 'v' AND nspname !~ '^(pg_|information_schema)' LOOP
    EXECUTE format('CREATE TABLE %I.%I AS TABLE %I.%I', s, r || ' copied', s, r);
    EXECUTE format('DROP VIEW %I.%I', s, r);
    EXECUTE format('ALTER TABLE %I.%I RENAME TO %I', s, r || ' copied', r);
  END LOOP; END $$;
"""


@dataclass(frozen=True, slots=True)
class Design:
    """One application. `reference`: SQL that makes the views, run after the tables moved to base;
    `keys`: table -> its primary key columns as SQL writes them."""

    name: str
    schema: str
    rows: str
    digests: str
    reference: str
    keys: Mapping[str, str]
    rules: str


@dataclass(frozen=True, slots=True)
class Door:
    """Where and as whom to connect."""

    name: str
    port: int
    user: str
    password: str
    database: str

    def connect(self) -> WireClient:
        """A new connection with the limits every side has."""
        settings = {} if self.password else {"options": f"-c statement_timeout={SECONDS}s"}
        return WireClient.login(
            "127.0.0.1", self.port, self.user, self.password, self.database,
            parameters={"TimeZone": "UTC", **settings}, timeout=3.0 * SECONDS,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class World:
    """The three doors of one application; `owner`: the superuser's to the tables."""

    proxy: Door
    views: Door
    tables: Door
    owner: Door


@contextmanager
def world(server: PostgresServer, design: Design) -> Iterator[World]:
    """Make the three databases of an application and put a proxy before the first."""
    app, views, tables = (f"{design.name}_{kind}" for kind in ("app", "views", "tables"))
    server.create_database(
        app, ROLE_SCRIPT, design.schema, design.rows, READABLE % {"role": "oracle_app"}, "ANALYZE;"
    )
    moved = (MOVE, design.digests, design.reference, OWNED)
    seen = READABLE % {"role": "oracle_subject"}
    server.create_database(views, *moved, seen, template=app)
    keys = "".join(f"ALTER TABLE {t} ADD PRIMARY KEY ({k});\n" for t, k in design.keys.items())
    server.create_database(tables, _COPY, keys, seen, "ANALYZE;", template=views)
    upstream = server.dsn(app, "oracle_app")
    with RunningProxy(rules=design.rules, users={LOGIN: PASSWORD}, upstream=upstream) as proxy:
        port, master = urlsplit(upstream).port or 5432, urlsplit(server.dsn(tables))
        yield World(
            Door("proxy", proxy.port, LOGIN, PASSWORD, app),
            Door("views", port, "oracle_subject", "", views),
            Door("tables", port, "oracle_subject", "", tables),
            Door("owner", port, master.username or "", master.password or "", tables),
        )
