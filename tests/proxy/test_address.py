"""Connection strings: both forms, defaults, and what is refused."""

from __future__ import annotations

import pytest

from proxy.net.address import AddressError, UpstreamAddress

GOOD = [
    ("postgresql://u:p@h:5433/d", UpstreamAddress("h", 5433, "u", "d", "p")),
    ("postgres://u@h", UpstreamAddress("h", 5432, "u", "u")),
    ("postgresql://u@/d?host=/run/pg&port=5433", UpstreamAddress("/run/pg", 5433, "u", "d")),
    ("postgresql://postgres:@/d?host=/run/pg", UpstreamAddress("/run/pg", 5432, "postgres", "d")),
    ("postgresql://u@%2Frun%2Fpg/d", UpstreamAddress("/run/pg", 5432, "u", "d")),
    ("postgresql://u%40x:p%3Aw%2F@h/d%20b", UpstreamAddress("h", 5432, "u@x", "d b", "p:w/")),
    ("postgresql://u@[::1]:5433/d", UpstreamAddress("::1", 5433, "u", "d")),
    ("postgresql://u@h/d?sslmode=prefer&application_name=x", UpstreamAddress("h", 5432, "u", "d")),
    ("postgresql://u@h/d?options=-c%20work_mem%3D1MB",
     UpstreamAddress("h", 5432, "u", "d", "", "-c work_mem=1MB")),
    ("host=h port=5433 user=u password=p dbname=d", UpstreamAddress("h", 5433, "u", "d", "p")),
    ("user = u  password='p w\\'\\\\' host = h", UpstreamAddress("h", 5432, "u", "u", "p w'\\")),
    (" host=/run/pg user=u dbname=d sslmode=disable ", UpstreamAddress("/run/pg", 5432, "u", "d")),
]  # fmt: skip


@pytest.mark.parametrize(("dsn", "address"), GOOD)
def test_what_is_understood(dsn: str, address: UpstreamAddress) -> None:
    assert UpstreamAddress.parse(dsn) == address


def test_defaults() -> None:
    address = UpstreamAddress.parse("")
    assert (address.host, address.port) == ("localhost", 5432)
    assert address.user and address.database == address.user


BAD = [
    ("postgresql://u@h/d?sslmode=require", "TLS to the upstream is not available"),
    ("postgresql://u@h/d?sslmode=verify-full", "TLS to the upstream is not available"),
    ("host=h user=u sslmode=nonsense", "sslmode=nonsense"),
    ("postgresql://u@h:x/d", 'invalid port "x"'),
    ("postgresql://u@h:0/d", 'invalid port "0"'),
    ("postgresql://u@h:70000/d", 'invalid port "70000"'),
    ("postgresql://u@h1,h2/d", "several upstream hosts"),
    ("postgresql://u@[::1/d", "malformed IPv6"),
    ("postgresql://u@h/d?nonsense=1", 'unknown connection option "nonsense"'),
    ("postgresql://u@h/d?broken", "malformed option"),
    ("host=h nonsense=1", 'unknown connection option "nonsense"'),
    ("just words", "expected"),
    ("host='h", "expected"),
    ("host=h target_session_attrs=read-write", "not available"),
    ("host=h client_encoding=latin1", "not available"),
    ("postgresql://u%00@h/d", "NUL"),
]


@pytest.mark.parametrize(("dsn", "problem"), BAD)
def test_what_is_refused(dsn: str, problem: str) -> None:
    with pytest.raises(AddressError, match=problem):
        UpstreamAddress.parse(dsn)


def test_the_password_is_never_shown() -> None:
    address = UpstreamAddress.parse("postgresql://u:hidden@h/d")
    assert "hidden" not in str(address) + repr(address)
    with pytest.raises(AddressError) as raised:
        UpstreamAddress.parse("postgresql://u:hidden@h:x/d")
    assert "hidden" not in str(raised.value)


def test_the_socket_path() -> None:
    assert UpstreamAddress.parse("host=/run/pg port=5433").socket_path == "/run/pg/.s.PGSQL.5433"
    assert UpstreamAddress.parse("host=h").socket_path is None
