"""One small schema for all ORMs: a library of two tenants, the rules in front of it, and a tap.

Values of a tenant begin with its name, values nobody may see with DENIED, so that what leaks can
be recognised in the bytes. Tenant 1 has odd ids, tenant 2 even ones; rows of both stand mixed.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass

TENANTS = {"acme": 1, "bolt": 2}
SQL = """
CREATE TYPE genre AS ENUM ('novel', 'poetry', 'science');
CREATE TYPE denied_kind AS ENUM ('DENIEDKIND');
CREATE TABLE authors (
  id serial PRIMARY KEY, tenant_id int NOT NULL, name text NOT NULL, email text NOT NULL,
  ssn text NOT NULL, born date, rating double precision, meta jsonb NOT NULL DEFAULT '{}',
  tags text[] NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL DEFAULT '2024-01-01');
CREATE TABLE books (
  id serial PRIMARY KEY, tenant_id int NOT NULL, author_id int NOT NULL REFERENCES authors (id),
  title varchar(200) NOT NULL, genre genre NOT NULL, price numeric(10, 2) NOT NULL,
  pages int NOT NULL CHECK (pages > 0), published date, isbn uuid NOT NULL UNIQUE,
  cost numeric(10, 2) NOT NULL DEFAULT 6666.66, CHECK (cost > 0));
CREATE TABLE readers (
  id serial PRIMARY KEY, tenant_id int NOT NULL, name varchar(80) NOT NULL,
  vip boolean NOT NULL DEFAULT false);
CREATE TABLE loans (
  id serial PRIMARY KEY, tenant_id int NOT NULL, book_id int NOT NULL REFERENCES books (id),
  reader_id int NOT NULL REFERENCES readers (id), due timestamptz NOT NULL,
  returned boolean NOT NULL, UNIQUE (book_id, reader_id));
CREATE TABLE denied (id int PRIMARY KEY, book_id int REFERENCES books (id), kind denied_kind);
CREATE INDEX books_published ON books (published);
CREATE INDEX books_denied ON books (cost);
COMMENT ON TABLE books IS 'what can be lent'; COMMENT ON COLUMN books.pages IS 'without the cover';
COMMENT ON COLUMN books.cost IS 'DENIEDCOMMENT'; COMMENT ON TABLE denied IS 'DENIEDCOMMENT';
CREATE TEMP TABLE t AS SELECT n, tenant, 2 * n - (tenant = 1)::int AS id,
    (ARRAY['ACME', 'BOLT'])[tenant] AS mark
  FROM generate_series(1, 60) n, (VALUES (2), (1)) v(tenant) ORDER BY n, tenant DESC;
INSERT INTO authors SELECT id, tenant, mark || ' Author ' || n, lower(mark) || n || '@example.org',
    'DENIED' || id, date '1950-01-01' + 400 * n, n / 4.0,
    jsonb_build_object('city', mark || n % 3, 'age', n, 'langs', jsonb_build_array('en', 'l' || n)),
    ARRAY[mark, 't' || n % 4], timestamptz '2024-01-01 12:00+00' + n * interval '1 day'
  FROM t WHERE n <= 8;
INSERT INTO books SELECT id, tenant, 2 * (1 + n % 7) - (tenant = 1)::int, mark || ' Title ' || n,
    (ARRAY['novel', 'poetry', 'science'])[1 + n % 3]::genre, n * 1.25 + tenant, 50 + n * 7,
    CASE WHEN n % 5 > 0 THEN date '2001-03-01' + n * 100 END,
    md5(mark || n)::uuid FROM t WHERE n <= 40;
INSERT INTO readers SELECT id, tenant, mark || ' Reader ' || n, n % 3 = 0 FROM t WHERE n <= 12;
INSERT INTO loans SELECT id, tenant, 2 * (1 + n % 30) - (tenant = 1)::int,
    2 * (1 + n % 11) - (tenant = 1)::int,
    timestamptz '2025-05-05 08:30+00' + n * interval '6 hours', n % 2 = 0 FROM t;
INSERT INTO denied VALUES (1, 1, 'DENIEDKIND'), (2, 2, 'DENIEDKIND');
DROP TABLE t; ANALYZE;
CREATE ROLE store_app LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO store_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO store_app;
"""
RULES = """
version: 1
profile: prod
entities:
  authors: {tenant: tenant_id, columns: {ssn: deny, email: {mask: email}}}
  books: {tenant: tenant_id, columns: {cost: deny}}
  readers: {tenant: tenant_id}
  loans: {tenant: tenant_id}
  denied: {visible: false}
capabilities:
  read: {select: [authors, books, readers, loans], lock: true}
roles:
  orm: {can: [read], budget: {rows: 500, joins: 6, columns: 60, complexity: 400, time: 20s}}
subjects:
  - {login: acme, tenant: 1, roles: [orm]}
  - {login: bolt, tenant: 2, roles: [orm]}
"""
VISIBLE = {"authors", "books", "loans", "readers"}
# What one tenant must never receive a byte of.
_DENIED = (b"DENIED", b"6666.66", b"books_denied")
FOREIGN = {"acme": (b"BOLT", b"bolt", *_DENIED), "bolt": (b"ACME", b"acme", *_DENIED)}
DATABASE = "store"


@dataclass(slots=True)
class Door:
    """Where one tenant connects. `received`: every byte that has come from the proxy since."""

    tenant: str
    user: str
    password: str
    port: int
    received: bytearray

    @property
    def number(self) -> int:
        """The value of tenant_id."""
        return TENANTS.get(self.tenant, 0)

    def dsn(self, scheme: str = "postgresql") -> str:
        """A URL."""
        password = f":{self.password}" if self.password else ""
        return f"{scheme}://{self.user}{password}@127.0.0.1:{self.port}/{DATABASE}"

    def leaked(self) -> list[bytes]:
        """Marks of the other tenant and of what is denied in what was received."""
        seen = bytes(self.received).replace(self.user.encode(), b"")
        return [mark for mark in FOREIGN[self.tenant] if mark in seen]


def masked(email: str) -> str:
    """An address as the rules show it."""
    return f"{email[0]}***{email[email.index('@') :]}"


class Tap:
    """A relay before a server that keeps what the server sends."""

    def __init__(self, target: int) -> None:
        self.received = bytearray()
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for one, other, keep in ((client, server, None), (server, client, self.received)):
                    threading.Thread(target=_pump, args=(one, other, keep), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket, keep: bytearray | None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if keep is not None:
                keep += data
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()
