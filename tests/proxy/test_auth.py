"""The userlist: its form, its errors, its reload, and lines made for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.auth import ScramServer, Userlist, UserlistError, passwd_line
from proxy.wire.scram import ScramClient, make_verifier


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "userlist.txt"


def accepts(userlist: Userlist, login: str, password: str) -> bool:
    verifier = userlist.verifier(login)
    if verifier is None:
        return False
    client, server = ScramClient(password), ScramServer(verifier)
    try:
        client.check(server.final(client.final(server.first(client.first()))))
    except Exception:
        return False
    return True


def test_passwords_and_verifiers(path: Path) -> None:
    path.write_text(
        f'; a comment\n# another\n\n"plain" "s3cret"\n"made" "{make_verifier("other")}"\n'
        '  "sp aced"\t"p""w"  \n"ünï" "pässwörd"\n'
    )
    userlist = Userlist.load(path)
    assert len(userlist) == 4 and "plain" in userlist and "nobody" not in userlist
    assert accepts(userlist, "plain", "s3cret") and not accepts(userlist, "plain", "other")
    assert accepts(userlist, "made", "other")
    assert accepts(userlist, "sp aced", 'p"w')
    assert accepts(userlist, "ünï", "pässwörd")
    assert userlist.verifier("nobody") is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("plain s3cret", 'expected "login" "password or SCRAM verifier"'),
        ('"a" "b" "c"', 'expected "login" "password or SCRAM verifier"'),
        ('"a"', 'expected "login" "password or SCRAM verifier"'),
        ('"" "b"', "the login is empty"),
        ('"a" ""', "the password is empty"),
        ('"first" "again"', 'login "first" stands twice'),
        ('"a" "md5' + "0" * 32 + '"', "an md5 hash cannot serve SCRAM-SHA-256"),
        ('"a" "SCRAM-SHA-256$4096:x$y:z"', "malformed SCRAM-SHA-256 verifier"),
    ],
)
def test_errors_name_file_and_line_and_no_password(path: Path, line: str, problem: str) -> None:
    path.write_text(f'"first" "hidden"\n{line}\n')
    with pytest.raises(UserlistError) as raised:
        Userlist.load(path)
    assert str(raised.value).startswith(f"{path}:2: {problem}")
    assert "hidden" not in str(raised.value)


def test_files_that_cannot_be_read(path: Path) -> None:
    with pytest.raises(UserlistError, match="cannot be read: No such file"):
        Userlist.load(path)
    path.write_bytes(b'"a" "\xff"')
    with pytest.raises(UserlistError, match="it is not UTF-8"):
        Userlist.load(path)


def test_a_bad_file_never_replaces_a_good_one(path: Path) -> None:
    path.write_text('"a" "one"\n')
    userlist = Userlist.load(path)
    path.write_text('"a" "two"\nbroken\n')
    with pytest.raises(UserlistError):
        userlist.reload()
    assert accepts(userlist, "a", "one")
    path.write_text('"a" "two"\n')
    userlist.reload()
    assert accepts(userlist, "a", "two") and not accepts(userlist, "a", "one")


def test_an_unknown_login_looks_like_a_known_one(path: Path) -> None:
    path.write_text('"a" "one"\n')
    userlist = Userlist.load(path)
    known, mock = userlist.verifier("a"), userlist.mock_verifier("nobody")
    assert known is not None and mock.iterations == known.iterations
    assert len(mock.salt) == len(known.salt)
    assert mock.salt == userlist.mock_verifier("nobody").salt != userlist.mock_verifier("x").salt


@pytest.mark.parametrize(("login", "password"), [("agent", "p w"), ('a"b', 'c"d'), ("ü", "ß")])
def test_a_made_line_is_read_back(path: Path, login: str, password: str) -> None:
    line = passwd_line(login, password)
    assert password not in line.split(" ", 1)[1]
    path.write_text(line + "\n")
    assert accepts(Userlist.load(path), login, password)


def test_a_made_line_has_a_fresh_salt() -> None:
    assert passwd_line("a", "pw") != passwd_line("a", "pw")


@pytest.mark.parametrize(
    ("login", "password"), [("", "pw"), ("a", ""), ("a\nb", "pw"), ("a", "\0")]
)
def test_what_cannot_be_a_line(login: str, password: str) -> None:
    with pytest.raises(UserlistError):
        passwd_line(login, password)
