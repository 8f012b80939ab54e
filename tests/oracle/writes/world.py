"""Two databases with the same rows: one behind the proxy, one under row-level security.

Both made from one template, as in ../world.py, so that types and names mean the same. The reference
never saw policies/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from proxy.testing import PostgresServer, RunningProxy
from tests.oracle import application, rows, world
from tests.oracle.world import PASSWORD, Door
from tests.oracle.writes import rows as written
from tests.oracle.writes.state import functions

HERE = Path(__file__).parent
# Logins of one subject that differ in what a write needs.
WIDE, KEYED, HARD, FEW = LOGINS = ("subject", "keyed", "hard", "few")
MOST_FEW = 3
_KEYLESS = "metrics"


@dataclass(frozen=True, slots=True)
class Pair:
    """The doors of the two databases; `owners`: the superuser's, to put back what was changed."""

    proxy: Mapping[str, Door]
    reference: Door
    owners: tuple[Door, Door]


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is said wrong on purpose: `rules` in place of other words of the rules, `reference`:
    SQL for the reference."""

    rules: tuple[tuple[str, str], ...] = ()
    reference: str = ""


def rules() -> str:
    """The rules of the four logins, as one text."""
    whole: dict[str, Any] = yaml.safe_load((application.HERE / "application.yaml").read_text())
    more: dict[str, Any] = yaml.safe_load((HERE / "rules.yaml").read_text())
    whole["entities"] |= more["entities"]
    whole["functions"] = more["functions"]
    write = more["capabilities"]["write"]
    keyed = {
        kind: {
            name: {key: value for key, value in rule.items() if key != "key"}
            for name, rule in write[kind].items()
            if kind == "insert" or name != _KEYLESS
        }
        for kind in ("insert", "update", "delete")
    }
    hard = {name: rule | {"hard": True} for name, rule in write["delete"].items()}
    few = {
        kind: {name: rule | {"rows": MOST_FEW} for name, rule in write[kind].items()}
        for kind in ("insert", "update", "delete")
    }
    can = {
        WIDE: write,
        KEYED: write | keyed,
        HARD: write | {"delete": hard},
        FEW: write | few,
    }
    whole["capabilities"] |= {"watch": more["capabilities"]["watch"]}
    whole["capabilities"] |= {f"write_{name}": rule for name, rule in can.items()}
    reader, (subject,) = whole["roles"]["reader"], whole["subjects"]
    whole["roles"] = {
        f"{name}_role": reader | {"can": ["read", "watch", f"write_{name}"]} for name in LOGINS
    }
    whole["subjects"] = [subject | {"login": name, "roles": [f"{name}_role"]} for name in LOGINS]
    return json.dumps(whole, ensure_ascii=False, indent=1)


@contextmanager
def pair(
    server: PostgresServer, seed: int, name: str = "writes", wrong: Wrong | None = None
) -> Iterator[Pair]:
    """Make the two databases and put a proxy before the first."""
    wrong = wrong or Wrong()
    read = application.design(seed)
    app, reference = f"{name}_app", f"{name}_reference"
    schema = read.schema + (HERE / "application.sql").read_text()
    server.create_database(app, world.ROLE_SCRIPT, schema, written.script(seed))
    server.create_database(
        reference,
        world.MOVE, rows.digests(seed), read.reference, (HERE / "reference.sql").read_text(),
        world.OWNED, _grants("oracle_owner", "SELECT, INSERT, UPDATE, DELETE", "base"),
        _grants("oracle_subject", "SELECT", "(public|sales)"), functions(moved=True),
        wrong.reference, "ANALYZE;",
        template=app,
    )  # fmt: skip
    everything = "SELECT, INSERT, UPDATE, DELETE"
    server.execute(
        app, _grants("oracle_app", everything, "(public|sales)"), functions(moved=False), "ANALYZE;"
    )
    text = rules()
    for right, changed in wrong.rules:
        if right not in text:
            raise ValueError(f"the rules do not say {right!r}")
        text = text.replace(right, changed)
    users = dict.fromkeys(LOGINS, PASSWORD)
    upstream = server.dsn(app, "oracle_app")
    with RunningProxy(rules=text, users=users, upstream=upstream) as proxy:
        port, master = urlsplit(upstream).port or 5432, urlsplit(server.dsn(app))
        owner = Door("owner", port, master.username or "", master.password or "", app)
        yield Pair(
            {login: Door(login, proxy.port, login, PASSWORD, app) for login in LOGINS},
            Door("reference", port, "oracle_subject", "", reference),
            (owner, replace(owner, database=reference)),
        )


def _grants(role: str, rights: str, schemas: str) -> str:
    return f"""
DO $$ DECLARE s text; BEGIN
  FOR s IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^{schemas}' LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %1$I TO {role}; GRANT {rights} ON ALL TABLES IN SCHEMA'
                   ' %1$I TO {role}', s);
  END LOOP;
  FOR s IN SELECT oid::regclass FROM pg_class WHERE relkind = 'S' LOOP
    EXECUTE format('GRANT USAGE ON SEQUENCE %s TO {role}', s);
  END LOOP;
  GRANT USAGE ON SCHEMA oracle TO {role};
END $$;
"""
