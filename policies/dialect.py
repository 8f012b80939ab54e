"""sqlglot as a finder of places: it reads structure, the text stays the client's own.

sqlglot never writes SQL here. Its tree says where relations stand; the edits are made in the
client's own bytes at those places, so nothing it would spell differently can change a meaning.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from policies import grammar

_POSTGRES = Dialect.get_or_raise("postgres")
# Subscripts are counted from 1 in PostgreSQL, which matters only to who writes SQL from the tree;
# adjusting them takes time that grows with the square of their number.
_POSTGRES.INDEX_OFFSET = 0

# Functions whose arguments sqlglot checks against its own idea of them.
_PARSED_FUNCTIONS = frozenset(
    name.encode()
    for table in (_POSTGRES.parser_class.FUNCTIONS, _POSTGRES.parser_class.FUNCTION_PARSERS)
    for name in table
)


class Unparsed(ValueError):
    """sqlglot does not understand the text."""


def tree(text: str) -> exp.Expr:
    """sqlglot's tree of one statement. Identifiers carry `start` and `end` in their meta.

    Raises Unparsed.
    """
    try:
        found = [e for e in _POSTGRES.parse(text) if e is not None]
    except (SqlglotError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        # The parser asserts its own expectations in several ways; any of them means "not read".
        raise Unparsed(type(error).__name__) from error
    if len(found) != 1:
        raise Unparsed("not one statement")
    return found[0]


def plain(text: bytes) -> str:
    """The text, byte for byte as long, with everything sqlglot may trip over made ordinary.

    Parameters become numbers, unusual operators a minus, strings of any kind plain ones, comments
    and samplings blanks, `TABLE x` the equally long `FROM  x`, VALUES after WITH queries a SELECT;
    `ONLY (x)` loses its brackets, functions sqlglot knows lose their names, clauses that name no
    relation are left out; letters outside ASCII become `x`. The result has the
    same structure at the same byte offsets; it is never sent.
    """
    out = bytearray(text)
    tokens = _without_samples(out, grammar.tokens(text))
    _blank_clauses(out, tokens)
    brackets = ""
    for at, token in enumerate(tokens):
        start, end, name = token.start, token.end, token.name
        if out[start:end].isspace():
            continue
        following = tokens[at + 1].name if at + 1 < len(tokens) else ""
        if name in _BRACKETS:
            opened = name in ("ASCII_40", "ASCII_91")
            brackets = brackets + _BRACKETS[name] if opened else brackets[:-1]
        match name:
            case "PARAM":
                out[start] = ord("1")
            case "Op" | "NOT_EQUALS" | "COLON_EQUALS" | "EQUALS_GREATER":
                out[start:end] = b"-".ljust(end - start)
            case "SCONST" | "USCONST" | "BCONST" | "XCONST":
                if name == "SCONST" and _is_typed(tokens, at):
                    _blank_type(out, tokens, at)
                elif name == "SCONST" and at > 0 and tokens[at - 1].name in _OTHER_TYPES:
                    _blank_name(out, tokens, at - 1)  # box '(0,0,1,1)'
                out[start:end] = b"'" + b"x" * (end - start - 2) + b"'"
            case "SQL_COMMENT" | "C_COMMENT":
                _blank(out, token)
            case "ESCAPE" | "SIMILAR" if following != "TO":  # LIKE x ESCAPE y
                out[start:end] = b"-".ljust(end - start)
            case "NORMALIZED":  # IS NFC NORMALIZED
                out[start:end] = b"NULL".ljust(end - start)
                if tokens[at - 1].name not in ("IS", "NOT"):
                    _blank(out, tokens[at - 1])
            case "ICONST" | "FCONST":
                out[start:end] = b"1" * (end - start)
            case "TABLE" if at == 0 or tokens[at - 1].name != "IDENT":
                out[start:end] = b"FROM "
            case "VALUES" if following == "ASCII_40" and _follows_with(tokens, at):
                out[start:end] = b"SELECT"
            case "ONLY" if following == "ASCII_40":
                _blank_brackets(out, tokens, at + 1)
            case "ASCII_91" if following == "ASCII_93":  # the empty brackets of an array type
                out[start] = out[tokens[at + 1].start] = ord(" ")
            case "VALUE_P" if "(" in brackets and _is_between(tokens, at):  # JSON_OBJECT(k VALUE v)
                out[start:end] = b",".ljust(end - start)
            case "DEFAULT" if following in ("ASCII_41", "ASCII_44"):  # VALUES (1, DEFAULT)
                out[start:end] = b"NULL".ljust(end - start)
            case "DEFAULT" if "(" in brackets:
                out[start:end] = b",".ljust(end - start)
            case "ASCII_58" if brackets[-1:] == "(":  # JSON_OBJECT(key: value)
                out[start] = ord(",")
            case _ if name.startswith("JSON") and following == "ASCII_40":
                out[start:end] = b"x" * (end - start)
            case "IDENT" if following == "ASCII_40" and _checked(text[start:end]):
                out[start:end] = b"x" * (end - start)
            case _:
                pass
    return bytes(b if b < 128 else ord("x") for b in out).decode()


def _without_samples(out: bytearray, tokens: list[grammar.Token]) -> list[grammar.Token]:
    """The tokens outside of samplings, which are blanked."""
    blanked: set[int] = set()
    for at, token in enumerate(tokens):
        if token.name == "TABLESAMPLE" and at not in blanked:
            inside = sample(tokens, at)
            blanked.update(range(at, at + len(inside)))
            for part in inside:
                _blank(out, part)
    return [token for at, token in enumerate(tokens) if at not in blanked] if blanked else tokens


def sample(tokens: list[grammar.Token], at: int) -> list[grammar.Token]:
    """The tokens of `TABLESAMPLE m (...) [REPEATABLE (...)]`, whose first is number `at`."""
    last = _closing(tokens, at)
    if last + 1 < len(tokens) and tokens[last + 1].name == "REPEATABLE":
        last = _closing(tokens, last + 1)
    return tokens[at : last + 1]


def _closing(tokens: list[grammar.Token], at: int) -> int:
    """Number of the token that closes the next bracket; the last one when none does."""
    depth = 0
    for number in range(at, len(tokens)):
        depth += {"ASCII_40": 1, "ASCII_41": -1}.get(tokens[number].name, 0)
        if depth == 0 and tokens[number].name == "ASCII_41":
            return number
    return len(tokens) - 1


_BRACKETS = {"ASCII_40": "(", "ASCII_41": ")", "ASCII_91": "[", "ASCII_93": "]"}


def _blank(out: bytearray, token: grammar.Token) -> None:
    out[token.start : token.end] = b" " * (token.end - token.start)


_ENDS = frozenset("IDENT SCONST USCONST ICONST FCONST PARAM ASCII_41 ASCII_93 NULL_P".split())


def _is_between(tokens: list[grammar.Token], at: int) -> bool:
    """Whether a word stands between two expressions, and so is no column or alias itself."""
    following = tokens[at + 1].name if at + 1 < len(tokens) else "ASCII_41"
    return tokens[at - 1].name in _ENDS and following not in ("ASCII_41", "ASCII_44", "FROM")


def _follows_with(tokens: list[grammar.Token], at: int) -> bool:
    """Whether what stands at `at`, or in a bracket that opens before it, comes after a bracket
    that is no list of columns of an INSERT."""
    before = [n for n in range(max(0, at - 20), at) if not tokens[n].name.endswith("COMMENT")][-2:]
    if len(before) == 2 and tokens[before[1]].name == "ASCII_40":
        before.pop()
    if not before or tokens[before[-1]].name != "ASCII_41":
        return False
    return tokens[_opening(tokens, before[-1]) - 1].name != "INSERT"


def _opening(tokens: list[grammar.Token], at: int) -> int:
    """Number of the token that opens the bracket that token `at` closes; 1 when none does."""
    depth = 0
    for number in range(at, 1, -1):
        depth += {"ASCII_41": 1, "ASCII_40": -1}.get(tokens[number].name, 0)
        if depth == 0:
            return number
    return 1


def _blank_name(out: bytearray, tokens: list[grammar.Token], at: int) -> None:
    """Blank the name that ends at token `at`, and its schema."""
    first = at - 2 if at > 1 and tokens[at - 1].name == "ASCII_46" else at
    for token in tokens[first : at + 1]:
        _blank(out, token)


_OTHER_TYPES = frozenset({"IDENT", "TEXT_P", "NAME_P", "JSON", "XML_P"})
_TYPE_WORDS = frozenset(
    """
    BIT CHAR_P CHARACTER DEC DECIMAL_P DOUBLE_P FLOAT_P INTERVAL NATIONAL NCHAR NUMERIC PRECISION
    TIME TIMESTAMP VARCHAR VARYING WITH WITH_LA WITHOUT WITHOUT_LA ZONE
    """.split()
)
_UNITS = frozenset("YEAR_P MONTH_P DAY_P HOUR_P MINUTE_P SECOND_P TO".split())


def _is_typed(tokens: list[grammar.Token], at: int) -> bool:
    """Whether the string at `at` is a literal with its type in front: `interval '1' day`."""
    return at > 0 and tokens[at - 1].name in _TYPE_WORDS - {"WITH", "WITHOUT"}


def _blank_type(out: bytearray, tokens: list[grammar.Token], at: int) -> None:
    """Blank the type in front of the string at `at`, and the units behind an interval."""
    before, after = at - 1, at + 1
    while before >= 0 and tokens[before].name in _TYPE_WORDS:
        _blank(out, tokens[before])
        before -= 1
    if tokens[at - 1].name == "INTERVAL":
        while after < len(tokens) and tokens[after].name in _UNITS:
            _blank(out, tokens[after])
            after += 1


# Clauses that name no relation and that sqlglot may not know, as names of tokens in a row.
_NAME = r" (?!ASCII_)[A-Z]\w*"
_LIST = rf"{_NAME}(?: ASCII_44{_NAME}){{0,50}}"
_CLAUSES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<clause> SEARCH (?:DEPTH|BREADTH) FIRST_P BY{_LIST} SET{_NAME})(?= )",
        rf"(?P<clause> CYCLE{_LIST} SET{_NAME}(?: TO \w+ DEFAULT \w+)? USING{_NAME})(?= )",
        rf" USING ASCII_40{_LIST} ASCII_41(?P<clause> AS{_NAME})(?= )",
        r"(?P<clause> USING (?:ASCII_60|ASCII_62|LESS_EQUALS|GREATER_EQUALS|Op))(?= )",
        r"(?P<clause> (?:NULL_P|ABSENT) ON NULL_P)(?= )",
        rf"(?P<clause> FORMAT(?:_LA)? JSON(?: ENCODING{_NAME})?)(?= )",
        r"(?P<clause> (?:WITH|WITH_LA|WITHOUT|WITHOUT_LA) UNIQUE(?: KEYS)?)(?= )",
        rf"(?P<clause> RETURNING{_NAME}(?: ASCII_40 ICONST ASCII_41)?(?: ASCII_91 ASCII_93)?)"
        r"(?= (?:ASCII_41|FORMAT|FORMAT_LA|WITH|WITH_LA|WITHOUT|WITHOUT_LA|KEEP|OMIT|DEFAULT"
        r"|ERROR_P|NULL_P|EMPTY_P|TRUE_P|FALSE_P|UNKNOWN) )",
        r"(?P<clause> (?:ERROR_P|NULL_P|EMPTY_P|EMPTY_P ARRAY|EMPTY_P OBJECT_P|TRUE_P|FALSE_P"
        r"|UNKNOWN) ON (?:EMPTY_P|ERROR_P))(?= )",
        r"(?P<clause> ON (?:EMPTY_P|ERROR_P))(?= )",
        r"(?P<clause> (?:WITH|WITHOUT)(?: CONDITIONAL| UNCONDITIONAL)?(?: ARRAY)? WRAPPER)(?= )",
        r"(?P<clause> COLLATE IDENT ASCII_46 DEFAULT)(?= )",
        r"(?P<clause> (?:KEEP|OMIT) QUOTES(?: ON SCALAR STRING_P)?)(?= )",
        rf" RETURNING(?P<clause> (?:WITH|WITH_LA) ASCII_40 (?:OLD|NEW) AS{_NAME}"
        rf"(?: ASCII_44 (?:OLD|NEW) AS{_NAME})? ASCII_41)(?= )",
        r"(?P<clause> OVERRIDING (?:SYSTEM_P|USER) VALUE_P)(?= )",
    )
)


def _blank_clauses(out: bytearray, tokens: list[grammar.Token]) -> None:
    names, starts = "", []
    for token in tokens:
        starts.append(len(names))
        names += f" {token.name}"
    names += " "
    for pattern in _CLAUSES:
        for found in pattern.finditer(names):
            first = bisect_left(starts, found.start("clause"))
            for token in tokens[first : first + found["clause"].count(" ")]:
                _blank(out, token)


def _checked(name: bytes) -> bool:
    return name.upper() in _PARSED_FUNCTIONS


def _blank_brackets(out: bytearray, tokens: list[grammar.Token], at: int) -> None:
    """Blank the bracket at token `at` and the one that closes it."""
    out[tokens[at].start] = ord(" ")
    for token in tokens[at + 1 :]:
        if token.name == "ASCII_41":
            out[token.start] = ord(" ")
            return
