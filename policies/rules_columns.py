"""How one column appears: shown, denied, masked or hashed, and how the file writes that.

Knows no table and no SQL; the mask kinds are turned into SQL elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from policies.rules_errors import did_you_mean, invalid, shown

MaskKind = Literal["null", "email", "partial", "first", "last", "constant", "truncate"]
TruncateUnit = Literal["year", "quarter", "month", "day", "hour"]
Argument = str | int | bool | Decimal | None

PLAIN_MASKS = ("null", "email", "partial")
MASKS_WITH_ARGUMENT = ("first", "last", "constant", "truncate")
UNITS: tuple[str, ...] = get_args(TruncateUnit)
MAX_KEPT_CHARACTERS = 64
MAX_CONSTANT_CHARACTERS = 1000
MIN_BUCKET, MAX_BUCKET = Decimal("0.000001"), 10**15
MAX_NAME_BYTES = 63  # PostgreSQL's NAMEDATALEN - 1


@dataclass(frozen=True, slots=True)
class Mask:
    """One way to redact. `argument` by kind: first, last: the characters kept (int); constant: the
    value (str, int, bool, Decimal); truncate: a TruncateUnit, or the bucket (int, Decimal > 0)."""

    kind: MaskKind
    argument: Argument = None


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How a column appears. `mask` is set for kind mask, `key` (the hash key's name) for hash.

    `rule` names the line of the rules that decided, for records: `entities.users.columns.ssn`.
    """

    kind: Literal["show", "deny", "mask", "hash"]
    mask: Mask | None = None
    key: str = ""
    rule: str = ""


def is_glob(pattern: str) -> bool:
    """Whether the name stands for several columns."""
    return any(sign in pattern for sign in "*?[")


def matches(pattern: str, column: str) -> bool:
    """Whether a name or glob covers a column. Capitals do not matter: `Password` is a password."""
    return fnmatchcase(column.lower(), pattern.lower())


def check_pattern(pattern: str) -> str:
    """A column name or glob, as written. Raises a validation error for one that cannot match."""
    if not pattern.strip():
        raise invalid("must not be empty", "write a column name, or a glob such as `*token*`")
    if "\0" in pattern or len(pattern.encode()) > MAX_NAME_BYTES:
        raise invalid(f"is longer than a column name can be ({MAX_NAME_BYTES} bytes)")
    rest = pattern
    while "[" in rest:
        # as in fnmatch: a `]` right after `[` or `[!` is a member, not the end
        opened = rest.index("[") + 1
        opened += rest[opened : opened + 1] == "!"
        closed = rest.find("]", opened + 1)
        if closed < 0:
            raise invalid("`[` is not closed", "write it as [abc], or use * or ?")
        rest = rest[closed + 1 :]
    return pattern


def check_name(name: str) -> str:
    """The name of exactly one column."""
    check_pattern(name)
    if any(sign in name for sign in "*?"):
        raise invalid("must be one column's name, not a glob")
    return name


def parse_mask(value: object) -> Mask:
    """`email`, `{last: 4}` ... as a Mask. Raises a validation error with the way out."""
    match value:
        case Mask():
            return value
        case str() if value in PLAIN_MASKS:
            return Mask(value)  # type: ignore[arg-type]
        case str() if value in MASKS_WITH_ARGUMENT:
            raise invalid(f"`{value}` needs a value", f"write {{{value}: ...}}")
        case str():
            kinds = (*PLAIN_MASKS, *MASKS_WITH_ARGUMENT)
            raise invalid(f"{shown(value)} is not a mask", did_you_mean(value, kinds))
        case {"shape": _}:
            raise invalid("`shape` is not available in this version", "remove it", ("shape",))
        case Mapping() if len(value) == 1:
            ((kind, argument),) = value.items()
            return _with_argument(str(kind), argument)
    raise invalid("must be one mask", 'write email, partial, "null", or {last: 4} and the like')


def _with_argument(kind: str, argument: object) -> Mask:
    match kind:
        case "first" | "last":
            if type(argument) is not int or not 1 <= argument <= MAX_KEPT_CHARACTERS:
                message = f"must be a whole number from 1 to {MAX_KEPT_CHARACTERS}"
                raise invalid(message, f"write {{{kind}: 4}}", (kind,))
            return Mask(kind, argument)
        case "constant":
            if not isinstance(argument, (str, int, bool, Decimal)):
                message = "must be a single value: text, a number, true or false"
                raise invalid(message, 'for NULL write the mask "null"', (kind,))
            if len(str(argument)) > MAX_CONSTANT_CHARACTERS or "\0" in str(argument):
                raise invalid(f"is longer than {MAX_CONSTANT_CHARACTERS} characters", "", (kind,))
            return Mask(kind, argument)
        case "truncate":
            return Mask(kind, _unit_or_bucket(argument))
        case _ if kind in PLAIN_MASKS:
            raise invalid(f"`{kind}` takes no value", f"write just `{kind}`", (kind,))
        case _:
            kinds = (*PLAIN_MASKS, *MASKS_WITH_ARGUMENT)
            raise invalid(f"{shown(kind)} is not a mask", did_you_mean(kind, kinds), (kind,))


def _unit_or_bucket(argument: object) -> str | int | Decimal:
    if isinstance(argument, str):
        if argument not in UNITS:
            message = f"{shown(argument)} is not a unit"
            raise invalid(message, did_you_mean(argument, UNITS), ("truncate",))
        return argument
    if isinstance(argument, (int, Decimal)) and not isinstance(argument, bool):
        if MIN_BUCKET <= argument <= MAX_BUCKET:
            return argument
        raise invalid("must be above 0, from 0.000001 to 10 to the 15th", "", ("truncate",))
    message = "must be a unit or a number above 0"
    raise invalid(
        message, f"units: {', '.join(UNITS)}; for numbers a bucket, as 100", ("truncate",)
    )


def parse_column_rule(value: object) -> ColumnRule:
    """`deny`, `show`, `{mask: ...}` or `{hash: key}` as a ColumnRule."""
    match value:
        case ColumnRule():
            return value
        case "deny" | "show":
            return ColumnRule(value)
        case {"mask": mask, **rest} if not rest:
            return ColumnRule("mask", mask=_inside(mask))
        case {"hash": key, **rest} if not rest:
            return ColumnRule("hash", key=_hash_key(key))
        case {"shape": _}:
            raise invalid("`shape` is not available in this version", "remove it", ("shape",))
        case str() if value in (*PLAIN_MASKS, *MASKS_WITH_ARGUMENT):
            raise invalid(f"`{value}` is a mask", f"write {{mask: {_example(value)}}}")
        case str():
            choices = ("deny", "show", "mask", "hash")
            raise invalid(f"{shown(value)} is not a column rule", did_you_mean(value, choices))
        case Mapping() if len(value) == 1 and str(next(iter(value))) in MASKS_WITH_ARGUMENT:
            kind = str(next(iter(value)))
            raise invalid(f"`{kind}` is a mask", f"write {{mask: {{{kind}: ...}}}}", (kind,))
    raise invalid("must be a column rule", "write deny, show, {mask: ...} or {hash: key name}")


def written_mask(mask: Mask) -> object:
    """The mask as the file writes it; the inverse of `parse_mask`."""
    return mask.kind if mask.argument is None else {mask.kind: mask.argument}


def written_column_rule(rule: ColumnRule) -> object:
    """The column rule as the file writes it; the inverse of `parse_column_rule`."""
    if rule.kind == "hash":
        return {"hash": rule.key}
    return rule.kind if rule.mask is None else {"mask": written_mask(rule.mask)}


def _inside(mask: object) -> Mask:
    if mask == "deny":
        raise invalid("`deny` is not a mask", "write `deny` without mask", ("mask",))
    try:
        return parse_mask(mask)
    except Exception as error:
        context = getattr(error, "context", None)
        if context is None:
            raise
        at = ("mask", *context["at"])
        raise invalid(context["message"], context["suggestion"], at) from None


def _hash_key(key: object) -> str:
    if not isinstance(key, str) or not key.isidentifier() or len(key) > MAX_NAME_BYTES:
        message = "must be the name of a hash key: letters, digits and _"
        raise invalid(message, "columns with the same key name get equal digests", ("hash",))
    return key


def _example(mask: str) -> str:
    if mask in MASKS_WITH_ARGUMENT:
        return f"{{{mask}: ...}}"
    return '"null"' if mask == "null" else mask


MASK_SCHEMA: dict[str, Any] = {
    "description": "How to redact a value; the column keeps its SQL type.",
    "anyOf": [
        {
            "enum": list(PLAIN_MASKS),
            "description": '"null" (in quotes): NULL. email: a***@example.com. '
            "partial: first and last character.",
        },
        *(
            {
                "type": "object",
                "properties": {kind: schema},
                "required": [kind],
                "additionalProperties": False,
            }
            for kind, schema in (
                (
                    "first",
                    {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MAX_KEPT_CHARACTERS,
                        "description": "Keep the first n characters.",
                    },
                ),
                (
                    "last",
                    {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MAX_KEPT_CHARACTERS,
                        "description": "Keep the last n characters.",
                    },
                ),
                (
                    "constant",
                    {
                        "type": ["string", "number", "boolean"],
                        "description": "Always this value.",
                    },
                ),
                (
                    "truncate",
                    {
                        "anyOf": [
                            {"enum": list(UNITS)},
                            {"type": "number", "minimum": 0.000001, "maximum": MAX_BUCKET},
                        ],
                        "description": "Cut a date to a unit, or a number down to a bucket.",
                    },
                ),
            )
        ),
    ],
}
COLUMN_RULE_SCHEMA: dict[str, Any] = {
    "description": "How the column appears.",
    "anyOf": [
        {
            "enum": ["deny", "show"],
            "description": "deny: the column does not exist. show: as it is, whatever the "
            "defaults say.",
        },
        {
            "type": "object",
            "properties": {"mask": MASK_SCHEMA},
            "required": ["mask"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "hash": {
                    "type": "string",
                    "description": "Keyed digest; columns with the same key name get equal "
                    "digests for equal values.",
                }
            },
            "required": ["hash"],
            "additionalProperties": False,
        },
    ],
}
