"""What exists upstream: asyncpg reads the system catalogs into one frozen Catalog.

It must not know rules, clients or decisions. Equal databases give equal Catalogs: every list is
ordered, and sizes are rounded so that ordinary traffic does not make a "new" catalog.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from policies.catalog import Catalog, Column, Constraint, Index, Relation, Routine, UserType
from proxy.definitions import Definitions, read_definitions

OLDEST_SERVER = 140000  # multiranges and pg_type.typsubscript; older ones lack columns read here
CONNECT_SECONDS = 10.0
STATEMENT_SECONDS = 30.0

# Run before search_path is emptied: it is the only answer that depends on it.
_ABOUT = """
SELECT pg_catalog.current_setting('server_version_num')::int4 AS server_version,
       pg_catalog.current_database()::text AS database,
       pg_catalog.current_schemas(false)::text[] AS search_path,
       current_user::text AS role,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser
"""

# With an empty search_path pg_catalog alone is searched and format_type() qualifies user types.
_EMPTY_PATH = "SELECT pg_catalog.set_config('search_path', '', true)"

# pg_toast, pg_temp_n and pg_toast_temp_n hold nothing a statement may name.
_NO_TEMP = r"n.nspname !~ '^pg_(toast|temp_|toast_temp_)'"
_USER = _NO_TEMP + " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"

_SCHEMAS = f"SELECT n.oid, n.nspname::text AS name FROM pg_namespace n WHERE {_USER} ORDER BY n.oid"

_RELATIONS = f"""
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
       c.reltuples::float8 AS reltuples,
       coalesce((SELECT bool_or(o.option_value::bool) FROM pg_options_to_table(c.reloptions) o
                  WHERE o.option_name = 'security_barrier'), false) AS barrier
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_NO_TEMP}
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
"""

# What a view's rule depends on; its own columns aside.
_VIEWS = """
SELECT r.ev_class AS relation, array_agg(DISTINCT d.refobjid::int8 << 16 | d.refobjsubid) AS reads
  FROM pg_rewrite r
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
 WHERE r.ev_class >= 16384
 GROUP BY 1
"""

_COLUMNS = """
SELECT a.attrelid AS relation, a.attname::text AS name, a.attnum::int4 AS number,
       format_type(a.atttypid, NULL) AS type, a.atttypid AS type_oid,
       a.attnotnull AS not_null, a.atttypmod AS typmod,
       a.attgenerated <> '' AS generated, a.attidentity <> '' AS identity
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 WHERE a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
"""

# Plain key columns hang on the constraint and not on its index, so indkey is read beside
# pg_depend. A whole-row reference (varattno 0) has no column in pg_depend: it means all of them.
_INDEXES = """
SELECT i.indrelid AS relation, i.indexrelid AS oid, c.relname::text AS name,
       i.indisunique AS is_unique, i.indkey::int2[]::int4[] AS keys,
       i.indnkeyatts::int4 AS width,
       i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AS plain,
       ARRAY(SELECT DISTINCT d.refobjsubid FROM pg_depend d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
                AND d.refobjsubid > 0) AS depends,
       coalesce(i.indexprs::text LIKE '%:varattno 0 %', false)
         OR coalesce(i.indpred::text LIKE '%:varattno 0 %', false) AS whole_row,
       coalesce((SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                    AND a.attnum <> 0), '') AS leading
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 ORDER BY i.indrelid, i.indexrelid
"""

_CONSTRAINTS = """
SELECT k.conrelid AS relation, k.oid, k.conname::text AS name, k.contype::text AS kind,
       coalesce(k.conkey, '{}')::int4[] AS keys, k.confrelid AS target,
       coalesce(k.confkey, '{}')::int4[] AS target_keys,
       CASE WHEN k.contype IN ('p', 'u', 'x') THEN k.conindid ELSE 0 END AS index,
       coalesce(k.conbin::text LIKE '%:varattno 0 %', false) AS whole_row,
       NOT k.condeferred AND coalesce((to_jsonb(k)->>'conenforced')::bool, true) AS at_once,
       k.confdeltype IN ('c', 'n', 'd') AS on_delete, k.confupdtype IN ('c', 'n', 'd') AS on_update,
       ARRAY(SELECT DISTINCT d.refobjsubid FROM pg_depend d
              WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = k.conrelid
                AND d.refobjsubid > 0) AS depends
  FROM pg_constraint k
 WHERE k.conrelid <> 0
 ORDER BY k.conrelid, k.oid
"""

_TYPES = f"""
SELECT t.oid, n.nspname::text AS schema, t.typname::text AS name, t.typtype::text AS kind,
       t.typrelid AS relation,
       array_remove(
         ARRAY[t.typbasetype, t.typelem, coalesce(r.rngsubtype, 0), coalesce(m.rngtypid, 0)]::oid[]
         || ARRAY(SELECT a.atttypid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                   WHERE a.attrelid = t.typrelid AND c.relkind = 'c'
                     AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
         0::oid) AS parts
  FROM pg_type t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_range r ON r.rngtypid = t.oid
  LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
 WHERE {_USER}
 ORDER BY t.oid
"""

# Row types of system catalogs are left out: '(16500,...)'::pg_aggregate prints a function's name.
_BUILTIN_TYPES = """
SELECT t.typname::text AS name FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem
 WHERE t.typnamespace = 'pg_catalog'::regnamespace
   AND t.typtype <> 'c' AND e.typtype IS DISTINCT FROM 'c'
"""

# bool_and: when two operators share name and operand types, all of them must be leakproof, since
# a statement's own search_path picks between them.
_LEAKPROOF = """
SELECT o.oprname::text AS name,
       CASE WHEN o.oprleft = 0 THEN '' ELSE format_type(o.oprleft, NULL) END AS lhs,
       CASE WHEN o.oprright = 0 THEN '' ELSE format_type(o.oprright, NULL) END AS rhs
  FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
 GROUP BY 1, 2, 3
HAVING bool_and(p.proleakproof)
"""

# `row.name` calls a function of one argument (defaults counted) that takes the row: its own type,
# a domain over it, any pseudo-type, or a type the row is implicitly cast to. The element of a
# leading VARIADIC counts too.
_FUNCTIONS = f"""
WITH rows AS (
  SELECT t.oid FROM pg_type t WHERE t.typtype = 'c'
), takes_row AS (
  SELECT oid FROM rows
  UNION SELECT t.oid FROM pg_type t
         WHERE t.typtype = 'd' AND t.typbasetype IN (SELECT oid FROM rows)
  UNION SELECT t.oid FROM pg_type t
         WHERE t.typtype = 'p' AND (t.typname = 'record' OR t.typname LIKE 'any%')
  UNION SELECT k.casttarget FROM pg_cast k
         WHERE k.castcontext = 'i' AND k.castsource IN (SELECT oid FROM rows)
)
SELECT p.proname::text AS name,
       bool_or(p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1
               AND (p.proargtypes[0] IN (SELECT oid FROM takes_row)
                    OR (p.pronargs = 1 AND p.provariadic IN (SELECT oid FROM takes_row)))
       ) AS takes_row,
       bool_or(n.nspname = 'pg_catalog' AND p.oid < 16384) AS system,
       bool_or(NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                              AND d.objid = p.oid AND d.deptype = 'e')
               AND {_USER}) AS own
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 GROUP BY 1
"""

# A domain counts as what it is made of. The arguments a function gives back are the columns it has
# in FROM, else those of its row type.
_ROUTINES = f"""
SELECT p.oid, n.nspname::text AS schema, p.proname::text AS name, p.prokind::text AS kind,
       p.provolatile::text AS volatility, p.prosecdef AS definer, l.lanname::text AS language,
       l.lanname = 'sql' AND p.proretset AND NOT p.prosecdef AND p.proconfig IS NULL AS inlined,
       ARRAY(SELECT format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL)
               FROM pg_type t
              WHERE t.oid = ANY (coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype)
                 OR t.oid IN (SELECT a.atttypid FROM pg_attribute a JOIN pg_type c
                                  ON c.typrelid = a.attrelid
                               WHERE c.oid = p.prorettype AND a.attnum > 0 AND NOT a.attisdropped)
              ORDER BY t.oid) AS types,
       CASE WHEN p.proargmodes && '{{o,b,t}}'
            THEN ARRAY(SELECT x.name FROM unnest(p.proargnames, p.proargmodes) x(name, mode)
                        WHERE x.mode IN ('o', 'b', 't') AND x.name <> '')
            ELSE ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_type c
                           ON c.typrelid = a.attrelid
                        WHERE c.oid = p.prorettype AND a.attnum > 0 AND NOT a.attisdropped
                        ORDER BY a.attnum)
       END AS columns
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
 WHERE {_USER}
 ORDER BY p.oid
"""

_OPERATORS = """
SELECT DISTINCT o.oprname::text AS name
  FROM pg_operator o
 WHERE o.oprnamespace <> 'pg_catalog'::regnamespace
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_operator'::regclass AND d.objid = o.oid
                      AND d.deptype = 'e')
"""


class CatalogError(Exception):
    """The catalog could not be read; the text is one line with the way out, never a password."""


async def read_catalog(dsn: str) -> Catalog:
    """The catalog of the database behind `dsn`, as its role sees it at one moment.

    One connection, one REPEATABLE READ READ ONLY transaction. Raises CatalogError.
    """
    try:
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS * 2,
            server_settings={
                "application_name": "querywarden catalog",
                "statement_timeout": str(int(STATEMENT_SECONDS * 1000)),
            },
        )
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as e:
        raise CatalogError(_explain(dsn, e)) from None
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await _read(connection)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CatalogError(_explain(dsn, error)) from None
    finally:
        # terminate() and not close(): nothing is pending, and a dead server must not hold us up
        connection.terminate()


async def _read(connection: asyncpg.Connection) -> Catalog:
    about = await connection.fetchrow(_ABOUT)
    if about["server_version"] < OLDEST_SERVER:
        raise CatalogError(
            f"the upstream is PostgreSQL {about['server_version'] // 10000}; 14 or newer is needed"
        )
    await connection.execute(_EMPTY_PATH)
    functions = await connection.fetch(_FUNCTIONS)
    definitions = await read_definitions(connection)
    return Catalog(
        server_version=about["server_version"],
        database=about["database"],
        search_path=tuple(name for name in about["search_path"] if name != "pg_catalog"),
        relations=await _relations(connection, definitions),
        types=tuple(
            UserType(
                oid=row["oid"],
                schema=row["schema"],
                name=row["name"],
                kind=row["kind"],
                relation=row["relation"],
                parts=tuple(row["parts"]),
                needs=definitions.of("pg_type", row["oid"]) if row["kind"] == "d" else (),
                constraints=tuple(definitions.domains[row["oid"]]),
            )
            for row in await connection.fetch(_TYPES)
        ),
        builtin_types=_names(await connection.fetch(_BUILTIN_TYPES)),
        leakproof=frozenset(
            (row["name"], row["lhs"], row["rhs"]) for row in await connection.fetch(_LEAKPROOF)
        ),
        functions=_names(functions),
        user_functions=_names(row for row in functions if row["own"]),
        routines=tuple(
            Routine(**{**row, "types": tuple(row["types"]), "columns": tuple(row["columns"])})
            for row in await connection.fetch(_ROUTINES)
        ),
        record_functions=_names(row for row in functions if row["takes_row"]),
        system_functions=_names(row for row in functions if row["system"]),
        user_operators=_names(await connection.fetch(_OPERATORS)),
        role=about["role"],
        role_is_superuser=about["superuser"],
        schemas=tuple((row["oid"], row["name"]) for row in await connection.fetch(_SCHEMAS)),
        sequences=definitions.sequences,
    )


def _names(rows: Iterable[asyncpg.Record]) -> frozenset[str]:
    return frozenset(row["name"] for row in rows)


async def _relations(
    connection: asyncpg.Connection, definitions: Definitions
) -> tuple[Relation, ...]:
    columns: dict[int, list[Column]] = defaultdict(list)
    for row in await connection.fetch(_COLUMNS):
        columns[row["relation"]].append(
            Column(
                name=row["name"],
                number=row["number"],
                type=row["type"],
                type_oid=row["type_oid"],
                not_null=row["not_null"],
                typmod=row["typmod"],
                generated=row["generated"],
                identity=row["identity"],
            )
        )
    indexes: dict[int, list[Index]] = defaultdict(list)
    index_columns: dict[int, tuple[int, ...]] = {}
    for row in await connection.fetch(_INDEXES):
        used = _used(row, columns[row["relation"]], ())
        index_columns[row["oid"]] = used
        indexes[row["relation"]].append(
            Index(
                oid=row["oid"],
                name=row["name"],
                columns=used,
                unique=row["is_unique"],
                leading=row["leading"],
                keys=_key_names(row, columns[row["relation"]]),
                needs=definitions.of("pg_class", row["oid"], row["relation"]),
                plain=row["plain"],
            )
        )
    constraints: dict[int, list[Constraint]] = defaultdict(list)
    keys: dict[int, tuple[str, ...]] = {}
    for row in await connection.fetch(_CONSTRAINTS):
        own = columns[row["relation"]]
        if row["kind"] == "p":
            by_number = {column.number: column.name for column in own}
            keys[row["relation"]] = tuple(by_number[number] for number in row["keys"])
        constraints[row["relation"]].append(
            Constraint(
                oid=row["oid"],
                name=row["name"],
                kind=row["kind"],
                columns=_used(row, own, index_columns.get(row["index"], ())),
                references=row["target"],
                referenced=tuple(row["target_keys"]),
                referencing=tuple(row["keys"]) if row["kind"] == "f" else (),
                needs=tuple(
                    one
                    for one in definitions.of("pg_constraint", row["oid"], row["relation"])
                    if one[:2] != ("relation", row["target"])
                ),
                at_once=row["at_once"],
                follows=tuple(verb for verb in ("delete", "update") if row[f"on_{verb}"]),
            )
        )
    reads = {
        row["relation"]: tuple((packed >> 16, packed & 0xFFFF) for packed in sorted(row["reads"]))
        for row in await connection.fetch(_VIEWS)
    }
    return tuple(
        Relation(
            oid=row["oid"],
            schema=row["schema"],
            name=row["name"],
            kind=row["kind"],
            columns=tuple(columns[row["oid"]]),
            primary_key=keys.get(row["oid"], ()),
            row_estimate=bucket(row["reltuples"]),
            indexes=tuple(indexes[row["oid"]]),
            constraints=tuple(constraints[row["oid"]]),
            barrier=row["barrier"],
            triggers=tuple(definitions.triggers[row["oid"]]),
            rewritten=row["oid"] in definitions.rewritten,
            reads=reads.get(row["oid"], ()),
            defaults=tuple(definitions.defaults[row["oid"]]),
            parents=tuple(definitions.parents[row["oid"]]),
            partition_columns=definitions.partition_columns(row["oid"]),
            partition_needs=definitions.partition_needs(row["oid"]),
        )
        for row in await connection.fetch(_RELATIONS)
    )


def _key_names(row: asyncpg.Record, own: Sequence[Column]) -> tuple[str, ...]:
    """Names of an index's key columns up to the first expression, whose attnum is 0."""
    names = {column.number: column.name for column in own}
    plain = takewhile(lambda number: number in names, row["keys"][: row["width"]])
    return tuple(names[number] for number in plain)


def _used(
    row: asyncpg.Record, own: Sequence[Column], through_index: tuple[int, ...]
) -> tuple[int, ...]:
    """Attnums an index or constraint depends on, ascending; all of them for a whole row."""
    if row["whole_row"]:
        return tuple(column.number for column in own)
    used = {*row["keys"], *row["depends"], *through_index}
    return tuple(sorted(number for number in used if number > 0))


def bucket(rows: float) -> float:
    """`reltuples` rounded down to a power of ten; -1 (never analysed) and 0 stay."""
    if rows < 1:
        return rows if rows in (-1.0, 0.0) else 0.0
    return float(10 ** math.floor(math.log10(rows)))


def place(dsn: str) -> str:
    """`host:port/database` of a DSN for messages: never the password."""
    try:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        host = parts.hostname or query.get("host", ["localhost"])[0]
        port = parts.port or query.get("port", ["5432"])[0]
    except ValueError:
        return "the upstream"
    return f"{host}:{port}/{unquote(parts.path.lstrip('/'))}"


def _explain(dsn: str, error: Exception) -> str:
    """One line: what went wrong and what to do about it."""
    where = place(dsn)
    user = unquote(urlsplit(dsn).username or "") if where != "the upstream" else ""
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return (
                f"the upstream {where} refused the login {user!r}: "
                "check user and password in --upstream, and its pg_hba.conf"
            )
        case asyncpg.InvalidCatalogNameError():
            return f"the upstream has no such database ({where}): create it or correct --upstream"
        case asyncpg.QueryCanceledError() | TimeoutError():
            return f"the upstream {where} did not answer in time: is it reachable and healthy?"
        case OSError():
            return (
                f"cannot connect to the upstream {where} ({_reason(error)}): "
                "is it running, and is --upstream right?"
            )
        case ValueError() | asyncpg.InterfaceError():
            return (
                "the upstream address is not a PostgreSQL URL: "
                "write postgresql://user:password@host:port/database"
            )
        case _:
            return f"the upstream {where} answered with an error: {_reason(error)}"


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
