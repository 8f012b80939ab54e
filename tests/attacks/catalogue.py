"""The attacks, what is expected of each, and the patterns that give hidden data away.

`attacks.yaml` opens with what its fields mean; `more.yaml` has the same form, and so has
`writes.yaml`, whose expectations are those of a login that may write by key. `answered.yaml` and
`refused.yaml` list, with the reason, where the proxy's safe answer is not the expected one.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import postgast
import yaml

from tests.attacks.shapes import SHAPES, shape

HERE = Path(__file__).parent
_PARSED = 3000  # bytes; longer texts are made to hurt parsers, ours included
OK = ("harmless", "filtered")
FIRST_OIDS = range(16384, 16484)  # the database's first objects of its own
ANSWERS = {"harmless", "filtered", "masked"}

# Types whose values are dates or times: what now() returns.
CLOCK_TYPES = {1082, 1083, 1114, 1184, 1266}
_CLOCK = re.compile(
    r"\b(now|current_timestamp|current_date|current_time|localtime|localtimestamp|clock_timestamp"
    r"|statement_timestamp|transaction_timestamp|pg_postmaster_start_time|timeofday)\b",
    re.IGNORECASE,
)
_NEEDS = re.compile(r"needs PostgreSQL (\d+)")
_WRITES = re.compile(r"\b(insert|update|delete|merge|into)\b", re.IGNORECASE)
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: a text to send, and which outcomes are safe. See the head of attacks.yaml."""

    id: str
    group: str
    sql: str
    expected: str
    also_ok: tuple[str, ...] = ()
    why: str = ""
    runs: str = "ok"
    pg18: str = ""
    schema_note: str = ""
    data: str = ""  # what follows when it asks for COPY data

    @property
    def may_be_answered(self) -> bool:
        """Answering it without an error is one of the safe outcomes."""
        return bool({self.expected, *self.also_ok} & ANSWERS)

    @property
    def may_be_refused(self) -> bool:
        """Refusing it is one of the safe outcomes."""
        return "reject" in (self.expected, *self.also_ok)

    def fails_anyway(self, server_version: int) -> bool:
        """PostgreSQL itself answers it with an error, so an error proves nothing lost."""
        if server_version >= 180000 and self.pg18:
            return self.pg18.startswith("error")
        needed = _NEEDS.search(self.schema_note)
        if needed and server_version < int(needed[1]) * 10000:
            return True
        return self.runs.startswith(("error", "not_run"))

    @property
    def reads_clock(self) -> bool:
        """The result holds the time of day, which no two runs share."""
        return bool(_CLOCK.search(self.sql))

    @property
    def orders(self) -> bool:
        """The text asks for an order, so the order of rows is part of the answer."""
        return bool(_ORDER.search(self.sql))


@cache
def statements(sql: str) -> tuple[str, ...]:
    """The statements of a text, for the protocol that takes one at a time."""
    if len(sql) > _PARSED:
        return (sql,)
    try:
        parts = postgast.split(sql)
    except (postgast.PgQueryError, ValueError):
        return (sql,)
    return tuple(part.strip() for part in parts) or (sql,)


@cache
def only_reads(sql: str) -> bool:
    """Every statement is a SELECT, VALUES or TABLE that writes nothing by its own words."""
    if len(sql) > _PARSED or _WRITES.search(sql):
        return False
    try:
        tree = postgast.parse(sql)
    except (postgast.PgQueryError, ValueError, RecursionError):
        return False
    return all(raw.stmt.WhichOneof("node") == "select_stmt" for raw in tree.stmts)


@cache
def attacks() -> tuple[Attack, ...]:
    """Every attack that is a text; those with steps are conversations in test_protocol.py.

    As a login that may only read expects them: what wants to write is refused.
    """
    refused = (replace(attack, expected="reject", also_ok=()) for attack in writes())
    return (*_attacks("attacks.yaml"), *_attacks("more.yaml"), *refused)


@cache
def writes() -> tuple[Attack, ...]:
    """The attacks on what a login may write."""
    return _attacks("writes.yaml")


def _attacks(name: str) -> tuple[Attack, ...]:
    fields = Attack.__dataclass_fields__.keys()
    return tuple(
        Attack(**{**{k: entry[k] for k in fields & entry.keys()}, **_read(entry)})
        for entry in _entries(name)
        if entry.get("sql") is not None
    )


def shapes(size: int) -> tuple[Attack, ...]:
    """Statements of that size whose shape hurts parsers. PostgreSQL may refuse them too."""
    return tuple(
        Attack(name.replace(" ", "-"), "shapes", shape(name, size), "reject", OK, runs="error")
        for name in SHAPES
    )


@cache
def conversations() -> tuple[str, ...]:
    """The ids of the attacks that are conversations."""
    return tuple(entry["id"] for entry in _entries("attacks.yaml") if entry.get("steps"))


@cache
def answered() -> dict[str, str]:
    """Attack id -> why answering it is safe although a refusal was expected."""
    return _reasons("answered.yaml")


@cache
def refused() -> dict[str, str]:
    """Attack id -> why it is refused although an answer was expected."""
    return _reasons("refused.yaml")


@cache
def canaries() -> dict[str, re.Pattern[bytes]]:
    """Class of hidden data -> what it looks like in bytes sent to the client (world A)."""
    loaded: dict[str, str] = yaml.safe_load((HERE / "canaries.yaml").read_text())
    found = {name: re.compile(pattern.encode()) for name, pattern in loaded.items()}
    found["hidden_name"] = _HIDDEN_NAMES
    for name, values in _HIDDEN_NUMBERS.items():
        numbers = b"|".join(re.escape(binary_numeric(value)) for value in values)
        found[f"{name}_binary"] = re.compile(numbers, re.DOTALL)
    return found


# What exists and must not be named: denied columns, hidden relations, functions and types.
_HIDDEN_NAMES = re.compile(
    rb"\w*(?:ssn|secrets|audit_log|v_users|v_rename|mv_users|events_p|users_archive|order_seq"
    rb"|get_user|wipe|purge_orders|user_tier|t1_email|t2_internal_gold|parcel_moves)\w*"
    rb"|\bpin\b"
)


# Names the client wrote in escapes or put together itself.
_SPELLED_OTHERWISE = {"NM-020": "ssn", "PD-001": "ssn", "MF-011": "user_ssn", "MO-018": "secrets",
                      "WH-008": "ssn"}  # fmt: skip


def leaks(received: bytes, sent: str, attack_id: str = "") -> dict[str, list[str]]:
    """Canary classes seen in what came back, apart from values the client wrote itself."""
    own = sent.encode() + b"\0" + _SPELLED_OTHERWISE.get(attack_id, "").encode()
    found: dict[str, list[str]] = {}
    for name, pattern in canaries().items():
        values = {match.group(0) for match in pattern.finditer(received)}
        strange = sorted(str(value) for value in values if value not in own)
        if strange:
            found[name] = strange
    return found


_HIDDEN_NUMBERS = {
    "balance_t1": ("1001.01", "1002.02", "1003.03"),
    "balance_foreign": ("2011.11", "2012.12", "3021.21"),
    "order_foreign": ("777.77", "888.88", "999.99"),
}


def binary_numeric(value: str) -> bytes:
    """numeric's binary form of a value below 10,000 with two decimals (numeric_send)."""
    whole, fraction = value.split(".")
    digits = (int(whole), int(fraction) * 100)
    return struct.pack("!hhhh2h", 2, 0, 0, len(fraction), *digits)


@cache
def _entries(name: str) -> list[dict[str, Any]]:
    path = HERE / name
    loaded: list[dict[str, Any]] = yaml.load(path.read_text(), Loader=_LOADER) or []
    return loaded


# The C loader reads the catalogue in a tenth of the time, and is not built everywhere.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _read(entry: dict[str, Any]) -> dict[str, Any]:
    sql = entry["sql"].replace("@OIDS@", ",".join(map(str, FIRST_OIDS)))
    return {"sql": sql, "also_ok": tuple(entry.get("also_ok", ()))}


def _reasons(name: str) -> dict[str, str]:
    loaded: dict[str, str] = yaml.safe_load((HERE / name).read_text()) or {}
    known = {attack.id for attack in attacks()}
    unknown = loaded.keys() - known
    assert not unknown, f"{name} names attacks that do not exist: {sorted(unknown)}"
    assert all(isinstance(reason, str) and reason for reason in loaded.values()), name
    return loaded
