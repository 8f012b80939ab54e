"""Settings a client may SET, RESET or SHOW, and with which values. What is not listed is refused.

Some settings change what a text means (`standard_conforming_strings`), who runs it (`role`) or
what it may do (`row_security`, `default_transaction_read_only`), so the list is of harmless ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from policies.reasons import SETTING_NOT_ALLOWED, VALIDATION_ERROR, Refusal
from policies.sql import literal

Check = Callable[[str], bool]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\Z")
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6, "d": 8.64e7, None: 1.0}


def _anything(value: str) -> bool:
    return len(value) <= 200 and value.isprintable()


def _one_of(*values: str) -> Check:
    return lambda value: value.strip().lower() in values


def _utf8(value: str) -> bool:
    return value.strip().strip("'\"").lower().replace("-", "") in ("utf8", "unicode")


def _number(low: int, high: int) -> Check:
    return lambda value: re.fullmatch(r"-?\d{1,9}", value) is not None and low <= int(value) <= high


BOOLEAN = _one_of("on", "off", "true", "false", "yes", "no", "1", "0")

# PostgreSQL manual, chapter 20: every entry only shapes output, names the client or costs it time.
SETTINGS: dict[str, Check] = {
    "application_name": _anything,
    "bytea_output": _one_of("hex", "escape"),
    "client_encoding": _utf8,
    "client_min_messages": _one_of("notice", "warning", "error"),
    "datestyle": _anything,
    "extra_float_digits": _number(-15, 3),
    "geqo": BOOLEAN,
    "intervalstyle": _one_of("postgres", "postgres_verbose", "sql_standard", "iso_8601"),
    "jit": BOOLEAN,
    "plan_cache_mode": _one_of("auto", "force_generic_plan", "force_custom_plan"),
    "timezone": _anything,
    "standard_conforming_strings": _one_of("on", "true", "1", "yes"),
    "synchronous_commit": _one_of("on", "off", "local", "remote_write", "remote_apply"),
    "statement_timeout": lambda value: milliseconds(value) is not None,
    "lock_timeout": lambda value: milliseconds(value) is not None,
    "idle_in_transaction_session_timeout": lambda value: milliseconds(value) is not None,
    "search_path": _anything,
}

# Shown besides the ones that may be set.
READABLE = frozenset(
    """
    datestyle default_table_access_method default_text_search_config
    default_transaction_isolation in_hot_standby integer_datetimes is_superuser
    lc_collate lc_ctype lc_messages lc_monetary lc_numeric lc_time max_identifier_length
    max_index_keys server_encoding server_version server_version_num session_authorization
    transaction_deferrable transaction_isolation transaction_read_only
    default_transaction_read_only block_size ssl
    """.split()
)


# All names that may be shown, as an SQL list.
KNOWN_SETTINGS = ",".join(map(literal, sorted(READABLE | SETTINGS.keys())))


def milliseconds(value: str) -> float | None:
    """A PostgreSQL duration (`500`, `2s`, `'1 min'`) in milliseconds, or None if it is not one."""
    found = _DURATION.match(value.strip().lower())
    return float(found[1]) * _UNITS[found[2]] if found else None


# Settings whose value decides whether it is allowed; for the others PostgreSQL's own check will do.
_JUDGED = frozenset(
    """
    client_encoding client_min_messages search_path standard_conforming_strings statement_timeout
    """.split()
)


def any_value(name: str) -> bool:
    """Whether any value of a setting is harmless, so that it may be a parameter."""
    return name.lower() in SETTINGS.keys() - _JUDGED


def check_set(name: str, value: str, *, time_limit: float, search_path: tuple[str, ...]) -> None:
    """Refuse a setting or a value that is not on the list.

    `time_limit`: the subject's statement time in milliseconds, the most a client may ask for.
    `search_path`: the schemas names are resolved in; a client may repeat it but not change it,
    because what a text means must not depend on the session.
    """
    key = name.lower()
    check = SETTINGS.get(key)
    if check is None:
        raise Refusal(
            SETTING_NOT_ALLOWED,
            f'setting "{name}" may not be changed here',
            "settings that may be set: " + ", ".join(sorted(SETTINGS)),
        )
    if not check(value):
        raise Refusal(VALIDATION_ERROR, f'value not allowed for setting "{name}"')
    if key == "statement_timeout":
        asked = milliseconds(value) or 0.0
        if not 1 <= asked <= time_limit:  # PostgreSQL rounds less than half to 0, which is never
            raise Refusal(
                VALIDATION_ERROR,
                'value not allowed for setting "statement_timeout"',
                f"your limit is {time_limit:.0f} ms; ask for that or less, and not for 0",
            )
    if key == "search_path" and not _keeps(value, search_path):
        raise Refusal(
            SETTING_NOT_ALLOWED,
            "search_path may not be changed here",
            "write the schema with the table name, as in schema.table",
        )


def _keeps(value: str, search_path: tuple[str, ...]) -> bool:
    """Whether a search_path value still resolves names as the catalog does, or resolves none: the
    empty path finds nothing but pg_catalog, whatever a text names without its schema."""
    if value.strip().strip("\"'") == "":
        return True
    named = [part.strip().strip("\"'").replace('""', '"') for part in value.split(",")]
    return tuple(part for part in named if part != "$user") == search_path


def check_reset(name: str) -> None:
    """Refuse to reset what may not be set."""
    if name.lower() not in SETTINGS:
        raise Refusal(SETTING_NOT_ALLOWED, f'setting "{name}" may not be changed here')


def check_show(name: str) -> None:
    """Refuse to show a setting that is neither settable nor known to be harmless."""
    if name.lower() not in SETTINGS and name.lower() not in READABLE:
        raise Refusal(
            SETTING_NOT_ALLOWED,
            f'setting "{name}" may not be shown here',
            "settings that may be shown: " + ", ".join(sorted(READABLE | SETTINGS.keys())),
        )
