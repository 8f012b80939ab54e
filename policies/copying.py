"""COPY (query) TO STDOUT and COPY table TO STDOUT: a query goes through every step inside it.

    COPY users (id) TO STDOUT WITH CSV
    ->  COPY (SELECT "id" FROM (SELECT ...) AS "users" LIMIT 101) TO STDOUT (FORMAT 'csv')

A table becomes the query PostgreSQL would make of it, without the rows of inheriting tables. What
stands around the query is written anew from what was read, and the whole is proven. Files and
programs are refused; COPY FROM is in `policies.writes.copy_in`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policies import grammar
from policies.decision import CopyOut
from policies.envelope import Step, adopt, query_of, uncertain
from policies.grammar import Node
from policies.reasons import (
    STATEMENT_NOT_ALLOWED,
    UNSUPPORTED_SYNTAX,
    VALIDATION_ERROR,
    Refusal,
)
from policies.sql import identifier, literal
from policies.statement import Statement
from policies.visible import visible

_FORMATS = frozenset({"text", "csv", "binary"})
_SIGNS = ("delimiter", "null", "quote", "escape")
_TRUE = frozenset({"true", "on", "1"})
_FALSE = frozenset({"false", "off", "0"})
_UTF8 = frozenset({"utf8", "unicode"})


@dataclass(frozen=True, slots=True)
class Options:
    """What may be asked of the form. `signs`: delimiter, null, quote, escape as given; `forced`:
    columns always in quotes, ("*",) for all, None when not said; `every`: it was a star."""

    form: str = "text"
    header: bool = False
    signs: tuple[tuple[str, str], ...] = ()
    forced: tuple[str, ...] | None = None
    every: bool = False

    def text(self) -> str:
        """As SQL, "" for nothing to say."""
        said = [] if self.form == "text" else [f"FORMAT {literal(self.form)}"]
        said += ["HEADER true"] if self.header else []
        said += [f"{name.upper()} {literal(value)}" for name, value in self.signs]
        if self.every:
            said.append("FORCE_QUOTE *")
        elif self.forced is not None:
            said.append(f"FORCE_QUOTE ({', '.join(map(identifier, self.forced))})")
        return f" ({', '.join(said)})" if said else ""


def copy_out(outer: Statement, steps: Sequence[Step]) -> None:
    """Set `outer.output` and what is known of the query inside. Raises Refusal."""
    _only_to_stdout(outer.node)
    options = read_options(outer.node)
    inner = _table(outer) if "relation" in outer.node else query_of(outer)
    for step in steps:
        step(inner)
    before, after = "COPY (", f"\n) TO STDOUT{options.text()}"
    adopt(outer, inner, before, after)
    prove_copy(outer, inner)
    outer.copy = CopyOut(header=options.header, binary=options.form == "binary")


def prove_copy(outer: Statement, inner: Statement) -> None:
    """Refuse unless `outer.output` is the COPY of the proven query, with the options asked for."""
    try:
        kind, after = grammar.parse_one(outer.output)
        query = dict([grammar.parse_one(inner.output)])
        whole = (
            kind == outer.kind
            and after.keys() <= {"query", "options"}
            and grammar.same(query, after["query"])
            and read_options(after) == read_options(outer.node)
        )
    except (grammar.GrammarError, grammar.TooDeep, Refusal, KeyError) as error:
        raise uncertain() from error
    wanted = outer.node.get("query")
    if wanted is None:
        wanted = {"SelectStmt": _select(outer.node["relation"], _columns(outer))}
    if not whole or not grammar.same({inner.kind: inner.node}, wanted):
        raise uncertain()


def _only_to_stdout(node: Node) -> None:
    if node.get("is_program"):
        raise Refusal(STATEMENT_NOT_ALLOWED, "COPY with PROGRAM is not allowed", _STDOUT)
    if "filename" in node:
        raise Refusal(STATEMENT_NOT_ALLOWED, "COPY with a file is not allowed", _STDOUT)


_STDOUT = "write COPY ... TO STDOUT; psql's \\copy makes a file of it on your side"


def read_options(node: Node) -> Options:
    """The options of a COPY TO, the old spelling and the new. Raises Refusal."""
    given: dict[str, Node] = {}
    for entry in node.get("options", []):
        option = entry["DefElem"]
        name = option["defname"]
        if name in given:
            raise Refusal(VALIDATION_ERROR, f"COPY has the option {name} more than once")
        given[name] = option.get("arg", {})
    unknown = given.keys() - {"format", "header", "force_quote", "encoding", *_SIGNS}
    if unknown:
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f"COPY has no option {min(unknown)} here",
            "there are: format, delimiter, null, header, quote, escape, force_quote, encoding",
        )
    form = _word(given["format"]) if "format" in given else "text"
    if form not in _FORMATS:
        raise Refusal(VALIDATION_ERROR, "the format of COPY must be text, csv or binary")
    encoding = _word(given["encoding"]) if "encoding" in given else "utf8"
    if encoding.lower().replace("-", "").replace("_", "") not in _UTF8:
        raise Refusal(VALIDATION_ERROR, "COPY is available in the encoding UTF8 only")
    forced = given.get("force_quote")
    return Options(
        form,
        "header" in given and _truth(given["header"]),
        tuple((name, _word(given[name])) for name in _SIGNS if name in given),
        None if forced is None else grammar.names(forced.get("List", {}).get("items", [])),
        forced is not None and "A_Star" in forced,
    )


def _word(argument: Node) -> str:
    if "String" not in argument:
        raise Refusal(UNSUPPORTED_SYNTAX, "this form of a COPY option is not supported")
    return str(argument["String"].get("sval", ""))


def _truth(argument: Node) -> bool:
    """HEADER, HEADER on, HEADER 0 and so on (defGetCopyHeaderChoice in PostgreSQL's copy.c)."""
    if not argument:
        return True
    if "Boolean" in argument:
        return bool(argument["Boolean"].get("boolval"))
    said = str(argument.get("Integer", {}).get("ival", 0))
    word = _word(argument).lower() if "String" in argument else said
    if word not in _TRUE | _FALSE:
        raise Refusal(VALIDATION_ERROR, "the option header must be true or false here")
    return word in _TRUE


def _table(outer: Statement) -> Statement:
    """`SELECT "id", "name" FROM ONLY "public"."users"` as a statement of its own."""
    relation = outer.node["relation"]
    parts = [relation[key] for key in _NAME if key in relation]
    columns = ", ".join(map(identifier, _columns(outer)))
    text = f"SELECT {columns} FROM ONLY {'.'.join(map(identifier, parts))}".encode()
    return outer.inner(text, 0, grammar.parse_one(text)[1])


_NAME = ("catalogname", "schemaname", "relname")


def _select(relation: Node, columns: Sequence[str]) -> Node:
    """The tree that query must have."""
    named = {key: relation[key] for key in _NAME if key in relation}
    return {
        "targetList": [
            {"ResTarget": {"val": {"ColumnRef": {"fields": [{"String": {"sval": column}}]}}}}
            for column in columns
        ],
        "fromClause": [{"RangeVar": {**named, "relpersistence": "p"}}],
        "limitOption": "LIMIT_OPTION_DEFAULT",
        "op": "SETOP_NONE",
    }


def _columns(outer: Statement) -> Sequence[str]:
    """The columns named, or those COPY means without: all that are not generated."""
    relation = outer.node["relation"]
    view = visible(relation, outer)
    known = view.relation
    if known.kind != "r":
        raise Refusal(
            UNSUPPORTED_SYNTAX,
            f'cannot copy from "{relation["relname"]}": it is no plain table',
            "use COPY (SELECT ...) TO STDOUT",
        )
    if "attlist" in outer.node:
        return grammar.names(outer.node["attlist"])
    generated = {column.name for column in known.columns if column.generated}
    return [name for name in view.columns if name not in generated]
