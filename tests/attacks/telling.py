"""A database whose leaky operators and functions tell: each raises a notice with its arguments.

Every kind of scope has a table of its own, with the same columns. Rows the subject may not see come
first and are recognisable in any notice: their texts begin with F, their numbers are 1000 or more.
PostgreSQL may run a cheap condition before an expensive one, so each of these costs nothing and
calls itself immutable: whatever the planner may do with a leaky condition, it will.
"""

from __future__ import annotations

import re

HIDDEN, VISIBLE = 240, 12  # rows of a table
SHARED = "kinds"  # a table without scopes

RULES = """
version: 1
profile: dev
entities:
  docs: {tenant: tenant_id, columns: {mail: {mask: {first: 2}}}}
  tasks: {tenant: tenant_id, owner: {column: owner_id, equals: subject.user_id}}
  notes: {tenant: tenant_id, soft_delete: gone}
  bills: {tenant: tenant_id, rows: "status <> 'Fdraft'"}
  deals: {tenant: tenant_id, rows: "amount > 0"}
  items: {shared: true, owner: {column: owner_id, equals: subject.user_id}}
  feeds: {shared: true, rows: "status = 'open'"}
  kinds: {shared: true}
capabilities:
  read: {select: [docs, tasks, notes, bills, deals, items, feeds, kinds]}
roles:
  reader: {can: [read], budget: {rows: 10000}}
subjects:
  - {login: own, tenant: 1, user_id: 1, roles: [reader]}
"""

_COLUMNS = "[id, status, amount, label, mail, info, kind, day, tags, ref]"
_TABLES = ("docs", "tasks", "notes", "bills", "deals", "items", "feeds", "kinds")
_WRITES = "\n".join(
    f"    {verb}: {{"
    + ", ".join(f"{table}: {{{columns}{key}rows: 1000}}" for table in _TABLES)
    + "}"
    for verb, columns, key in (
        ("insert", f"columns: {_COLUMNS}, ", ""),
        ("update", f"columns: {_COLUMNS.replace('id, ', '')}, ", "key: false, "),
        ("delete", "", "key: false, "),
    )
)
# The same for a login that may write all it sees. Keys are of all tenants together here, which
# nobody should permit: it is what makes an INSERT meet hidden rows.
WRITING_RULES = RULES.replace(
    "\nroles:\n", f"\n  write:\n    reason: optional\n    merge: true\n{_WRITES}\nroles:\n"
).replace("can: [read]", "can: [read, write]")

# table -> what hides every second of its hidden rows (tenant_id, owner_id, gone, status, amount);
# another tenant hides the others, where tenants matter.
_OTHER_TENANT = "2, 1, NULL, 'open', 1000 + g"
SCOPED = {
    "docs": _OTHER_TENANT,
    "tasks": "1, 9, NULL, 'open', 1000 + g",
    "notes": "1, 1, timestamptz '7000-01-01', 'open', 1000 + g",
    "bills": "1, 1, NULL, 'Fdraft', 1000 + g",
    # The rule itself must look at the amount of each of the tenant's rows: -5 is no secret.
    "deals": "1, 1, NULL, 'open', -5",
    "items": "1, 9, NULL, 'open', 1000 + g",
    "feeds": "1, 1, NULL, 'Fdraft', 1000 + g",
}
_TENANTLESS = ("items", "feeds")

_TABLE = """
CREATE TABLE {0} (
  id int PRIMARY KEY, tenant_id int NOT NULL DEFAULT 1, owner_id int NOT NULL DEFAULT 1,
  gone timestamptz,
  status text NOT NULL, amount numeric NOT NULL, label text NOT NULL, mail text NOT NULL,
  info jsonb NOT NULL, kind mood NOT NULL, day date NOT NULL, tags text[] NOT NULL,
  ref int NOT NULL
);
CREATE INDEX ON {0} (tenant_id);
CREATE INDEX ON {0} (ref);
CREATE INDEX ON {0} (label);
-- Comparisons of dates with times cannot fail, so the planner may try them on common values.
ALTER TABLE {0} ALTER day SET STATISTICS 0;
"""
_HIDDEN_ROWS = """
INSERT INTO {0} SELECT 1000 + g, {1}, 'F' || g % 40, 'F' || g || '@F.example',
  jsonb_build_object('k', 'F' || g % 40), 'Fcold', date '7000-01-01' + g, ARRAY['F' || g % 40],
  1001 + (g * 7) % {2}
  FROM generate_series(1, {2}) g WHERE g % 2 = {3};
"""
_VISIBLE_ROWS = """
INSERT INTO {0} SELECT g, 1, 1, NULL, 'open', g, 'V' || g, 'V' || g || '@V.example',
  jsonb_build_object('k', 'V' || g), 'warm', date '2024-01-01' + g, ARRAY['V' || g],
  1 + (g * 5) % {1}
  FROM generate_series(1, {1}) g;
"""

# Operators that are not leakproof, of several kinds and types. `||` of texts is left out: masks
# are made with it, and may run on rows a scope is about to remove.
_TELL = r"""
SET allow_system_table_mods = on;
CREATE SCHEMA tell;
GRANT USAGE ON SCHEMA tell TO PUBLIC;
DO $make$
DECLARE each record; named text;
BEGIN
  FOR each IN
    SELECT o.oid, p.proname, format_type(o.oprleft, NULL) AS a, format_type(o.oprright, NULL) AS b,
           format_type(o.oprresult, NULL) AS result
      FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
     WHERE o.oprleft <> 0 AND NOT p.proleakproof AND p.prolang = 12
       AND (o.oprleft IN ('numeric'::regtype, 'jsonb'::regtype, 'anyenum'::regtype)
              AND o.oprright IN (o.oprleft, 'text'::regtype)
         OR o.oprleft = 'text'::regtype AND o.oprright = 'text'::regtype AND o.oprname <> '||'
         OR o.oprleft = 'int4'::regtype AND o.oprright = 'int4'::regtype
         OR o.oprleft = 'date'::regtype AND o.oprname IN ('<', '>', '=')
              AND o.oprright = 'timestamptz'::regtype
         OR o.oprleft = 'anyarray'::regtype AND o.oprname IN ('@>', '&&'))
  LOOP
    named := quote_ident(each.proname || '_' || each.oid);
    EXECUTE format(
      'CREATE FUNCTION tell.%s(%s, %s) RETURNS %s LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
       COST 0.0001 AS $tell$BEGIN RAISE NOTICE ''TELL %% and %%'', $1, $2;
       RETURN pg_catalog.%I($1, $2); END$tell$', named, each.a, each.b, each.result, each.proname);
    UPDATE pg_operator SET oprcode = ('tell.' || named)::regproc WHERE oid = each.oid;
  END LOOP;
END$make$;
"""
# Functions cannot be replaced where they are; `told` makes a text call these.
_TELLING = r"""
CREATE FUNCTION tell.{0}({1}) RETURNS {2} LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
  COST 0.0001 AS $$BEGIN RAISE NOTICE 'TELL %', $1; RETURN pg_catalog.{0}({3}); END$$;
"""
_FUNCTIONS = (
    ("lower", "text", "text", "$1"),
    ("abs", "int", "int", "$1"),
    ("md5", "text", "text", "$1"),
    ("starts_with", "text, text", "bool", "$1, $2"),
)
_CALL = re.compile(r"\bpg_catalog\.(lower|abs|md5|starts_with)\(")
_FOREIGN = re.compile(r"\bF\w+|\b(?!2024-)[1-9]\d{3,}")


def script(*, hidden: bool) -> str:
    """SQL that fills an empty database, with or without the rows the subject may not see."""
    parts = ["CREATE TYPE mood AS ENUM ('warm', 'Fcold', 'new');"]
    for table, hides in SCOPED.items():
        parts.append(_TABLE.format(table))
        if hidden:
            foreign_rows = hides if table in _TENANTLESS else _OTHER_TENANT
            parts.append(_HIDDEN_ROWS.format(table, foreign_rows, HIDDEN, 0))
            parts.append(_HIDDEN_ROWS.format(table, hides, HIDDEN, 1))
        parts.append(_VISIBLE_ROWS.format(table, VISIBLE))
    parts += [_TABLE.format(SHARED), _VISIBLE_ROWS.format(SHARED, VISIBLE)]
    parts.append(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO PUBLIC; ANALYZE;"
    )
    parts.append(_TELL)
    parts += [_TELLING.format(*function) for function in _FUNCTIONS]
    return "\n".join(parts)


def told(sql: str) -> str:
    """The text with its calls of built-in functions replaced by calls of those that tell."""
    return _CALL.sub(r"tell.\1(", sql)


def foreign(notice: str, sql: str) -> list[str]:
    """What a notice says of rows the subject may not see, apart from what the text says itself."""
    return [word for word in _FOREIGN.findall(notice) if word not in _FOREIGN.findall(sql)]
