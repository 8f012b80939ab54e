"""Functions inside the databases that say what all tables hold, and put back what was changed.

One text per table: its name, how many rows, a sum over all of them and a sum over those the subject
may not see. Times of now are told apart from others only by being now.
"""

from __future__ import annotations

from tests.oracle.writes.rows import SEQUENCES

NOW = "2026-09-01"  # rows are older, what a statement makes of now() is younger

# Rows that nothing the subject sends may make, change or take away.
_FOREIGN = {
    "tenants": "id <> 2",
    "products": "false",
    "notes": "tenant_id <> 2 OR author_id <> 12",
    "orders": "tenant_id <> 2 OR status = 'cancelled'",
    "kinds": "tenant_id <> 2 OR medium >= 900",
    "memos": "tenant_id <> 2 OR author_id <> 12 OR state = 'locked'",
    "users": f"tenant_id <> 2 OR deleted_at < '{NOW}'",
    "tickets": f"tenant_id <> 2 OR closed_at < '{NOW}'",
    "Order Log": '"tenantId" <> 2',
    "journal": "tenant_id <> 2",
}

# Triggers that leave a trace of each row written; the trace is compared too.
TRACES = """
CREATE TABLE oracle.journal (what text, tenant_id bigint, name text);
CREATE FUNCTION oracle.note() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO oracle.journal
    VALUES (TG_OP, CASE TG_OP WHEN 'DELETE' THEN OLD.tenant_id ELSE NEW.tenant_id END,
            TG_TABLE_NAME);
    RETURN NULL;
END $$;
DO $$ DECLARE t regclass; BEGIN
  FOR t IN SELECT oid FROM pg_class
           WHERE relkind = 'r' AND relname IN ('users', 'orders', 'tickets', 'memos', 'notes') LOOP
    EXECUTE format('CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON %s'
                   ' FOR EACH ROW EXECUTE FUNCTION oracle.note()', t);
  END LOOP; END $$;
"""

# The functions are made by one that reads the catalog, so that they read every table there is.
_MAKE = """
CREATE TABLE oracle.foreign_rows (name text, condition text);
INSERT INTO oracle.foreign_rows VALUES %(foreign)s;
CREATE FUNCTION oracle.reset() RETURNS text STABLE SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
%(sequences)s
    RETURN 'reset';
END $$;
DO $$ DECLARE r record; parts text[]; BEGIN
  FOR r IN SELECT c.oid, relname, format('%%I.%%I', nspname, relname) AS name,
             coalesce(f.condition, 'tenant_id <> 2') AS condition,
             string_agg(CASE WHEN a.atttypid = 'timestamptz'::regtype
               THEN format('CASE WHEN %%1$I >= %(now)s THEN %%3$L ELSE %%1$I::text END',
                           attname, '', 'now')
               ELSE quote_ident(attname) END, ', ' ORDER BY attnum) AS columns
           FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
           JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
           LEFT JOIN oracle.foreign_rows f ON f.name = relname
           WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema)'
             AND relname NOT IN ('digests', 'foreign_rows') AND nspname <> 'pristine'
           GROUP BY c.oid, relname, nspname, f.condition ORDER BY relname LOOP
    parts := parts || format(
      'SELECT %%L AS name, count(*) AS n, coalesce(sum(h), 0) AS h,'
      ' coalesce(sum(h) FILTER (WHERE f), 0) AS f FROM (SELECT'
      ' hashtextextended(ROW(%%s)::text, 0)::numeric AS h, (%%s) AS f FROM ONLY %%s) x',
      r.relname, r.columns, r.condition, r.name);
  END LOOP;
  EXECUTE format('CREATE FUNCTION oracle.state() RETURNS text STABLE SECURITY DEFINER LANGUAGE'
    ' plpgsql AS $f$ DECLARE found text; BEGIN'
    ' SELECT string_agg(concat_ws('' '', replace(name, '' '', ''_''), n, h, f), E''\\n'''
    ' ORDER BY name)'
    ' INTO found FROM (%%s) every; RETURN found; END $f$', array_to_string(parts, ' UNION ALL '));
END $$;
"""

# A copy of every table as it was, and a way back for what was not rolled back.
_RESTORE = """
CREATE SCHEMA pristine;
DO $$ DECLARE r record; BEGIN
  FOR r IN SELECT relname, format('%I.%I', nspname, relname) AS name
           FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
           WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema|pristine)'
             AND relname NOT IN ('digests', 'foreign_rows') LOOP
    EXECUTE format('CREATE TABLE pristine.%I AS SELECT * FROM ONLY %s', r.relname, r.name);
  END LOOP; END $$;
CREATE FUNCTION oracle.restore() RETURNS void LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR r IN SELECT relname, format('%I.%I', nspname, relname) AS name,
             string_agg(quote_ident(attname), ', ') AS columns
           FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
           JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
             AND attgenerated = ''
           WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema|pristine)'
             AND relname NOT IN ('digests', 'foreign_rows') GROUP BY relname, nspname LOOP
    EXECUTE format('DELETE FROM ONLY %s', r.name);
    EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM pristine.%I',
                   r.name, r.columns, r.columns, r.relname);
  END LOOP; END $$;
"""


def functions(moved: bool) -> str:
    """SQL that makes them. `moved`: the tables stand in the schema base."""
    schema = "base" if moved else "public"
    names = {"accounts": "oracle.uuids"} | {name: f"{schema}.{name}_id_seq" for name in SEQUENCES}
    starts = {"accounts": 500, **SEQUENCES}
    return (
        TRACES
        + _MAKE
        % {
            "foreign": ", ".join(
                "('{}', '{}')".format(name, condition.replace("'", "''"))
                for name, condition in _FOREIGN.items()
            ),
            "sequences": "\n".join(
                f"    PERFORM setval('{sequence}', {starts[name]}, false);"
                for name, sequence in names.items()
            ),
            "now": f"timestamptz ''{NOW}''",
        }
        + _RESTORE
    )
