"""COPY ... TO STDOUT by psql, psycopg 3 and asyncpg: the caller's rows, no more than allowed."""

from __future__ import annotations

import io
import shutil
import subprocess
import time
from decimal import Decimal
from pathlib import Path

import asyncpg
import psycopg
import pytest
from psycopg import errors

from proxy.testing import PostgresServer, RunningProxy
from tests.drivers.conftest import plain_environment

USERS = ["1\ta***@acme.example\t\\N", "2\ta***@acme.example\t\\N"]
CAP = 100  # of profile prod; pgbench_accounts has 100,000 rows that everybody sees


def psql(program: Path, dsn: str, command: str) -> tuple[str, str]:
    done = subprocess.run(
        [program, "-X", dsn, "-c", command],
        env=plain_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout, done.stderr


def test_psql(postgres: PostgresServer, dsn: str, other_dsn: str, tmp_path: Path) -> None:
    for program in filter(None, (postgres.psql, shutil.which("psql"))):
        text = "COPY users (id, email, balance) TO STDOUT"
        assert psql(Path(program), dsn, text) == ("\n".join(USERS) + "\n", "")
        assert "z***@bolt.example" in psql(Path(program), other_dsn, text)[0]
        everything, complaints = psql(Path(program), dsn, "COPY public.users TO STDOUT")
        assert complaints == "" and len(everything.splitlines()) == 2
        assert "111-10" not in everything and "alice" not in everything.lower()
        target = tmp_path / "users.csv"
        said = psql(
            Path(program), dsn,
            rf"\copy (SELECT id, email FROM users ORDER BY id) TO '{target}' CSV HEADER",
        )  # fmt: skip
        assert said == ("COPY 2\n", "")
        assert target.read_text().splitlines()[:2] == ["id,email", "1,a***@acme.example"]
        said = psql(Path(program), dsn, rf"\copy pgbench_accounts TO '{target}' CSV HEADER")
        assert said == (f"COPY {CAP}\n", f"NOTICE:  result capped at {CAP} rows\n")
        assert len(target.read_text().splitlines()) == CAP + 1


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
@pytest.mark.parametrize("limit", [0, 1, CAP - 1, CAP, CAP + 1, 5000])
def test_psycopg_gets_no_more_than_the_cap(dsn: str, form: str, limit: int) -> None:
    query = f"SELECT aid FROM pgbench_accounts ORDER BY aid LIMIT {limit}"
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT {form})") as copy:
            if form != "csv":
                copy.set_types(["int4"])
                found = [row[0] for row in copy.rows()]
            else:
                found = [int(line) for line in b"".join(copy).split()]
        assert found == list(range(1, min(limit, CAP) + 1))
        assert cursor.rowcount == min(limit, CAP)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_psycopg_one_tenant_masked(dsn: str, shop: RunningProxy) -> None:
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY users TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE (email))") as copy:
            lines = b"".join(copy).decode().splitlines()
        assert lines[0].startswith("id,tenant_id,email,full_name,tier")
        assert "ssn" not in lines[0]
        assert [line.split(",")[2] for line in lines[1:]] == ['"a***@acme.example"'] * 2
        with pytest.raises(errors.UndefinedColumn) as caught:
            connection.execute("COPY users (ssn) TO STDOUT")
        assert "email" in (caught.value.diag.message_hint or "")
        connection.rollback()
        for text, reason in (
            ("COPY users FROM STDIN", "COPY FROM is not allowed"),
            ("COPY users TO '/tmp/x'", "COPY with a file"),
            ("COPY users TO PROGRAM 'cat'", "COPY with PROGRAM"),
            ("COPY secrets TO STDOUT", "does not exist or is not visible"),
        ):
            with pytest.raises(psycopg.Error, match=reason):
                connection.execute(text)
            connection.rollback()


async def test_asyncpg(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    out = io.BytesIO()
    tag = await connection.copy_from_table(
        "users", columns=["id", "email"], output=out, format="csv", header=True
    )
    assert tag == "COPY 2"
    assert out.getvalue().splitlines()[0] == b"id,email"
    out = io.BytesIO()
    tag = await connection.copy_from_query(
        "SELECT amount FROM orders WHERE amount > $1", Decimal(15), output=out
    )
    assert (tag, out.getvalue()) == ("COPY 1", b"20.00\n")
    for form in ("text", "binary"):
        out = io.BytesIO()
        tag = await connection.copy_from_table("pgbench_accounts", output=out, format=form)
        assert tag == f"COPY {CAP}"
        assert out.getvalue().endswith(b"\n" if form == "text" else b"\xff\xff")
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


def test_a_copied_result_is_recorded(shop: RunningProxy, dsn: str) -> None:
    text = "COPY pgbench_accounts (aid) TO STDOUT"
    with psycopg.connect(dsn, autocommit=True) as connection:
        with connection.cursor().copy(text) as copy:
            assert len(list(copy)) == CAP
        connection.execute("SELECT 1")
    deadline = time.monotonic() + 10
    while not (records := [r for r in shop.records() if r["sql_template"] == text]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (records[-1]["row_count"], records[-1]["truncated"]) == (CAP, True)
    assert (records[-1]["operation"], records[-1]["decision"]) == ("copy", "rewrite")


def test_a_copy_is_not_run_by_the_name_it_was_prepared_under(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        prepared = connection.pgconn.prepare(b"copied", b"COPY pgbench_accounts TO STDOUT")
        assert prepared.status == psycopg.pq.ExecStatus.COMMAND_OK
        with pytest.raises(errors.InsufficientPrivilege, match="no query"):
            connection.execute("EXECUTE copied")
        assert connection.execute("SELECT 1").fetchone() == (1,)
