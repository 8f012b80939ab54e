"""What the proxy says itself."""

from __future__ import annotations

import json
from dataclasses import replace

from policies import reasons
from policies.places import VIEW, Written
from proxy.net import answers
from proxy.wire.messages import ErrorResponse, Message, NoticeResponse
from tests.proxy.conversation import deny, fields


def read(raw: bytes, kind: type[Message] = ErrorResponse) -> dict[str, str]:
    assert raw[:1] == kind.TAG
    return fields(kind.decode(raw[5:]))


def test_an_error_has_only_the_fields_it_needs() -> None:
    assert read(answers.error("26000", "no such thing")) == {
        "S": "ERROR", "V": "ERROR", "C": "26000", "M": "no such thing",
    }  # fmt: skip
    assert read(answers.fatal("57P01", "bye", "connect again"))["V"] == "FATAL"


def test_a_denial_can_be_read_by_a_program() -> None:
    said = read(answers.denial(deny(reasons.TYPE_NOT_ALLOWED, "no", "yes", column="ssn")))
    assert json.loads(said["D"]) == {"code": "TYPE_NOT_ALLOWED", "policy_version": "v1"}
    assert "\n" not in said["D"]
    assert (said["C"], said["M"], said["H"], said["c"]) == ("42501", "no", "yes", "ssn")
    assert "R" not in said and "t" not in said


def test_a_changed_plan_says_so_in_the_way_drivers_know() -> None:
    said = read(answers.denial(deny(reasons.PLAN_CHANGED)))
    assert (said["C"], said["R"]) == ("0A000", "RevalidateCachedQuery")


def test_a_syntax_error_says_where() -> None:
    denial = replace(deny(reasons.SYNTAX_ERROR), place=7)
    assert read(answers.denial(denial))["P"] == "7"


UPSTREAM = {"S": b"ERROR", "C": b"42703", "M": b"no column", "D": b"detail", "R": b"r"}
SENT = [(b"SELECT (SELECT 1)", Written(0, ((7, 8, 10, VIEW),)))]


def test_a_position_is_led_back() -> None:
    said = read(answers.upstream_error({**UPSTREAM, "P": b"1", "p": b"3"}, SENT, b"SELECT t"))
    assert said == {"S": "ERROR", "C": "42703", "M": "no column", "P": "1"}
    for place in (b"", b"x", b"0", b"-1", b"999"):
        said = read(answers.upstream_error({**UPSTREAM, "P": place}, SENT, b"SELECT t", "hint"))
        assert said == {"S": "ERROR", "C": "42703", "M": "no column", "H": "hint"}
    assert "P" not in read(answers.upstream_error({**UPSTREAM, "P": b"9"}, (), b""))


def test_no_other_column_is_suggested() -> None:
    theirs = {**UPSTREAM, "H": b"Perhaps you meant ..."}
    assert "H" not in read(answers.upstream_error(theirs, (), b""))
    assert read(answers.upstream_error(theirs, SENT, b"SELECT t", "ours"))["H"] == "ours"
    assert read(answers.upstream_error({**theirs, "C": b"42883"}, (), b""))["H"][:7] == "Perhaps"


def test_an_error_in_a_policy_view_is_told_in_our_words() -> None:
    said = read(answers.upstream_error({**UPSTREAM, "H": b"theirs", "P": b"9"}, SENT, b"SELECT t"))
    assert (said["C"], said["P"]) == ("42703", "8")
    assert "no longer fit" in said["M"] and "check" in said["H"]


def test_text_that_cannot_be_sent_is_made_fit() -> None:
    assert read(answers.error("22021", "a\0b\ud800"))["M"] == "ab?"


def test_the_cap_notice() -> None:
    assert (
        read(answers.cap_notice(100, b"rows"), NoticeResponse)["M"] == "result capped at 100 rows"
    )
