"""Two databases that differ only in what tenant 1 may not see, and what comes back from each.

A `World` is one database with a door to it: the proxy's, or the bare server's when a test proves
that the harness notices leaks. A `Transcript` is every message of one attack in one form.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from proxy.testing import EmbeddedPostgres
from tests.attacks.binding import bound
from tests.attacks.catalogue import CLOCK_TYPES, HERE, Attack, only_reads, statements
from tests.attacks.wire_client import (
    BINARY,
    TEXT,
    TIMEOUT,
    Closed,
    Message,
    WireClient,
    columns,
    errors,
    row_values,
    rows,
)

DATABASE = "lab"  # the name some attacks write
FORMS = ("simple", "extended text", "extended binary")
BOUND = "extended bound"  # a named statement with constants as parameters

# What belongs to the connection and not to the answer: ParameterStatus, BackendKeyData.
_NOT_COMPARED = {b"S", b"K"}
_TIME = re.compile(rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d(:?\d\d)?|Z)?")


TwoServers = tuple[EmbeddedPostgres, EmbeddedPostgres]
# How the worlds are made when nothing else is said: `large`, and settings as name=value.
SETUP_VARIABLE = "QUERYWARDEN_TEST_WORLDS"


@dataclass(frozen=True, slots=True)
class Setup:
    """Whether foreign rows come in thousands, and the servers' own settings for every session."""

    large: bool = False
    settings: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Setup:
        """The setup of words like `large enable_seqscan=off`."""
        words = text.split()
        settings = [word.partition("=")[::2] for word in words if word not in ("large", "small")]
        return cls("large" in words, tuple(settings))

    @classmethod
    def given(cls) -> Setup:
        """The setup of this run."""
        return cls.parse(os.environ.get(SETUP_VARIABLE, ""))


@dataclass(frozen=True, slots=True)
class Door:
    """Where a client of tenant 1 connects."""

    host: str
    port: int
    user: str
    password: str = ""
    database: str = DATABASE

    def connect(
        self, *, parameters: dict[str, str] | None = None, timeout: float = TIMEOUT
    ) -> WireClient:
        """A new connection, logged in."""
        return WireClient.login(
            self.host, self.port, self.user, self.password, self.database,
            parameters=parameters, timeout=timeout,
        )  # fmt: skip


@dataclass(slots=True)
class Transcript:
    """What the server sent for one attack; `trouble` says what went wrong with the connection."""

    messages: list[Message] = field(default_factory=list)
    trouble: str = ""

    @property
    def received(self) -> bytes:
        """Every byte of every message's body, apart from one another."""
        return b"\n".join(message.body for message in self.messages)

    @property
    def refusals(self) -> list[str]:
        """The reason code of every error that is the proxy's own."""
        return [code for fields in errors(self.messages) if (code := refusal_code(fields))]

    @property
    def sqlstates(self) -> list[str]:
        """The SQLSTATE of every error."""
        return [fields.get("C", "") for fields in errors(self.messages)]

    def describe(self) -> str:
        """One line for a report."""
        if self.trouble:
            return self.trouble
        seen = [f"{e.get('C')} {e.get('M')}" for e in errors(self.messages)]
        tags = [m.body.rstrip(b"\0").decode() for m in self.messages if m.tag == b"C"]
        shown = [str(row)[:200] for row in rows(self.messages)[:4]]
        return "; ".join([*tags, *shown, *seen])[:900]


def refusal_code(fields: dict[str, str]) -> str:
    """The reason code in a refusal's DETAIL, "" for an error of the upstream."""
    try:
        detail = json.loads(fields.get("D", ""))
    except ValueError:
        return ""
    return str(detail.get("code", "")) if isinstance(detail, dict) else ""


class World:
    """One database, its door, and connections to it that are kept while they are clean."""

    def __init__(
        self, name: str, server: EmbeddedPostgres, door: Door, patience: float = TIMEOUT
    ) -> None:
        self.name = name
        self.door = door
        self.patience = patience  # seconds until a silent proxy counts as hung
        self._client: WireClient | None = None
        self._bystander: WireClient | None = None
        self.hung = False
        superuser = Door("127.0.0.1", server.port, server.superuser, database=door.database)
        self.inspector = superuser.connect()

    def send(self, attack: Attack, form: str, *, first: str = "", last: str = "") -> Transcript:
        """Send an attack in one form and read everything that comes back.

        `first` is sent before it and is not part of the transcript; `last` after it, and is.
        """
        try:
            client = self._client or self.door.connect(timeout=3 if self.hung else self.patience)
        except (TimeoutError, Closed):
            self.hung = True  # so that the rest of the run does not wait as long each time
            return Transcript(trouble="no new connection is served")
        self.hung = False
        self._client = None
        if first:
            client.query(first)
        transcript = Transcript()
        parts: Sequence[str] = (attack.sql,) if form == "simple" else statements(attack.sql)
        try:
            for part in parts:
                transcript.messages += exchange(client, part, form, attack.data.encode())
            if last:
                transcript.messages += client.query(last)
        except Closed as closed:
            transcript.messages += closed.messages
            transcript.trouble = "the connection was closed"
        except TimeoutError:
            transcript.trouble = "no answer in time"
            self.hung = True
        if transcript.trouble:
            client.close()
        else:
            self._keep(client, clean=only_reads(attack.sql), transcript=transcript)
        return transcript

    def _keep(self, client: WireClient, *, clean: bool, transcript: Transcript) -> None:
        """After any attack the connection still works; keep it when it carries no state."""
        try:
            if client.status != b"I":
                client.query("ROLLBACK")
            answer = rows(client.query("SELECT 1"))
        except (Closed, TimeoutError):
            answer = []
        if answer != [[b"1"]]:
            transcript.trouble = f"afterwards SELECT 1 on the same connection gives {answer}"
        if clean and not transcript.trouble:
            self._client = client
        else:
            client.close()

    def bystander_works(self) -> bool:
        """A client that was connected all the time is still served."""
        if self.hung:
            return False
        try:
            if self._bystander is None:
                self._bystander = self.door.connect(timeout=self.patience)
            return rows(self._bystander.query("SELECT 1")) == [[b"1"]]
        except (Closed, TimeoutError):
            self._bystander = None
            return False

    def digest(self) -> str:
        """A hash of every row of every table and of what objects exist, seen by the superuser."""
        listed = rows(self.inspector.query(_TABLES))
        counts = " UNION ALL ".join(
            _TABLE_DIGEST.format((name or b"").decode()) for (name,) in listed
        )
        content = rows(self.inspector.query(f"{counts} ORDER BY 1"))
        objects = [rows(self.inspector.query(text)) for text in _OBJECTS]
        assert content and all(objects[:2]), "the digest read nothing"
        return hashlib.sha256(repr((content, objects)).encode()).hexdigest()

    def close(self) -> None:
        """Close every connection."""
        for client in (self._client, self._bystander, self.inspector):
            if client is not None:
                client.close()


_TABLES = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n"
    " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1"
)
_TABLE_DIGEST = (
    "SELECT '{0}', count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM ONLY {0} t"
)
# Objects, rights and settings an attack might leave behind.
_OBJECTS = (
    "SELECT oid, relname, relkind, relacl::text, relrowsecurity FROM pg_class"
    " WHERE oid >= 16384 AND relpersistence <> 't' AND relkind NOT IN ('i', 't') ORDER BY oid",
    "SELECT rolname, rolsuper FROM pg_roles ORDER BY 1",
    "SELECT oid, proname, md5(prosrc) FROM pg_proc WHERE oid >= 16384 ORDER BY oid",
    "SELECT oid, typname FROM pg_type WHERE oid >= 16384 AND typtype <> 'c' ORDER BY 1",
    "SELECT oid, oprname FROM pg_operator WHERE oid >= 16384 ORDER BY oid",
    "SELECT ev_class, rulename FROM pg_rewrite WHERE oid >= 16384 ORDER BY 1, 2",
    "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1",
    "SELECT pubname FROM pg_publication ORDER BY 1",
    "SELECT stxname FROM pg_statistic_ext ORDER BY 1",
    "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_' ORDER BY 1",
    "SELECT count(*) FROM pg_largeobject_metadata",
    "SELECT count(*) FROM pg_prepared_xacts",
    "SELECT setdatabase, setrole, setconfig::text FROM pg_db_role_setting ORDER BY 1, 2",
)


def exchange(client: WireClient, sql: str, form: str, data: bytes = b"") -> list[Message]:
    """One statement or text in one form."""
    if form == "simple":
        return client.query(sql, data=data)
    if form == BOUND:
        text, values = bound(sql) or (sql, ())
        name = f"s{len(client.sent)}"
        return client.extended(text, values, name=name, data=data)
    kind = BINARY if form.endswith("binary") else TEXT
    return client.extended(sql, result_format=kind, data=data)


def comparable(transcript: Transcript, attack: Attack) -> list[bytes]:
    """The messages as the bytes both worlds must share.

    Rows are a multiset unless the text asks for an order; the id of a record and the time of day
    differ between any two runs.
    """
    result: list[bytes] = []
    run: list[bytes] = []
    clock_columns: set[int] = set()
    for message in transcript.messages:
        if message.tag in _NOT_COMPARED:
            continue
        if message.tag == b"D":
            run.append(_row(message, clock_columns if attack.reads_clock else set()))
            continue
        result += run if attack.orders else sorted(run)
        run = []
        if message.tag == b"T":
            kinds = enumerate(columns(message))
            clock_columns = {place for place, column in kinds if column.type_oid in CLOCK_TYPES}
        body = _error(message) if message.tag in (b"E", b"N") else message.body
        result.append(message.tag + (_TIME.sub(b"TIME", body) if attack.reads_clock else body))
    return [*result, *(run if attack.orders else sorted(run))]


def _row(message: Message, clock_columns: set[int]) -> bytes:
    if not clock_columns:
        return b"D" + message.body
    values = row_values(message)
    return b"D" + repr([None if i in clock_columns else v for i, v in enumerate(values)]).encode()


def _error(message: Message) -> bytes:
    """An error's fields without the id its record got."""
    fields = message.fields
    if refusal_code(fields):
        detail = json.loads(fields["D"])
        fields["D"] = json.dumps({name: detail[name] for name in detail if name != "record"})
    return repr(fields).encode()


@contextmanager
def two_servers(setup: Setup | None = None, *, writing: bool = False) -> Iterator[TwoServers]:
    """Both databases, filled: a server for each, as both must have the name the attacks use.

    The second is filled by the same statements and then changed, so OIDs are the same in both.
    """
    setup = setup or Setup.given()
    with EmbeddedPostgres() as first, EmbeddedPostgres() as second:
        fill(first, second, DATABASE, large=setup.large, writing=writing)
        for server in (first, second):
            set_for_all(server, setup)
        yield first, second


def set_for_all(server: EmbeddedPostgres, setup: Setup) -> None:
    """Make the setup's settings those of every new session."""
    changes = [f"ALTER ROLE ALL SET {name} TO {value}" for name, value in setup.settings]
    server.execute("postgres", ";".join(["ALTER ROLE ALL RESET ALL", *changes]))


def fill(
    first: EmbeddedPostgres, second: EmbeddedPostgres, database: str, *,
    large: bool = False, writing: bool = False,
) -> None:  # fmt: skip
    """Create a database of that name on both servers: world A on the first, B on the second.

    `writing`: with what logins that write meet.
    """
    names = ["world_a", *(["world_large"] if large else []), *(["world_writes"] if writing else [])]
    others = ["world_b", *(["world_writes_b"] if writing else [])]
    scripts = [HERE / f"{name}.sql" for name in names]
    first.create_database(database, *scripts)
    second.create_database(database, *scripts, *(HERE / f"{name}.sql" for name in others))


def server_version(server: EmbeddedPostgres) -> int:
    """server_version_num, as 180000."""
    return int(server.execute("postgres", "SHOW server_version_num"))
