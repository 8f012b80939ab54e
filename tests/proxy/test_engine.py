"""The engine: cached decisions, start-up settings, reload by assignment."""

from __future__ import annotations

import logging

import pytest

from policies import pipeline
from policies.decision import Allow, Deny
from policies.own_settings import started_with
from policies.pipeline import Snapshot
from policies.rules import parse
from proxy.engine import CACHED_TEXT_BYTES, Engine
from tests.policies.lab import CATALOG, RULES, SNAPSHOT, subject


@pytest.fixture
def engine() -> Engine:
    return Engine(SNAPSHOT)


def test_a_text_seen_before_is_one_look_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    first, cached = engine.decide(subject(), b"SELECT id FROM t")
    assert not cached
    monkeypatch.setattr("proxy.engine.decide", None)  # deciding again would now fail
    again, cached = engine.decide(subject(), b"SELECT id FROM t")
    assert cached and again is first


def test_the_cache_is_by_subject(engine: Engine) -> None:
    ann, _ = engine.decide(subject("ann"), b"SELECT id FROM s")
    bob, cached = engine.decide(subject("bob"), b"SELECT id FROM s")
    assert not cached and isinstance(ann, Allow) and isinstance(bob, Allow)
    assert ann.text != bob.text


def test_long_texts_are_decided_but_not_kept(engine: Engine) -> None:
    text = b"SELECT id FROM s -- " + b"x" * CACHED_TEXT_BYTES
    assert not engine.decide(subject(), text)[1]
    assert not engine.decide(subject(), text)[1]


def test_a_new_snapshot_decides_anew(engine: Engine) -> None:
    before, _ = engine.decide(subject(), b"SELECT mail FROM t")
    rules = parse(RULES.replace("browse: {select: [t, ", "browse: {select: ["), "lab.yaml")
    engine.snapshot = Snapshot(rules, CATALOG, b"", "v2")
    after, cached = engine.decide(subject(), b"SELECT mail FROM t")
    assert isinstance(before, Allow) and isinstance(after, Deny) and not cached
    assert after.policy_version == "v2"


def test_a_fault_is_logged_by_place_only(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise KeyError("a value nobody may see")

    monkeypatch.setattr(pipeline, "STEPS", (broken,))
    with caplog.at_level(logging.ERROR):
        engine.decide(subject(), b"SELECT 1")
    assert "KeyError at test_engine.py" in caplog.text
    assert "nobody may see" not in caplog.text


def test_start_up_settings_are_checked_and_pinned(engine: Engine) -> None:
    asked = {"TimeZone": "UTC", "options": "-c statement_timeout=500 -c DateStyle=ISO\\ MDY"}
    settings = engine.startup(subject(), asked)
    assert isinstance(settings, dict)
    assert settings["timezone"] == "UTC" and settings["statement_timeout"] == "500"
    assert settings["datestyle"] == "ISO MDY"
    assert settings["standard_conforming_strings"] == "on"
    assert settings["default_transaction_read_only"] == "on"
    assert settings["search_path"] == '"public"'
    assert engine.startup(subject("bob"), {}) == {
        "statement_timeout": "1000",
        "client_min_messages": "notice",
        "search_path": '"public"',
        "client_encoding": "UTF8",
        "standard_conforming_strings": "on",
        "default_transaction_read_only": "on",
    }
    own = engine.startup(subject(), {"options": "-c querywarden.Capability=browse"})
    assert isinstance(own, dict) and started_with(own) == {"capability": "browse"}
    locking = engine.startup(subject("kim"), {})
    assert isinstance(locking, dict) and locking["default_transaction_read_only"] == "off"


@pytest.mark.parametrize(
    "parameters",
    [
        {"standard_conforming_strings": "off"},
        {"client_encoding": "GBK"},
        {"role": "postgres"},
        {"search_path": "evil"},
        {"options": "-c standard_conforming_strings=off -c search_path=evil"},
        {"options": "--row_security=off"},
        {"options": "-c statement_timeout=0"},
        {"options": "-d 5"},
        {"options": "-c default_transaction_read_only=off"},
        {"options": "-c querywarden.context=eyJ.a.b"},
        {"options": "-c querywarden.capability=huge"},
        {"options": "-c querywarden.other=a"},
        {"QueryWarden.Reason": "two\nlines"},
    ],
)
def test_hostile_start_up_parameters_are_refused(
    engine: Engine, parameters: dict[str, str]
) -> None:
    assert isinstance(engine.startup(subject(), parameters), Deny)


def test_observe_opens_with_what_the_client_asked(engine: Engine) -> None:
    assert engine.mode(subject("eve")) == "observe"
    assert engine.startup(subject("eve"), {"work_mem": "1MB"}) == {"work_mem": "1MB"}


def test_logins_come_from_the_rules(engine: Engine) -> None:
    assert engine.subject("nobody") is None
    assert engine.unknown_subject().reason.code == "AUTHENTICATION_REQUIRED"
    assert "login: ann" in RULES


def test_parameters_may_only_have_types_the_subject_sees(engine: Engine) -> None:
    assert engine.parameter_types(subject(), (0, 23, 16500)) is None
    denied = engine.parameter_types(subject(), (16501,))
    assert denied is not None and denied.reason.code == "TYPE_NOT_ALLOWED"
    assert engine.parameter_types(subject("eve"), (16501,)) is None


@pytest.mark.parametrize("oid", [2205, 2210, 4096, 16502])
def test_parameters_are_no_look_up_values_and_no_rows(engine: Engine, oid: int) -> None:
    assert engine.parameter_types(subject(), (23, oid)) is not None
