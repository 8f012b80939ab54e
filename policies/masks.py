"""Redaction: one function per kind, from a column to the SQL expression that stands in for it.

Every expression is total: it raises no error and has no effect for any value of its type, because
it may be evaluated on rows a scope is about to remove. Every one keeps the column's type.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from decimal import Decimal

from policies.rules_columns import Argument, Mask, MaskKind
from policies.sql import literal

TEXT_TYPES = frozenset({"text", "character varying", "character", "public.citext"})
TIME_TYPES = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})
WHOLE_TYPES = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}


class MaskError(ValueError):
    """The mask cannot keep the column's type; the message names both."""


def cast_name(type_name: str) -> str:
    """The type as a cast must write it: bare `character` and `bit` would mean length one."""
    return {"character": "pg_catalog.bpchar", "bit": "pg_catalog.varbit"}.get(type_name, type_name)


def mask(column: str, type_name: str, rule: Mask) -> str:
    """The SQL expression for a masked column. `column`: its quoted name. Raises MaskError."""
    return MASKS[rule.kind](column, type_name, rule.argument)


def _text(column: str, type_name: str, kind: str) -> str:
    """The column as text; a mask made of characters needs a column of characters."""
    if type_name not in TEXT_TYPES:
        raise MaskError(f"mask {kind} needs a text column, this one is {type_name}")
    return f"{column}::pg_catalog.text"


def _keep(kept: str, column: str, type_name: str, longer_than: int) -> str:
    """`kept` for values long enough to hide something, stars for the rest, NULL for NULL."""
    length = f"pg_catalog.length({column}::pg_catalog.text)"
    return (
        f"(CASE WHEN {column} IS NULL THEN NULL WHEN {length} > {longer_than} "
        f"THEN {kept} ELSE '***' END)::{cast_name(type_name)}"
    )


def null(column: str, type_name: str, argument: Argument) -> str:
    """Always NULL."""
    return f"NULL::{cast_name(type_name)}"


def constant(column: str, type_name: str, argument: Argument) -> str:
    """Always the same value."""
    return f"{literal(argument)}::{cast_name(type_name)}"


def email(column: str, type_name: str, argument: Argument) -> str:
    """`alice@example.com` -> `a***@example.com`; one-letter names and other texts lose it all."""
    text = _text(column, type_name, "email")
    at = f"pg_catalog.strpos({text}, '@')"
    domain = f"pg_catalog.split_part({text}, '@', -1)"
    return (
        f"(CASE WHEN {column} IS NULL THEN NULL "
        f"WHEN {at} > 2 THEN pg_catalog.left({text}, 1) || '***@' || {domain} "
        f"WHEN {at} > 0 THEN '***@' || {domain} ELSE '***' END)::{cast_name(type_name)}"
    )


def partial(column: str, type_name: str, argument: Argument) -> str:
    """First and last character: `Alice` -> `A***e`."""
    text = _text(column, type_name, "partial")
    kept = f"pg_catalog.left({text}, 1) || '***' || pg_catalog.right({text}, 1)"
    return _keep(kept, column, type_name, 4)


def first(column: str, type_name: str, argument: Argument) -> str:
    """The first n characters; values not at least twice as long are all stars."""
    text, count = _text(column, type_name, "first"), _whole(argument)
    return _keep(f"pg_catalog.left({text}, {count}) || '***'", column, type_name, 2 * count - 1)


def last(column: str, type_name: str, argument: Argument) -> str:
    """The last n characters; values not at least twice as long are all stars."""
    text, count = _text(column, type_name, "last"), _whole(argument)
    return _keep(f"'***' || pg_catalog.right({text}, {count})", column, type_name, 2 * count - 1)


def truncate(column: str, type_name: str, argument: Argument) -> str:
    """Dates cut to a unit, numbers cut down to a bucket."""
    if isinstance(argument, str):
        return _truncate_time(column, type_name, argument)
    if isinstance(argument, bool) or not isinstance(argument, int | Decimal):
        raise MaskError("truncate needs a unit or a bucket")
    # By remainder: it is exact, where a quotient is rounded and may land in the next bucket.
    bucket, number = f"{argument}::pg_catalog.numeric", f"{column}::pg_catalog.numeric"
    remainder = f"pg_catalog.mod(pg_catalog.mod({number}, {bucket}) + {bucket}, {bucket})"
    cut = f"{number} - {remainder}"
    if type_name in WHOLE_TYPES:
        low, high = WHOLE_TYPES[type_name]  # a bucket's lower end may lie outside the type
        return f"GREATEST(LEAST({cut}, {high}), {low})::{cast_name(type_name)}"
    if type_name == "numeric":  # without NaN and what dwarfs the bucket
        return f"(CASE WHEN {column} BETWEEN -1e100 AND 1e100 THEN {cut} END)"
    raise MaskError(f"mask truncate to a bucket needs a whole number or numeric, not {type_name}")


def _truncate_time(column: str, type_name: str, unit: str) -> str:
    if type_name not in TIME_TYPES:
        raise MaskError(f"mask truncate to a unit needs a date or timestamp, not {type_name}")
    # Cut in UTC whatever the session's TimeZone is: a client that could shift it would learn the
    # value beyond the unit. The bounds keep date_trunc and the casts from raising.
    match type_name:
        case "date":
            cut = f"pg_catalog.date_trunc('{unit}', {column}::pg_catalog.timestamp)"
        case "timestamp with time zone":
            cut = f"pg_catalog.date_trunc('{unit}', {column}, 'UTC')"
        case _:
            cut = f"pg_catalog.date_trunc('{unit}', {column})"
    return (
        f"(CASE WHEN {column} >= '0002-01-01' AND {column} < '9999-01-01' "
        f"THEN {cut} END)::{cast_name(type_name)}"
    )


def _whole(argument: Argument) -> int:
    if isinstance(argument, bool) or not isinstance(argument, int) or argument < 1:
        raise MaskError("the number of characters to keep must be a whole number above 0")
    return argument


MASKS: dict[MaskKind, Callable[[str, str, Argument], str]] = {
    "null": null,
    "constant": constant,
    "email": email,
    "partial": partial,
    "first": first,
    "last": last,
    "truncate": truncate,
}


def digest(column: str, type_name: str, key_name: str, secret: bytes) -> str:
    """HMAC-SHA-256 (RFC 2104) of a text or uuid column under the key derived for `key_name`.

    Equal values under one key name stay equal, so joins and groups work; nothing else does.
    Raises MaskError for another type or an empty secret.
    """
    if not secret:
        raise MaskError("hashed columns need a hash key")
    key = hmac.new(secret, b"querywarden column key: " + key_name.encode(), hashlib.sha256).digest()
    block = key.ljust(64, b"\0")
    inner = "'\\x" + bytes(b ^ 0x36 for b in block).hex() + "'::pg_catalog.bytea"
    outer = "'\\x" + bytes(b ^ 0x5C for b in block).hex() + "'::pg_catalog.bytea"
    value = f"pg_catalog.convert_to({column}::pg_catalog.text, 'UTF8')"
    hexadecimal = (
        f"pg_catalog.encode(pg_catalog.sha256({outer} || "
        f"pg_catalog.sha256({inner} || {value})), 'hex')"
    )
    if type_name in TEXT_TYPES:
        return f"({hexadecimal})::{cast_name(type_name)}"
    if type_name == "uuid":
        return f"(pg_catalog.left({hexadecimal}, 32))::{cast_name(type_name)}"
    raise MaskError(f"hash needs a text or uuid column, this one is {type_name}")
