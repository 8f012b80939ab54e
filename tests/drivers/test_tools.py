"""What database tools ask the catalogs: pgAdmin, DBeaver, DataGrip, JDBC, BI tools, psql.

Statements in their manner. Each must work and name nothing hidden.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from proxy.testing import PostgresServer
from tests.drivers.conftest import plain_environment
from tests.drivers.store import FOREIGN, Door

PGADMIN = [
    "SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() "
    "WHERE name = 'bytea_output'",
    "SELECT db.oid AS did, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) AS enc, "
    "has_database_privilege(db.oid, 'CREATE') AS cancreate, datistemplate "
    "FROM pg_catalog.pg_database db WHERE db.datname = current_database()",
    "SELECT roles.oid AS id, roles.rolname AS name, roles.rolsuper, roles.rolcreatedb "
    "FROM pg_catalog.pg_roles AS roles WHERE rolname = current_user",
    "SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi "
    "WHERE pid = pg_backend_pid()",
    "SELECT CASE WHEN usesuper THEN pg_catalog.pg_is_in_recovery() ELSE false END AS inrecovery "
    "FROM pg_catalog.pg_user WHERE usename = current_user",
    "SELECT nsp.oid, nsp.nspname AS name, has_schema_privilege(nsp.oid, 'CREATE') AS can_create, "
    "has_schema_privilege(nsp.oid, 'USAGE') AS has_usage, des.description "
    "FROM pg_catalog.pg_namespace nsp LEFT JOIN pg_catalog.pg_description des ON "
    "(des.objoid = nsp.oid AND des.classoid = 'pg_namespace'::regclass) "
    "WHERE nspname NOT LIKE 'pg\\_%' ORDER BY nspname",
    "SELECT rel.oid, rel.relname AS name, (SELECT count(*) FROM pg_catalog.pg_trigger "
    "WHERE tgrelid = rel.oid AND tgisinternal = false) AS triggercount, "
    "pg_get_userbyid(rel.relowner) AS owner, rel.relispartition "
    "FROM pg_catalog.pg_class rel WHERE rel.relkind IN ('r', 's', 't', 'p') "
    "AND rel.relnamespace = 'public'::regnamespace ORDER BY rel.relname",
    "SELECT att.attname AS name, att.attnum, att.attndims, format_type(ty.oid, att.atttypmod) AS "
    "cltype, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS defval, des.description, "
    "pg_catalog.col_description(att.attrelid, att.attnum), ty.typstorage AS defaultstorage "
    "FROM pg_catalog.pg_attribute att JOIN pg_catalog.pg_type ty ON ty.oid = atttypid "
    "LEFT OUTER JOIN pg_catalog.pg_attrdef def ON adrelid = att.attrelid AND adnum = att.attnum "
    "LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid = att.attrelid AND "
    "des.objsubid = att.attnum AND des.classoid = 'pg_class'::regclass) "
    "WHERE att.attrelid = 'books'::regclass AND att.attnum > 0 AND NOT att.attisdropped",
    "SELECT DISTINCT ON (cls.relname) cls.oid, cls.relname AS name, indrelid, indkey, "
    "indisclustered, indisunique, indisprimary, n.nspname, tab.relname AS tabname, "
    "con.contype, des.description, pg_catalog.pg_get_expr(indpred, indrelid, true) AS expr "
    "FROM pg_catalog.pg_index idx JOIN pg_catalog.pg_class cls ON cls.oid = indexrelid "
    "JOIN pg_catalog.pg_class tab ON tab.oid = indrelid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = tab.relnamespace "
    "LEFT JOIN pg_catalog.pg_depend dep ON (dep.classid = cls.tableoid AND dep.objid = cls.oid) "
    "LEFT JOIN pg_catalog.pg_constraint con ON (con.tableoid = dep.refclassid AND "
    "con.oid = dep.refobjid) LEFT JOIN pg_catalog.pg_description des ON des.objoid = cls.oid "
    "WHERE indrelid = 'books'::regclass ORDER BY cls.relname",
    "SELECT pid, datname, usename, application_name, client_addr, backend_start, state, query "
    "FROM pg_catalog.pg_stat_activity WHERE datname = current_database()",
]
DBEAVER = [
    "SELECT current_schema(), session_user",
    "SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datname = current_database()",
    "SELECT * FROM pg_catalog.pg_settings WHERE name = 'standard_conforming_strings'",
    "SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN "
    "pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 "
    "AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname",
    "SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base "
    "FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem "
    "LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid WHERE t.typname IS NOT NULL",
    "SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS part, "
    "pg_catalog.pg_get_partkeydef(c.oid) AS key FROM pg_catalog.pg_class c "
    "LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 "
    "AND d.classoid = 'pg_class'::regclass WHERE c.relkind NOT IN ('i', 'I', 'c')",
    "SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, "
    "dsc.description, dep.objid FROM pg_catalog.pg_attribute a "
    "INNER JOIN pg_catalog.pg_class c ON a.attrelid = c.oid "
    "LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum) "
    "LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND "
    "a.attnum = dsc.objsubid) LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid "
    "AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid "
    "WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c') ORDER BY a.attnum",
    "SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description "
    "FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid "
    "LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid "
    "LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0",
    "SELECT i.*, i.indkey AS keys, c.relname, tc.relname AS tab, "
    "pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr, "
    "pg_catalog.pg_relation_size(i.indexrelid) AS size, pg_stat_get_numscans(i.indexrelid) "
    "FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
    "INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid",
    "SELECT p.oid, p.*, pg_catalog.pg_get_expr(p.proargdefaults, 0), l.lanname "
    "FROM pg_catalog.pg_proc p LEFT OUTER JOIN pg_catalog.pg_language l ON l.oid = p.prolang "
    "WHERE p.pronamespace = 'public'::regnamespace",
    "SELECT * FROM pg_catalog.pg_stat_user_tables",
    "SELECT * FROM pg_catalog.pg_sequences",
]
DATAGRIP = [
    "SELECT n.oid::bigint AS id, n.xmin AS state_number, nspname AS name, d.description, "
    "pg_catalog.pg_get_userbyid(n.nspowner) AS owner FROM pg_catalog.pg_namespace n "
    "LEFT JOIN pg_catalog.pg_description d ON n.oid = d.objoid "
    "ORDER BY CASE WHEN nspname = pg_catalog.current_schema() THEN -1::bigint "
    "ELSE n.oid::bigint END",
    "SELECT t.relkind AS kind, t.relname, t.oid, t.xmin AS state, age(t.xmin) AS a "
    "FROM pg_catalog.pg_class t WHERE relnamespace = 'public'::regnamespace",
    "SELECT c.oid::bigint AS con_id, c.xmin, conname, contype, conkey, confrelid, "
    "pg_catalog.pg_get_expr(c.conbin, c.conrelid) AS expr FROM pg_catalog.pg_constraint c",
    "SELECT a.oid AS access_method_id, a.xmin AS state_number, a.amname FROM pg_catalog.pg_am a",
]
JDBC = [
    "SELECT NULL AS table_cat, n.nspname AS table_schem, ct.relname AS table_name, "
    "a.attname AS column_name, (information_schema._pg_expandarray(i.indkey)).n AS key_seq, "
    "ci.relname AS pk_name, information_schema._pg_expandarray(i.indkey) AS keys, a.attnum AS num "
    "FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON ct.oid = a.attrelid "
    "JOIN pg_catalog.pg_namespace n ON ct.relnamespace = n.oid "
    "JOIN pg_catalog.pg_index i ON a.attrelid = i.indrelid "
    "JOIN pg_catalog.pg_class ci ON ci.oid = i.indexrelid WHERE ct.relname = 'books'",
    "SELECT result.column_name FROM (SELECT a.attname AS column_name, a.attnum AS num, "
    "information_schema._pg_expandarray(i.indkey) AS keys FROM pg_catalog.pg_attribute a "
    "JOIN pg_catalog.pg_index i ON a.attrelid = i.indrelid WHERE i.indisprimary) result "
    "WHERE result.num = (result.keys).x",
    "SELECT pkn.nspname, pkc.relname, pka.attname, fkc.relname, fka.attname, pos.n, con.conname "
    "FROM pg_catalog.pg_namespace pkn, pg_catalog.pg_class pkc, pg_catalog.pg_attribute pka, "
    "pg_catalog.pg_class fkc, pg_catalog.pg_attribute fka, pg_catalog.pg_constraint con, "
    "pg_catalog.generate_series(1, 32) pos(n) WHERE pkn.oid = pkc.relnamespace "
    "AND pkc.oid = pka.attrelid AND pka.attnum = con.confkey[pos.n] AND con.confrelid = pkc.oid "
    "AND fkc.oid = fka.attrelid AND fka.attnum = con.conkey[pos.n] AND con.conrelid = fkc.oid "
    "AND con.contype = 'f' ORDER BY con.conname, pos.n",
    "SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords() WHERE word <> ALL ('{a,abs}')",
    "SELECT typinput = 'pg_catalog.array_in'::regproc AS is_array, typtype, typname, pg_type.oid "
    "FROM pg_catalog.pg_type LEFT JOIN (SELECT ns.oid AS nspoid, ns.nspname, r.r FROM "
    "pg_namespace AS ns JOIN (SELECT s.r, (current_schemas(false))[s.r] AS nspname "
    "FROM generate_series(1, array_upper(current_schemas(false), 1)) AS s(r)) AS r "
    "USING (nspname)) AS sp ON sp.nspoid = typnamespace WHERE typname = 'genre' ORDER BY sp.r",
]
BI = [
    "WITH table_privileges AS (SELECT NULL AS role, t.schemaname AS schema, t.objectname AS table, "
    "pg_catalog.has_any_column_privilege(current_user, '\"' || replace(t.schemaname, '\"', '\"\"') "
    "|| '\".\"' || replace(t.objectname, '\"', '\"\"') || '\"', 'select') AS \"select\", "
    "pg_catalog.has_table_privilege(current_user, '\"' || t.schemaname || '\".\"' || t.objectname "
    "|| '\"', 'delete') AS \"delete\" FROM (SELECT schemaname, tablename AS objectname "
    "FROM pg_catalog.pg_tables UNION SELECT schemaname, viewname FROM pg_catalog.pg_views) t "
    "WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'information_schema' "
    "AND pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage')) "
    'SELECT t.* FROM table_privileges t WHERE "select"',
    "SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default, "
    "udt_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2, 3",
    "SELECT tc.constraint_name, kcu.column_name, ccu.table_name AS foreign_table, "
    "ccu.column_name AS foreign_column, rc.delete_rule FROM "
    "information_schema.table_constraints tc "
    "JOIN information_schema.key_column_usage kcu ON tc.constraint_name = kcu.constraint_name "
    "JOIN information_schema.constraint_column_usage ccu "
    "ON ccu.constraint_name = tc.constraint_name "
    "JOIN information_schema.referential_constraints rc "
    "ON rc.constraint_name = tc.constraint_name WHERE tc.constraint_type = 'FOREIGN KEY'",
    *(
        f"SELECT * FROM information_schema.{view}"
        for view in (
            "routines parameters role_table_grants table_privileges column_privileges sequences "
            "triggers domains element_types check_constraints constraint_table_usage "
            "view_column_usage enabled_roles applicable_roles character_sets schemata views"
        ).split()
    ),
]
TOOLS = {"pgAdmin": PGADMIN, "DBeaver": DBEAVER, "DataGrip": DATAGRIP, "JDBC": JDBC, "BI": BI}
CASES = [(name, number) for name, texts in TOOLS.items() for number in range(len(texts))]
HIDDEN = re.compile(r"DENIED|denied|\bssn\b|\bcost\b(?!,)|books_cost|books_denied")


@pytest.fixture(scope="module")
def connection(store: dict[str, Door]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(store["acme"].dsn(), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(("tool", "number"), CASES, ids=[f"{n}-{i}" for n, i in CASES])
def test_a_tool_finds_its_way(connection: psycopg.Connection[Any], tool: str, number: int) -> None:
    rows = connection.execute(TOOLS[tool][number].encode()).fetchall()
    if tool not in ("BI",) and number < 9:
        assert rows
    seen = str([row for row in rows if "pg_catalog" not in row])
    assert HIDDEN.findall(seen) == []


PSQL = r"""
\d \d+ \dt+ \di+ \dv+ \dm+ \ds+ \dS \df \da \dn+ \du+ \dg \dp \z \dT+ \dC \dx+ \l+ \dRp \dRs \dA+
\dAc \dAf \dAo \db+ \dc \dd \dD+ \ddp \dE \des \deu \dew \det \dF+ \dFd \dFp+ \dFt \dL+ \do \dO+
\dP+ \drds \drg \dX \dy \dconfig \lo_list \conninfo
""".split()
PSQL += [
    r"\d books", r"\d+ books", r"\d+ loans", r"\d books_id_seq", r"\d books_pkey", r"\dp books",
    r"\d+ books_published", r"\df+ lower", r"\dTS int4", r"\dd books", r"\dconfig *timeout*",
]  # fmt: skip


def test_psql_describes_all_there_is(store: dict[str, Door], postgres: PostgresServer) -> None:
    words = [word for command in PSQL for word in ("-c", f"\\echo {command[1:]}", "-c", command)]
    done = subprocess.run(
        [postgres.psql, "-X", store["acme"].dsn(), *words],
        env=plain_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if "Did not find any" not in line]
    assert complaints == []
    lines = [line for line in done.stdout.splitlines() if "pg_catalog" not in line]
    assert [line for line in lines if HIDDEN.search(line)] == []
    for shown in ("books_published", "books_id_seq", "REFERENCES authors(id)", "store_app"):
        assert shown in done.stdout
    for foreign in FOREIGN["acme"]:
        assert foreign.decode() not in done.stdout
