"""A small database and rules for engine tests: enough for every step, short enough to read."""

from __future__ import annotations

from pathlib import Path

from policies import grammar
from policies.catalog import Catalog, Column, Constraint, Index, Relation, Routine, UserType
from policies.decision import Allow, Decision, Deny
from policies.pipeline import Snapshot, decide
from policies.rules import parse
from policies.statement import Statement
from policies.subject import Subject

CASES = Path(__file__).parent.parent / "cases"

RULES = """
version: 1
profile: prod
entities:
  t: {tenant: org, columns: {secret: deny, mail: {mask: "null"}}}
  s: {shared: true}
  own: {tenant: org, owner: {column: who, equals: subject.user_id}}
  gone: {shared: true, soft_delete: died}
  kinds: {shared: true, rows: "kind = subject.kind AND n > 0"}
  broken: {shared: true, columns: {vanished: deny}}
  big: {shared: true, columns: {mail: {mask: "null"}, note: deny}}
  items: {tenant: org}
  hidden: {visible: false}
  sums: {tenant: org}
  board: {shared: true}
  walled: {shared: true}
  veiled: {shared: true, columns: {secret: deny}}
  lines: {shared: true, joins: [s.id, t.id, lines.id]}
  alone: {shared: true, joins: []}
  jobs:
    tenant: org
    owner: {column: who, equals: subject.user_id, for: [owning]}
    soft_delete: died
    rows: "state <> 'draft'"
    columns: {mail: {mask: email}, secret: deny}
    invariants:
      cheap: {holds: "price < 100"}
      named_once: {constraint: jobs_title_key}
  tags: {shared: true}
  pairs: {tenant: org, key: [a, b]}
functions:
  total: {}
  rows_of: {}
  cut: {}
  wild: {}
  vouched: {volatile: true}
  named: {}
  twin: {}
  fine: {function: private.total}
  max: {function: private.max}
  lost: {}
capabilities:
  browse: {select: [t, s, own, gone, kinds, broken]}
  huge: {select: [big, items]}
  numbers: {select: [s], call: [vouched]}
  sums: {call: [total, rows_of, cut, wild, vouched, named, twin, fine, max, lost]}
  keep: {select: [t, own, sums, veiled, board, walled, lines, alone], lock: true}
  plans: {select: [s, t, sums], explain: true}
  times: {select: [t, sums], analyze: true}
  work:
    select: [jobs, tags, pairs, t]
    insert:
      jobs: {columns: [id, title, mail, state, price, t_id, tag_id, died], rows: 3}
      tags: {columns: [x, n], rows: 1000}
      pairs: {columns: [a, b, x], rows: 10}
    update:
      jobs: {columns: [title, mail, state, price, t_id, tag_id, parts], rows: 2}
      tags: {columns: [x], key: false, rows: 5}
      pairs: {columns: [x], whole_rows: true, rows: 10}
    delete: {jobs: {rows: 2}, tags: {key: false, rows: 3}, pairs: {rows: 10}}
    merge: true
    copy: true
    reason: optional
  audited:
    insert: {t: {columns: [id, a]}}
    update: {t: {columns: [a]}}
    delete: {t: {}}
    approval: {by: [clerk]}
    images: true
  sweep:
    delete: {jobs: {hard: true, key: false, rows: 1000}}
    invariants: [cheap, named_once]
    reason: optional
roles:
  writer: {can: [browse, work, audited], budget: {joins: 10, complexity: 1000}}
  owning: {can: [work]}
  sweeper: {can: [work, sweep], budget: {joins: 10, complexity: 1000}}
  reader: {can: [browse], budget: {joins: 100, complexity: 1000000, columns: 1000}}
  clerk: {can: [browse, huge]}
  counter: {can: [numbers], budget: {rows: 5, time: 1s}}
  watched: {can: [browse], mode: observe}
  keeper: {can: [browse, keep, sums], budget: {joins: 100, complexity: 1000000}}
  tuner: {can: [browse, plans], budget: {joins: 100, complexity: 1000}}
  timer: {can: [browse, times]}
subjects:
  - {login: wes, tenant: 1, user_id: 7, roles: [writer], attributes: {kind: "it's"}}
  - {login: una, tenant: 1, user_id: 7, roles: [owning]}
  - {login: zoe, tenant: 1, user_id: 7, roles: [sweeper]}
  - {login: ann, tenant: 1, user_id: 7, roles: [reader], attributes: {kind: "it's"}}
  - {login: ray, tenant: 1, user_id: 7, roles: [clerk], attributes: {kind: "it's"}}
  - {login: bob, tenant: 2, user_id: 8, roles: [counter]}
  - {login: eve, tenant: 1, user_id: 9, roles: [watched]}
  - {login: kim, tenant: 1, user_id: 7, roles: [keeper]}
  - {login: dan, tenant: 1, user_id: 7, roles: [tuner], attributes: {kind: "it's"}}
  - {login: tim, tenant: 1, user_id: 7, roles: [timer], attributes: {kind: "it's"}}
"""


def _columns(*named: tuple[str, str]) -> tuple[Column, ...]:
    oids = {"integer": 23, "text": 25, "numeric": 1700, "public.mood": 16500}
    return tuple(
        Column(name, number, kind, oids.get(kind, 1000))
        for number, (name, kind) in enumerate(named, 1)
    )


_COMPARABLE = ("integer", "text", "oid", "name", "smallint", "bigint", "boolean", "date")

CATALOG = Catalog(
    server_version=180000,
    database="lab",
    search_path=("public",),
    relations=(
        Relation(
            20001, "public", "t", "r",
            _columns(("id", "integer"), ("org", "integer"), ("a", "text"), ("mail", "text"),
                     ("secret", "text"), ("n", "numeric"), ("mood", "public.mood")),
            primary_key=("id",),
            indexes=(Index(20101, "t_pkey", (1,), True, "id"), Index(20102, "t_secret", (5,))),
            constraints=(Constraint(20201, "t_pkey", "p", (1,)),
                         Constraint(20202, "t_check", "c", (3, 5))),
        ),
        Relation(20002, "public", "s", "r", _columns(("id", "integer"), ("x", "text"))),
        Relation(20003, "public", "own", "r", _columns(("org", "integer"), ("who", "integer"))),
        Relation(20004, "public", "gone", "r", _columns(("id", "integer"), ("died", "date"))),
        Relation(20005, "public", "kinds", "r", _columns(("kind", "text"), ("n", "integer"))),
        Relation(20006, "public", "broken", "r", _columns(("id", "integer"))),
        Relation(20007, "public", "hidden", "r", _columns(("id", "integer"))),
        Relation(20008, "public", "sums", "v", _columns(("org", "integer"), ("n", "integer"))),
        Relation(20009, "public", "veiled", "r", _columns(("id", "integer"), ("secret", "text"))),
        Relation(
            20031, "public", "big", "p",
            _columns(("id", "integer"), ("mail", "text"), ("note", "text"), ("x", "text"),
                     ("other", "integer"), ("made", "date")),
            primary_key=("id",),
            row_estimate=10_000.0,
            indexes=(Index(20301, "big_pkey", (1,), True, "id"),
                     Index(20302, "big_mail", (2,), False, "mail"),
                     Index(20303, "big_note", (3,), False, "note"),
                     Index(20304, "big_lower", (4,), False, ""),
                     Index(20305, "big_made", (6,), False, "made")),
        ),
        Relation(
            20032, "public", "items", "r",
            _columns(("id", "integer"), ("org", "integer"), ("big_id", "integer"),
                     ("n", "integer")),
            primary_key=("id",),
            row_estimate=1_000_000.0,
            indexes=(Index(20311, "items_pkey", (1,), True, "id"),
                     Index(20312, "items_big", (3,), False, "big_id"),
                     Index(20313, "items_n", (2, 4), False, "org", ("org", "n"))),
        ),
        Relation(20010, "public", "board", "v", _columns(("id", "integer"), ("x", "text")),
                 reads=((20001, 1), (20001, 5))),
        Relation(20011, "public", "walled", "v", _columns(("id", "integer"), ("x", "text")),
                 barrier=True, reads=((20010, 1),)),
        Relation(20012, "public", "lines", "r", _columns(("id", "integer"), ("s_id", "integer"))),
        Relation(20013, "public", "alone", "r", _columns(("id", "integer"), ("y", "integer"))),
        Relation(
            20041, "public", "jobs", "r",
            _columns(("id", "integer"), ("org", "integer"), ("who", "integer"), ("title", "text"),
                     ("mail", "text"), ("secret", "text"), ("state", "text"), ("price", "numeric"),
                     ("t_id", "integer"), ("tag_id", "integer"), ("parts", "jsonb"),
                     ("died", "date"), ("hidden_id", "integer")),
            primary_key=("id",),
            indexes=(Index(20411, "jobs_pkey", (1,), True, "id"),
                     Index(20412, "jobs_title_key", (2, 4), True, "org", ("org", "title"))),
            constraints=(Constraint(20421, "jobs_pkey", "p", (1,)),
                         Constraint(20422, "jobs_title_key", "u", (2, 4)),
                         Constraint(20423, "jobs_t_id_fkey", "f", (9,), 20001, (1,), (9,)),
                         Constraint(20424, "jobs_tag_id_fkey", "f", (10,), 20042, (1,), (10,))),
        ),
        Relation(20042, "public", "tags", "r",
                 _columns(("id", "integer"), ("x", "text"), ("n", "integer")),
                 primary_key=("id",),
                 indexes=(Index(20431, "tags_pkey", (1,), True, "id"),)),
        Relation(20043, "public", "pairs", "r",
                 _columns(("a", "integer"), ("b", "integer"), ("org", "integer"), ("x", "text"),
                          ("y", "text")),
                 indexes=(Index(20441, "pairs_key", (1, 2), True, "a", ("a", "b"), plain=True),)),
        Relation(1259, "pg_catalog", "pg_class", "r",
                 _columns(("oid", "oid"), ("relname", "name"), ("reltuples", "real"))),
        Relation(2604, "pg_catalog", "pg_attrdef", "r",
                 _columns(("oid", "oid"), ("adrelid", "oid"), ("adnum", "smallint"))),
        Relation(2619, "pg_catalog", "pg_statistic", "r", _columns(("starelid", "oid"))),
    ),
    types=(
        UserType(16500, "public", "mood", "e"),
        UserType(16501, "public", "rank", "e"),
        UserType(16502, "public", "t", "c", relation=20001),
    ),
    system_functions=frozenset(
        "pg_sleep upper lower max repeat query_to_xml current_query set_config".split()
    ),
    functions=frozenset("pg_sleep peek upper lower regclass".split()),
    builtin_types=frozenset(
        "int4 int8 int2 text varchar bool date jsonb oid regclass regtype numeric json float8 "
        "interval timestamptz regconfig _int4 _regclass _refcursor".split()
    ),
    leakproof=frozenset(
        (sign, one, one) for sign in ("=", "<>", "<", "<=", ">", ">=") for one in _COMPARABLE
    ),
    routines=(
        Routine("public", "total", "f", "s", types=("integer", "numeric")),
        Routine("public", "total", "a", "i", types=("numeric", "numeric")),
        Routine("public", "rows_of", "f", "s", language="plpgsql", columns=("id", "note")),
        Routine("public", "cut", "f", "s", inlined=True, columns=("id",)),
        Routine("public", "wild", "f", "v"),
        Routine("public", "vouched", "f", "v", definer=True),
        Routine("public", "named", "f", "i", types=("regclass[]", "text")),
        Routine("public", "twin", "f", "i"),
        Routine("later", "twin", "f", "i"),
        Routine("private", "total", "f", "i", language="c"),
        Routine("private", "max", "f", "i"),
        Routine("public", "lost", "p", "v"),
        Routine("public", "unlisted", "f", "i"),
    ),
    user_functions=frozenset({"peek", "upper"}),
    record_functions=frozenset({"peek"}),
    user_operators=frozenset({"===", "&&"}),
    schemas=((2200, "public"), (16400, "private")),
)  # fmt: skip

SNAPSHOT = Snapshot(parse(RULES, "lab.yaml"), CATALOG, b"k" * 32, "v1")


def subject(login: str = "ann") -> Subject:
    """One of the lab's subjects."""
    found = SNAPSHOT.rules.subject(login)
    assert found is not None
    return found


def ask(sql: str | bytes, login: str = "ann", snapshot: Snapshot = SNAPSHOT) -> Decision:
    """The decision for a text."""
    return decide(sql.encode() if isinstance(sql, str) else sql, subject(login), snapshot)


def allowed(sql: str, login: str = "ann") -> str:
    """The text an allowed statement becomes."""
    decision = ask(sql, login)
    assert isinstance(decision, Allow), decision
    return decision.text.decode()


def refused(sql: str | bytes, login: str = "ann") -> Deny:
    """The refusal of a text."""
    decision = ask(sql, login)
    assert isinstance(decision, Deny), decision
    return decision


def begun(sql: str, login: str = "ann") -> Statement:
    """The last statement of a text, before any step."""
    raw = grammar.parse(sql.encode())[-1]
    who = subject(login)
    return Statement(
        text=raw.text,
        offset=raw.start,
        kind=raw.kind,
        node=raw.node,
        subject=who,
        views=SNAPSHOT.views(who),
        catalog=CATALOG,
        budget=SNAPSHOT.rules.budget(who.roles),
    )
