"""proxy/introspect.py against real servers: the newest (embedded) and an older installed one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from policies.catalog import Catalog, Relation, Trigger
from policies.other_dialects import INSTEAD
from proxy.definitions import Definitions
from proxy.introspect import CatalogError, bucket, place, read_catalog
from proxy.testing import EmbeddedPostgres

INSTALLED = Path("/usr/lib/postgresql/15/bin")

SCHEMA = """
CREATE TYPE public.tier AS ENUM ('free', 'paid');
CREATE DOMAIN public.short AS text CHECK (length(VALUE) < 10);
CREATE TYPE public.span AS RANGE (subtype = date);
CREATE TYPE public.address AS (street text, zip integer);
CREATE SCHEMA shop;
CREATE TABLE public.orgs (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE shop.users (
    tenant_id bigint NOT NULL REFERENCES public.orgs (id),
    gone      text,
    id        bigint NOT NULL,
    email     varchar(40) UNIQUE,
    level     public.tier,
    tags      text[],
    home      public.address,
    score     numeric(10, 2),
    CONSTRAINT users_key PRIMARY KEY (id, tenant_id),
    CONSTRAINT users_score CHECK (score > 0 OR level = 'free'),
    CONSTRAINT users_row CHECK (users IS NOT NULL)
);
ALTER TABLE shop.users DROP COLUMN gone;
CREATE INDEX users_lower ON shop.users (lower(email)) WHERE level = 'paid';
CREATE INDEX users_score_plain ON shop.users (score);
CREATE VIEW public.paid AS SELECT id, email FROM shop.users WHERE level = 'paid';
CREATE VIEW public.walled WITH (security_barrier) AS SELECT u FROM shop.users u, public.paid;
CREATE MATERIALIZED VIEW public.totals AS SELECT count(*) AS n FROM shop.users;
CREATE TABLE public.events (id bigint, at date) PARTITION BY RANGE (at);
CREATE TABLE public.events_2024 PARTITION OF public.events
    FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE FUNCTION public.by_row(shop.users) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION public.by_default(shop.users, integer DEFAULT 1) RETURNS text
    LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION public.by_any(anyelement) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION public.by_many(VARIADIC shop.users[]) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION public.by_two(shop.users, integer) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION public.by_text(text) RETURNS text LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION public.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT $1 = $2';
CREATE OPERATOR public.=~= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.same);
CREATE EXTENSION citext;
INSERT INTO public.orgs SELECT n, 'org ' || n FROM generate_series(1, 250) n;
ANALYZE public.orgs;
"""


@pytest.fixture(scope="module", params=["embedded", "installed"])
def dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    installed = request.param == "installed"
    if installed and not (INSTALLED / "postgres").exists():
        pytest.skip("PostgreSQL 15 is not installed here")
    with EmbeddedPostgres(binaries=INSTALLED if installed else None) as server:
        yield server.dsn()


@pytest.fixture(scope="module")
def catalog(dsn: str) -> Catalog:
    async def prepare() -> Catalog:
        await _execute(dsn, SCHEMA)
        return await read_catalog(dsn)

    return asyncio.run(prepare())


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(sql)
    await connection.close()


@pytest.fixture
def users(catalog: Catalog) -> Relation:
    found = catalog.find("shop", "users")
    assert found is not None
    return found


def _numbers(relation: Relation, *names: str) -> tuple[int, ...]:
    return tuple(sorted(c.number for c in relation.columns if c.name in names))


async def test_what_the_server_is(catalog: Catalog) -> None:
    assert catalog.server_version // 10000 in (15, 18)
    assert catalog.database == "postgres"
    assert catalog.search_path == ("public",)
    assert catalog.role == "postgres"
    assert catalog.role_is_superuser
    assert {name for _, name in catalog.schemas} == {"public", "shop"}


async def test_equal_databases_give_equal_catalogs(catalog: Catalog, dsn: str) -> None:
    assert await read_catalog(dsn) == catalog


async def test_relations_of_all_kinds_and_system_ones(catalog: Catalog) -> None:
    kinds = {
        (r.schema, r.name): r.kind
        for r in catalog.relations
        if r.schema not in ("pg_catalog", "information_schema")
    }
    assert kinds == {
        ("public", "orgs"): "r",
        ("shop", "users"): "r",
        ("public", "paid"): "v",
        ("public", "walled"): "v",
        ("public", "totals"): "m",
        ("public", "events"): "p",
        ("public", "events_2024"): "r",
    }
    for schema, name in (("pg_catalog", "pg_class"), ("information_schema", "columns")):
        relation = catalog.find(schema, name)
        assert relation is not None
        assert len(relation.columns) > 10
    assert not [r for r in catalog.relations if r.schema.startswith(("pg_toast", "pg_temp"))]


async def test_columns_carry_full_type_names_and_skip_dropped_ones(users: Relation) -> None:
    assert [(c.name, c.type, c.not_null) for c in users.columns] == [
        ("tenant_id", "bigint", True),
        ("id", "bigint", True),
        ("email", "character varying", False),
        ("level", "public.tier", False),
        ("tags", "text[]", False),
        ("home", "public.address", False),
        ("score", "numeric", False),
    ]
    assert [c.number for c in users.columns] == [1, 3, 4, 5, 6, 7, 8]
    email = users.column("email")
    assert email is not None
    assert (email.type_oid, email.typmod) == (1043, 44)


async def test_primary_key_in_key_order(users: Relation, catalog: Catalog) -> None:
    assert users.primary_key == ("id", "tenant_id")
    events = catalog.find("public", "events")
    assert events is not None
    assert events.primary_key == ()


async def test_indexes_name_expression_and_predicate_columns(users: Relation) -> None:
    found = {index.name: index for index in users.indexes}
    assert found["users_key"].columns == _numbers(users, "id", "tenant_id")
    assert found["users_key"].unique
    assert found["users_key"].leading == "id"
    assert all(one.keys[:1] == ((one.leading,) if one.leading else ()) for one in found.values())
    assert found["users_key"].keys == ("id", "tenant_id")
    assert found["users_lower"].columns == _numbers(users, "email", "level")
    assert not found["users_lower"].unique
    assert found["users_lower"].leading == ""
    assert found["users_score_plain"].leading == "score"


async def test_constraints(users: Relation, catalog: Catalog) -> None:
    found = {constraint.name: constraint for constraint in users.constraints}
    assert found["users_score"].kind == "c"
    assert found["users_score"].columns == _numbers(users, "score", "level")
    assert found["users_row"].columns == tuple(c.number for c in users.columns)
    assert found["users_key"].columns == _numbers(users, "id", "tenant_id")
    key = found["users_tenant_id_fkey"]
    orgs = catalog.find("public", "orgs")
    assert orgs is not None
    assert (key.kind, key.columns, key.references, key.referenced) == ("f", (1,), orgs.oid, (1,))
    assert key.referencing == (1,)
    assert found["users_key"].referencing == ()


async def test_a_foreign_key_to_its_own_table(dsn: str) -> None:
    await _execute(
        dsn,
        """
        CREATE SCHEMA selves;
        CREATE TABLE selves.t (a int, b int, up_b int, up_a int, PRIMARY KEY (a, b),
          CONSTRAINT up FOREIGN KEY (up_a, up_b) REFERENCES selves.t (a, b));
        """,
    )
    table = (await read_catalog(dsn)).by_name["selves", "t"]
    (key,) = (constraint for constraint in table.constraints if constraint.name == "up")
    assert (key.columns, key.referencing, key.referenced) == ((1, 2, 3, 4), (4, 3), (1, 2))
    await _execute(dsn, "DROP SCHEMA selves CASCADE")


async def test_user_types_and_what_they_are_made_of(catalog: Catalog, users: Relation) -> None:
    found = {(t.schema, t.name): t for t in catalog.types}
    assert found["public", "tier"].kind == "e"
    assert found["public", "short"].parts == (25,)
    assert 1082 in found["public", "span"].parts
    assert found["public", "span_multirange"].kind == "m"
    assert found["public", "address"].parts == (25, 23)
    assert found["shop", "users"].relation == users.oid
    assert found["public", "_tier"].parts == (found["public", "tier"].oid,)
    assert not [t for t in catalog.types if t.schema in ("pg_catalog", "information_schema")]
    assert {"int4", "text", "regclass", "timestamptz"} <= catalog.builtin_types
    assert "tier" not in catalog.builtin_types


async def test_leakproof_operators_by_type_name(catalog: Catalog) -> None:
    assert ("=", "integer", "bigint") in catalog.leakproof
    assert ("=", "text", "text") in catalog.leakproof
    assert ("<", "timestamp with time zone", "timestamp with time zone") in catalog.leakproof
    assert ("=", "uuid", "uuid") in catalog.leakproof
    assert ("=", "numeric", "numeric") not in catalog.leakproof
    assert ("~~", "text", "text") not in catalog.leakproof
    assert ("=", "public.citext", "public.citext") not in catalog.leakproof


async def test_functions_and_operators_of_users(catalog: Catalog) -> None:
    ours = {name for name in catalog.user_functions if name.startswith("by_")}
    assert ours == {"by_row", "by_default", "by_any", "by_many", "by_two", "by_text"}
    rows = {name for name in catalog.record_functions if name.startswith("by_")}
    assert rows == {"by_row", "by_default", "by_any", "by_many"}
    assert {"pg_typeof", "row_to_json"} <= catalog.record_functions
    assert {"lower", "pg_sleep", "by_text"} <= catalog.functions
    assert catalog.user_operators == {"=~="}


async def test_views_say_what_they_read_and_whether_they_are_barriers(
    catalog: Catalog, users: Relation
) -> None:
    paid, walled = catalog.find("public", "paid"), catalog.find("public", "walled")
    assert paid is not None and walled is not None
    assert paid.open_view and not walled.open_view and not users.open_view
    assert {number for oid, number in paid.reads if oid == users.oid} == set(
        _numbers(users, "id", "email", "level")
    )
    assert (users.oid, 0) in walled.reads and {oid for oid, _ in walled.reads} == {
        users.oid,
        paid.oid,
    }


async def test_sizes_are_rounded_so_traffic_does_not_make_a_new_catalog(catalog: Catalog) -> None:
    orgs = catalog.find("public", "orgs")
    assert orgs is not None
    assert orgs.row_estimate == 100.0
    assert [bucket(n) for n in (-1.0, 0.0, 1.0, 9.0, 10.0, 99_999.0)] == [
        -1.0, 0.0, 1.0, 1.0, 10.0, 10_000.0,
    ]  # fmt: skip


async def test_a_role_without_rights_reads_the_same(catalog: Catalog, dsn: str) -> None:
    await _execute(dsn, "CREATE ROLE plain LOGIN")
    seen = await read_catalog(dsn.replace("postgres@", "plain@"))
    assert (seen.role, seen.role_is_superuser) == ("plain", False)
    assert seen.relations == catalog.relations


async def test_errors_are_one_line_with_the_way_out(dsn: str) -> None:
    cases = {
        f"{dsn}_nowhere": "no such database",
        dsn.replace("postgres@", "nobody:hunter2@"): "refused the login 'nobody'",
        "postgresql://a:hunter2@127.0.0.1:1/x": "cannot connect to the upstream 127.0.0.1:1/x",
        "mysql://a:hunter2@localhost/x": "postgresql://user:password@host:port/database",
    }
    for wrong, expected in cases.items():
        with pytest.raises(CatalogError) as caught:
            await read_catalog(wrong)
        text = str(caught.value)
        assert expected in text
        assert "hunter2" not in text
        assert "\n" not in text


def test_a_place_never_shows_a_password() -> None:
    assert place("postgresql://u:secret@db:6000/shop") == "db:6000/shop"
    assert place("postgresql://u@/shop?host=/tmp/x") == "/tmp/x:5432/shop"
    assert place("postgresql://u@host:notaport/shop") == "the upstream"


async def test_what_postgresql_itself_brings(catalog: Catalog) -> None:
    assert {"lower", "pg_sleep", "pg_read_file"} <= catalog.system_functions
    assert not {name for name in catalog.system_functions if name.startswith("by_")}
    assert "pg_aggregate" not in catalog.builtin_types
    assert "_pg_aggregate" not in catalog.builtin_types
    # a hint for a name PostgreSQL has would never be seen
    assert [name for name in INSTEAD if name in catalog.system_functions] == []


async def test_what_definitions_name(dsn: str) -> None:
    await _execute(
        dsn,
        """
        CREATE SCHEMA named;
        CREATE FUNCTION named.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
        CREATE SEQUENCE named.lone;
        CREATE DOMAIN named.small AS int DEFAULT named.f(1) CHECK (named.f(VALUE) > 0);
        CREATE TABLE named.p (id serial, n int DEFAULT nextval('named.lone'), a text, b text,
          made text GENERATED ALWAYS AS (a || b) STORED, CHECK (named.f(n) > 0))
          PARTITION BY RANGE (n, lower(a));
        CREATE INDEX by_f ON named.p (named.f(n));
        CREATE INDEX by_ci ON named.p ((a::citext));
        """,
    )
    catalog = await read_catalog(dsn)
    definitions = Definitions()
    assert definitions.of("pg_class", 1) == ()
    table = catalog.find("named", "p")
    assert table is not None
    sequences = {s.name: s for s in catalog.sequences if s.schema == "named"}
    assert (sequences["p_id_seq"].relation, sequences["p_id_seq"].number) == (table.oid, 1)
    assert sequences["lone"].relation == 0
    defaults = {default.number: default for default in table.defaults}
    assert defaults[2].needs == (("relation", sequences["lone"].oid, 0),)
    assert set(defaults[5].columns) == {3, 4, 5}
    assert table.partition_columns == (2, 3)
    assert table.partition_needs == ()
    assert [need[0] for c in table.constraints if c.kind == "c" for need in c.needs] == ["function"]
    indexes = {index.name: [need[0] for need in index.needs] for index in table.indexes}
    assert indexes == {"by_f": ["function"], "by_ci": []}
    small = next(t for t in catalog.types if t.name == "small")
    assert [need[0] for need in small.needs] == ["function"]
    assert [need[0] for c in small.constraints for need in c.needs] == ["function"]
    events = catalog.find("public", "events_2024")
    parent = catalog.find("public", "events")
    assert events is not None and parent is not None
    assert events.parents == (parent.oid,)
    await _execute(dsn, "DROP SCHEMA named CASCADE")


async def test_what_a_table_does_when_it_is_written(dsn: str) -> None:
    await _execute(
        dsn,
        """
        CREATE SCHEMA written;
        CREATE TABLE written.t (
          id  int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          num int UNIQUE DEFERRABLE INITIALLY DEFERRED,
          pos int CHECK (pos > 0)
        );
        CREATE UNIQUE INDEX whole ON written.t (pos, num);
        CREATE UNIQUE INDEX part ON written.t (pos) WHERE num > 0;
        CREATE UNIQUE INDEX made ON written.t ((pos + 1));
        CREATE FUNCTION written.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER first BEFORE INSERT ON written.t FOR EACH ROW EXECUTE FUNCTION written.f();
        CREATE TRIGGER later AFTER INSERT ON written.t FOR EACH ROW EXECUTE FUNCTION written.f();
        CREATE TRIGGER once BEFORE INSERT ON written.t EXECUTE FUNCTION written.f();
        CREATE TRIGGER off BEFORE INSERT ON written.t FOR EACH ROW EXECUTE FUNCTION written.f();
        ALTER TABLE written.t DISABLE TRIGGER off;
        CREATE TABLE written.diverted (id int REFERENCES written.t ON UPDATE CASCADE);
        CREATE RULE elsewhere AS ON INSERT TO written.diverted DO ALSO DELETE FROM written.t;
        CREATE VIEW written.seen AS SELECT id FROM written.t;
        """,
    )
    catalog = await read_catalog(dsn)
    table, diverted, view = (catalog.by_name["written", n] for n in ("t", "diverted", "seen"))
    assert {column.name for column in table.columns if column.identity} == {"id"}
    plain = {index.name: index.plain for index in table.indexes}
    assert plain == {
        "t_pkey": True, "t_num_key": False, "whole": True, "part": False, "made": False,
    }  # fmt: skip
    at_once = {one.name: one.at_once for one in table.constraints if one.kind in "cpu"}
    assert at_once == {"t_pkey": True, "t_num_key": False, "t_pos_check": True}
    follows = {one.name: one.follows for one in diverted.constraints if one.kind == "f"}
    assert follows == {"diverted_id_fkey": ("update",)}
    triggers = [Trigger("first", True), Trigger("later", False), Trigger("once", False)]
    assert table.triggers == tuple(triggers)
    assert (table.rewritten, diverted.rewritten, view.rewritten) == (False, True, False)
    assert diverted.triggers == ()  # those of a foreign key are PostgreSQL's own
    if catalog.server_version >= 180000:
        await _execute(dsn, "ALTER TABLE written.t ADD CONSTRAINT no CHECK (pos < 9) NOT ENFORCED")
        table = (await read_catalog(dsn)).by_name["written", "t"]
        assert [one.name for one in table.constraints if not one.at_once] == ["t_num_key", "no"]
    await _execute(dsn, "DROP SCHEMA written CASCADE")
