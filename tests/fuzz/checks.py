"""What must hold whatever comes in: for a text, for bytes on the wire, for a rules file.

Each check answers "" or what is wrong. Whether an allowed text still says what the client wrote is
asked of benchmarks/undo.py, which knows nothing of the rewriter.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import postgast

from benchmarks.undo import Expected, difference, equal
from policies.catalog import Catalog
from policies.decision import Allow, Deny
from policies.pipeline import Snapshot, decide
from policies.rules import parse
from policies.rules_errors import RulesError
from policies.steps.authorize import CATALOG_ROWS
from policies.subject import Subject
from proxy.testing import RunningProxy
from tests.attacks.catalogue import Attack, leaks
from tests.attacks.verdict import difference as apart
from tests.attacks.wire_client import Closed, WireClient, rows
from tests.attacks.worlds import FORMS, Door, World

SLOWEST = 3.0  # seconds of our own time for one text of a few kB
PATIENCE = 15.0  # seconds until a connection that was half closed must be closed
ROWS = 100  # of tests/attacks/rules.yaml
SCOPES = {
    "orgs": "id", "users": "tenant_id", "orders": "tenant_id", "events": "tenant_id",
    "products": "", "parcels": "tenant_id", "codes": "tenant_id", "trees": "tenant_id",
    "dials": "tenant_id",
}  # fmt: skip
# What else hides rows, in tests/attacks/rules_writing.yaml.
_ALSO = {
    "notes": "r.tenant_id = '1' AND r.gone IS NULL",
    "tickets": "r.tenant_id = '1' AND r.owner_id = '1' AND (r.state <> 'draft')",
}
_SYSTEM = ("pg_catalog", "information_schema")
# What two databases may answer differently: which rows come first when nobody said, and the time.
UNSTABLE = re.compile(
    r"\b(limit|fetch|offset|tablesample|over|distinct\s+on|random\w*|\w*_agg|any_value|mode|now"
    r"|clock_timestamp|statement_timestamp|timeofday|current_\w+|local\w+|gen_random_uuid|uuid\w*"
    r"|pg_backend_pid|copy|ctid|xmin|cursor|fetch|move|array|transaction_timestamp|age|array_\w+)\b",
    re.IGNORECASE,
)
_TIMEOUT = "57014"
_REPLACED = "pg_show_all_settings"  # in FROM it becomes a SELECT of what may be shown
_FAULTS = ("Traceback", "fault=", "could not be", "cannot be followed", "an observer failed")


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides texts as tenant 1 of the attack worlds."""

    snapshot: Snapshot
    subject: Subject

    def decided(self, text: bytes) -> tuple[str, Allow | Deny | None]:
        """What is wrong with the decision, and the decision."""
        started = time.process_time()
        try:
            decision = decide(text, self.subject, self.snapshot)
        except Exception as error:
            return f"an exception escaped: {type(error).__name__}: {error}", None
        seconds = time.process_time() - started
        if seconds > SLOWEST:
            return f"deciding took {seconds:.1f} s", decision
        if isinstance(decision, Deny):
            return (f"fault: {decision.fault}" if decision.fault else ""), decision
        return self._changed(text.decode(), decision), decision

    def _changed(self, text: str, allow: Allow) -> str:
        """Where an allowed SELECT says something else than the client."""
        if len(allow.statements) != 1 or allow.statements[0].facts.operation != "select":
            return ""
        (plan,) = allow.statements
        (original,) = _selects(text) or [None]
        if original is None or _REPLACED in str(postgast.parse(original)):
            return ""
        rewritten = plan.sql.decode()
        own = '"public".' in rewritten
        caps = [plan.cap] if plan.cap is not None else [ROWS, CATALOG_ROWS]
        if own and CATALOG_ROWS in caps:
            caps.remove(CATALOG_ROWS)
        is_view = _views(self.snapshot.catalog)
        found = [difference(original, rewritten, Expected(cap, is_view)) for cap in caps]
        return "" if "" in found else f"changed: {found} {rewritten}"


def _selects(text: str) -> list[str]:
    """The text's only statement when PostgreSQL's grammar reads it as one SELECT."""
    try:
        statements = postgast.parse(text).stmts
    except (postgast.PgQueryError, ValueError):
        return []
    if len(statements) != 1 or statements[0].stmt.WhichOneof("node") != "select_stmt":
        return []
    return [text]


def _views(catalog: Catalog) -> Callable[[Any, str, str], bool]:
    return partial(_is_view, catalog)


def _is_view(catalog: Catalog, inner: Any, schema: str, name: str) -> bool:
    """Whether a SELECT reads just that relation, and only rows of tenant 1."""
    relation = catalog.find(schema, name)
    if relation is None or len(inner.from_clause) != 1 or inner.sort_clause:
        return False
    if relation.schema in _SYSTEM:
        return True  # what rows of it are seen depends on what exists; the worlds tell
    source = inner.from_clause[0].range_var
    column, also = SCOPES.get(relation.name), _ALSO.get(relation.name)
    wanted = also if also is not None else f"r.{column} = '1'" if column else ""
    return (
        (source.schemaname, source.relname) == (relation.schema, relation.name)
        and (column is not None or also is not None)
        and equal(inner.where_clause, _condition(wanted))
    )


@cache
def _condition(wanted: str) -> Any:
    where = f" WHERE {wanted}" if wanted else ""
    return postgast.parse(f"SELECT{where}").stmts[0].stmt.select_stmt.where_clause


def worlds_differ(text: str, worlds: Sequence[World], form: str = FORMS[0]) -> tuple[str, bool]:
    """What came back that must not, and whether the answer is one nobody can compare."""
    attack = Attack("fuzz", "fuzz", text, "reject")
    first, second = (world.send(attack, form) for world in worlds)
    hidden = leaks(first.received, text)
    hidden.pop("hidden_name", None)  # the client's own names come back in many spellings
    if hidden:
        return f"hidden values came back: {hidden}", False
    if first.trouble and first.trouble == second.trouble:
        return f"{form}: {first.trouble}", False
    found = apart(attack, first, second)
    unstable = UNSTABLE.search(text) or _TIMEOUT in (*first.sqlstates, *second.sqlstates)
    if found and unstable:
        return "", True
    return (f"{form}: the worlds differ: {found}" if found else ""), False


def talk(door: Door, pieces: Sequence[bytes], *, logged_in: bool) -> str:
    """Send bytes in pieces, close our half, and wait for the other to close."""
    try:
        client = door.connect() if logged_in else WireClient(door.host, door.port)
    except (Closed, OSError) as error:
        return f"no connection: {type(error).__name__}"
    with client:
        plug = client.socket
        plug.settimeout(PATIENCE)
        try:
            for piece in pieces:
                plug.sendall(piece)
            plug.shutdown(socket.SHUT_WR)
            while plug.recv(1 << 16):
                continue
        except TimeoutError:
            return "the connection is not closed"
        except OSError:
            return ""  # closed before it had all of it
    return ""


def still_there(door: Door) -> str:
    """A fresh client is served."""
    try:
        with door.connect() as client:
            answer = rows(client.query("SELECT 1"))
    except (Closed, OSError) as error:
        return f"a fresh client is not served: {type(error).__name__}"
    if answer != [[b"1"]]:
        return f"SELECT 1 gives {answer}"
    return ""


class Log:
    """What a proxy logs from now on."""

    def __init__(self, proxy: RunningProxy) -> None:
        self._proxy = proxy
        self._seen = len(proxy.log())

    def fault(self) -> str:
        """A line that tells of a fault inside, "" when there is none since the last look."""
        text = self._proxy.log()
        new, self._seen = text[self._seen :], len(text)
        lines = [line for line in new.splitlines() if any(word in line for word in _FAULTS)]
        return f"the log says: {lines[0]}" if lines else ""


def read_rules(text: str) -> tuple[str, str]:
    """What is wrong unless a rules file gives rules or a RulesError, and soon; and the outcome."""
    started, outcome = time.process_time(), "rules"
    try:
        parse(text, "fuzz.yaml")
    except RulesError as error:
        if not error.problems or not all(problem.message for problem in error.problems):
            return "an error without words", ""
        outcome = error.problems[0].message
    except Exception as error:
        return f"{type(error).__name__}: {error}", ""
    seconds = time.process_time() - started
    return (f"reading took {seconds:.1f} s" if seconds > SLOWEST else ""), outcome
