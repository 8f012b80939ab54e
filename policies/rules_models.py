"""The fields of the rules file: what may be written where, and in which range.

Only fields that are enforced exist here; any other is refused. Knows one field at a time: what
must agree between fields is in `rules_checks`, what the whole answers is in `rules`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
)
from pydantic.json_schema import WithJsonSchema

from policies.decision import Mode
from policies.rules_budget import ProfileName, Rate, RoleBudget
from policies.rules_columns import (
    COLUMN_RULE_SCHEMA,
    MASK_SCHEMA,
    ColumnRule,
    Mask,
    check_name,
    check_pattern,
    parse_column_rule,
    parse_mask,
    written_column_rule,
    written_mask,
)
from policies.rules_errors import (
    CREDENTIALS_GO_ELSEWHERE,
    PUT_CREDENTIALS_THERE,
    Location,
    invalid,
    looks_secret,
)
from policies.rules_fields import Fields
from policies.rules_writes import (
    ApprovalRule,
    DeleteRule,
    InsertRule,
    Invariant,
    NamedStatement,
    UpdateRule,
    WriteLimits,
)
from policies.subject import Value

# Where consents are kept. A statement that could write there could consent to itself.
OWN_SCHEMA: Final = "querywarden"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}\Z")
_SUBJECT_VALUE = re.compile(r"subject\.([A-Za-z_][A-Za-z0-9_]{0,62})\Z")
_UNQUOTED = re.compile(r"[a-z_\u0080-\uffff][a-z0-9_$\u0080-\uffff]*\Z")


DENY_COLUMNS: Final = (
    "*password*", "*secret*", "*token*", "*api_key*", "*apikey*", "*private_key*",
)  # fmt: skip
MASK_COLUMNS: Final = {
    "email": Mask("email"),
    "phone": Mask("partial"),
    "ssn": Mask("null"),
    "dob": Mask("truncate", "year"),
}


def _version(value: object) -> object:
    if type(value) is not int or value != 1:
        raise invalid("this querywarden reads version 1 of the format only", "write `version: 1`")
    return value


def _name(name: str) -> str:
    if not _NAME.match(name):
        raise invalid("is not a name", "use letters, digits, _ and -, at most 63")
    return name


def _login(login: str) -> str:
    if not login or len(login.encode()) > 63 or not login.isprintable() or login != login.strip():
        raise invalid("is not a login", "write 1 to 63 printable characters")
    return login


def _subject_value(reference: str) -> str:
    if not _SUBJECT_VALUE.match(reference):
        raise invalid(
            "must be a value of the subject",
            "write subject.user_id, subject.tenant, subject.login or subject.<attribute>",
        )
    return reference


def _attribute(name: str) -> str:
    if looks_secret(name):
        raise invalid(CREDENTIALS_GO_ELSEWHERE, PUT_CREDENTIALS_THERE)
    if not _SUBJECT_VALUE.match(f"subject.{name}"):
        raise invalid("is not an attribute's name", "use letters, digits and _")
    if name in ("login", "tenant", "user_id", "roles"):
        raise invalid(f"`{name}` is a field of the subject itself", f"write `{name}:` one level up")
    return name


def _scalar(value: object) -> object:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise invalid("is out of the range of 64-bit numbers", "put it in quotes if it is text")
    if isinstance(value, str) and (not value or "\0" in value):
        raise invalid("must not be empty", "write a value, or remove the line")
    if value is not None and not isinstance(value, (str, int, bool)):
        message = "must be a single value: text, a whole number, true or false"
        raise invalid(message, "put it in quotes if it is text")
    return value


def _predicate(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise invalid("must not be empty", "write an SQL condition, or remove the line")
    return text


def _table(text: str) -> str:
    split_table(text)
    return text


def _join(text: str) -> str:
    entity, dot, column = text.partition(".")
    if not dot or not _NAME.match(entity):
        raise invalid("must be an entity and a column", "write it as users.id")
    check_name(column)
    return text


def split_table(text: str) -> tuple[str, str]:
    """`schema.table` as (schema, table), each as the catalog spells it; double quotes as in SQL."""
    quoted = r'"((?:[^"\0]|"")+)"'
    found = re.match(rf'(?:{quoted}|([^".\s]+))\.(?:{quoted}|([^".\s]+))\Z', text)
    if found is None:
        hint = f"write public.{text}" if _UNQUOTED.match(text) else "write schema.table"
        raise invalid("must be a schema and a table", hint)
    for part in (found[2], found[4]):
        if part is not None and not _UNQUOTED.match(part):
            quote = f"lower case, or in double quotes if it is really spelled so: '\"{part}\"'"
            raise invalid("has a name that PostgreSQL would spell differently", f"write {quote}")
    schema = found[2] or found[1].replace('""', '"')
    table = found[4] or found[3].replace('""', '"')
    if schema.startswith("pg_") or schema == "information_schema":
        raise invalid(
            "is a system catalog", "leave it out: catalogs have policy views of their own"
        )
    if schema == OWN_SCHEMA:
        raise invalid("is the proxy's own", "leave it out: nobody reads or writes it by statements")
    return schema, table


Name = Annotated[str, AfterValidator(_name)]
ColumnName = Annotated[str, AfterValidator(check_name)]
ColumnPattern = Annotated[str, AfterValidator(check_pattern)]
Scalar = Annotated[
    Value,
    BeforeValidator(_scalar),
    WithJsonSchema({"type": ["string", "integer", "boolean"]}),
]
Key = Annotated[
    tuple[ColumnName, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    Field(min_length=1),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1}),
]
MaskField = Annotated[
    Mask,
    PlainValidator(parse_mask),
    PlainSerializer(written_mask),
    WithJsonSchema(MASK_SCHEMA),
]
ColumnField = Annotated[
    ColumnRule,
    PlainValidator(parse_column_rule),
    PlainSerializer(written_column_rule),
    WithJsonSchema(COLUMN_RULE_SCHEMA),
]


class Owner(Fields):
    """Rows belong to one user: `column` must equal a value of the subject."""

    column: ColumnName
    """The column that holds the owner."""
    equals: Annotated[str, AfterValidator(_subject_value)]
    """subject.user_id, subject.tenant, subject.login or subject.<attribute>."""
    roles: tuple[Name, ...] | None = Field(default=None, alias="for", min_length=1)
    """Roles the rule holds for; absent: all. A subject with any of them sees only its own rows."""

    def holds_for(self, roles: tuple[str, ...]) -> bool:
        """Whether a subject with these roles is limited to its own rows."""
        return self.roles is None or any(role in self.roles for role in roles)

    @property
    def attribute(self) -> str:
        """The subject's value compared with, without `subject.`."""
        return self.equals.removeprefix("subject.")


class Entity(Fields):
    """One table (or view) that may be seen. Every table not listed does not exist."""

    table: Annotated[str, AfterValidator(_table)] | None = None
    """schema.table; absent: the table of the entity's name in schema public."""
    tenant: ColumnName | None = None
    """The column that must equal the subject's tenant."""
    shared: bool = False
    """true: the rows belong to no tenant, every subject sees them. Excludes `tenant`."""
    owner: Owner | None = None
    """Limits rows to those of one user."""
    soft_delete: ColumnName | None = None
    """A column that is NULL in living rows; the others do not exist."""
    rows: Annotated[str, AfterValidator(_predicate)] | None = None
    """An SQL condition every visible row meets; it may use the entity's own columns and
    subject.login, subject.tenant, subject.user_id, subject.<attribute>."""
    key: Key | None = None
    """The columns (or the one column) that name a row; absent: the primary key."""
    invariants: dict[Name, Invariant] = Field(default_factory=dict)
    """What must hold of each row that is written by a capability that names it."""
    joins: tuple[Annotated[str, AfterValidator(_join)], ...] | None = None
    """entity.column it may be joined through, by an equality with a column of its own; absent: it
    may be combined with anything visible, empty: with nothing."""
    visible: bool = True
    """false: the same as not listing the entity, but said on purpose."""
    columns: dict[ColumnPattern, ColumnField] = Field(default_factory=dict)
    """How columns appear, by name or glob. An exact name wins over globs; among globs deny wins,
    then masks and hashes, then show."""


class Function(Fields):
    """A function of the database that may be called. One that is not listed does not exist."""

    function: Annotated[str, AfterValidator(_table)] | None = None
    """schema.function; absent: the function of this name in schema public. All functions of the
    name, whatever their arguments."""
    volatile: bool = False
    """true: it is VOLATILE, and whoever wrote this rule says that it changes nothing. Logins that
    may lock cannot call it."""


class Capability(Fields):
    """A named permission."""

    select: tuple[Name, ...] = ()
    """Entities that may be read."""
    lock: bool = False
    """true: the entities of `select` may also be locked, by SELECT ... FOR UPDATE and FOR SHARE."""
    call: tuple[Name, ...] = ()
    """Functions that may be called."""
    explain: bool = False
    """true: EXPLAIN of what reads the entities of `select`, without expressions. Estimates come
    from the rows of all tenants."""
    analyze: bool = False
    """true: EXPLAIN ANALYZE too, which runs the statement and tells times."""
    insert: dict[Name, InsertRule] = Field(default_factory=dict)
    """Entities that may be inserted into."""
    update: dict[Name, UpdateRule] = Field(default_factory=dict)
    """Entities that may be updated."""
    delete: dict[Name, DeleteRule] = Field(default_factory=dict)
    """Entities that may be deleted from."""
    merge: bool = False
    """true: MERGE may do what `insert`, `update` and `delete` permit."""
    copy_in: bool = Field(default=False, alias="copy")
    """true: COPY ... FROM STDIN into the entities of `insert`, of as many rows as `rows` there
    says; absent: a million."""
    reason: Literal["required", "optional"] | None = None
    """Whether a write must say why; absent: the profile's."""
    approval: ApprovalRule | None = None
    """Each write waits for consent; absent: none does."""
    images: bool = False
    """true: the record holds the rows as they were and as they became, masked as the subject sees
    them."""
    invariants: tuple[Name, ...] = ()
    """Invariants of the entities that hold of every row written."""
    statement: NamedStatement | None = None
    """The only statement that may be run under it, called by name."""


class Role(Fields):
    """What its subjects can do, how strictly and how much."""

    can: tuple[Name, ...] = ()
    """Capabilities."""
    mode: Mode = "enforce"
    """enforce; observe: forwarded as written, with a record of what would have been done;
    bypass: forwarded as written and recorded. A subject with several roles gets the strictest."""
    budget: RoleBudget = RoleBudget()
    """Limits of one statement; a subject with several roles gets the largest."""


class SubjectEntry(Fields):
    """One login and who it is. Its password or SCRAM verifier is never in this file."""

    login: Annotated[str, AfterValidator(_login)]
    """The user name the client connects with."""
    tenant: Scalar = None
    """The tenant whose rows it sees; needed when its roles reach an entity with a tenant."""
    user_id: Scalar = None
    """Its own user, for `owner` rules."""
    roles: tuple[Name, ...] = Field(min_length=1)
    """What it is."""
    assume: Literal["signed"] | None = None
    """signed: a signed context of each statement says for which tenant and user it is."""
    attributes: dict[Annotated[str, AfterValidator(_attribute)], Scalar] = Field(
        default_factory=dict
    )
    """More values for `owner` and `rows`, read there as subject.<name>."""


class Defaults(Fields):
    """Columns that are sensitive in every entity unless the entity lists them."""

    deny_columns: tuple[ColumnPattern, ...] = DENY_COLUMNS
    """Names and globs of columns that do not exist unless an entity lists them."""
    mask_columns: dict[ColumnPattern, MaskField] = Field(default_factory=lambda: dict(MASK_COLUMNS))
    """Masks by name or glob. Profile prod denies these columns instead, until listed."""


class RulesFile(Fields):
    """The rules of querywarden: what exists, who may do what, how a login becomes a subject."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    """The version of this format."""
    profile: ProfileName = "prod"
    """Starting values: prod (strict), internal or dev."""
    entities: dict[Name, Entity] = Field(default_factory=dict)
    """Tables that may be seen, by the name the rules use for them."""
    functions: dict[Name, Function] = Field(default_factory=dict)
    """Functions of the database that may be called, by the name the rules use for them."""
    capabilities: dict[Name, Capability] = Field(default_factory=dict)
    """Named permissions."""
    roles: dict[Name, Role] = Field(default_factory=dict)
    """Roles, by name."""
    subjects: tuple[SubjectEntry, ...] = ()
    """Logins."""
    defaults: Defaults = Defaults()
    """Sensitive columns everywhere."""


# Fields of later versions, so that the refusal says so instead of "unknown field".
_ANY = None
_LEVELS: tuple[tuple[tuple[str | type[int] | None, ...], type[Fields], frozenset[str]], ...] = (
    ((), RulesFile, frozenset()),
    (("entities", _ANY), Entity, frozenset()),
    (("entities", _ANY, "owner"), Owner, frozenset()),
    (("entities", _ANY, "invariants", _ANY), Invariant, frozenset()),
    (("functions", _ANY), Function, frozenset()),
    (("capabilities", _ANY), Capability, frozenset({"listen", "notify", "migrate"})),
    (("capabilities", _ANY, "insert", _ANY), InsertRule, frozenset()),
    (("capabilities", _ANY, "update", _ANY), UpdateRule, frozenset()),
    (("capabilities", _ANY, "delete", _ANY), DeleteRule, frozenset()),
    (("capabilities", _ANY, "approval"), ApprovalRule, frozenset()),
    (("capabilities", _ANY, "statement"), NamedStatement, frozenset()),
    (("roles", _ANY), Role, frozenset()),
    (("roles", _ANY, "budget"), RoleBudget, frozenset()),
    (("roles", _ANY, "budget", "rate"), Rate, frozenset()),
    (("roles", _ANY, "budget", "writes"), WriteLimits, frozenset()),
    (("subjects", int), SubjectEntry, frozenset({"jwt", "certificate"})),
    (("defaults",), Defaults, frozenset()),
)


def fields_at(location: Location) -> tuple[tuple[str, ...], frozenset[str]]:
    """The fields known at a place of the file, and those that later versions will know."""
    for pattern, model, later in _LEVELS:
        if len(pattern) == len(location) and all(
            want is _ANY or want == part or (want is int and isinstance(part, int))
            for want, part in zip(pattern, location, strict=True)
        ):
            names = tuple(f.alias or name for name, f in model.model_fields.items())
            return names, later
    return (), frozenset()


def json_schema() -> dict[str, Any]:
    """JSON Schema of the rules file, for editors."""
    schema = _without_null(RulesFile.model_json_schema(by_alias=True))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _without_null(schema: Any) -> Any:
    """The schema without null: an absent field is absent, an empty one is an error."""
    if isinstance(schema, list):
        return [_without_null(part) for part in schema if part != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    kept = {
        name: _without_null(part)
        for name, part in schema.items()
        if not (name == "default" and part is None)
    }
    if len(kept.get("anyOf", ())) == 1:
        kept = {**kept.pop("anyOf")[0], **kept}
    return kept
