"""YAML text to plain data, with the place of every field; knows nothing of what the fields mean.

Stricter than YAML 1.1 where that guesses: only `true`, `false`, `null` and plain decimal numbers
are not text, so `tenant: 010`, `12:30` and `no` stay what was written. Tags and merge keys are
refused, duplicate keys too; anchors work, within bounds on size, depth and expansion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import yaml

from policies.rules_errors import Finding, Location, Problem, RulesError, dotted

MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 100_000  # after anchors are expanded

_WORDS: dict[str, bool | None] = {
    **{"": None, "~": None, "null": None, "Null": None, "NULL": None},
    **{"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False},
}
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,30})\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,30})\.[0-9]{1,30}\Z")
_TAGS = {
    yaml.ScalarNode: "tag:yaml.org,2002:str",
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
    yaml.MappingNode: "tag:yaml.org,2002:map",
}
# PyYAML's phrases that a reader meets most, said plainly.
_SYNTAX = (
    (
        "could not find expected ':'",
        "a `:` is missing after this field, or the indentation is wrong",
    ),
    (
        "mapping values are not allowed here",
        "there is a second `:` on this line; put text with `: ` in quotes",
    ),
    ("found character '\\t'", "a tab is used for indentation; YAML wants blanks"),
    ("cannot start any token", "this character cannot start a value; put the value in quotes"),
    ("found undefined alias", "this alias (*name) has no anchor (&name) before it"),
    ("found duplicate anchor", "this anchor (&name) is defined twice"),
    ("expected <block end>", "the indentation does not fit the lines above"),
    ("expected ',' or", "a bracket or brace is not closed, or a comma is missing"),
    ("found unexpected end of stream", "a quote, bracket or brace is not closed"),
    ("found '<stream end>'", "the file ends inside a bracket, a brace or a quote"),
    ("but found another document", "the file holds a second document; remove the `---`"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; line and column count from 1."""

    file: str
    line: int
    column: int


@dataclass(slots=True)
class Document:
    """Plain data (dict, tuple, str, int, Decimal, bool, None) and where each part was written.

    `places` holds (place of the name, place of the value); a mapping or list counts as its name.
    """

    data: dict[str, object] = field(default_factory=dict)
    places: dict[Location, tuple[Place, Place]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    files: tuple[str, ...] = ()

    def problem(self, finding: Finding) -> Problem:
        """The finding with its place: that of the field, else of the nearest thing around it."""
        for length in range(len(finding.location), 0, -1):
            found = self.places.get(finding.location[:length])
            if found is not None:
                whole = length == len(finding.location)
                place = found[1] if whole and not finding.at_key else found[0]
                break
        else:
            place = Place(self.files[0] if self.files else "", 1, 1)
        message, first = finding.message, self.places.get(finding.first)
        if first is not None:
            message += f": {first[1].file}:{first[1].line}:{first[1].column}"
        return Problem(
            place.file, place.line, place.column, dotted(finding.location),
            message, finding.suggestion,
        )  # fmt: skip


def read_yaml(text: str, name: str) -> Document:
    """One file's text as a Document. Raises RulesError when the text is not YAML at all."""
    if len(text) > MAX_CHARACTERS:
        raise RulesError([Problem(name, 0, 0, "", "is larger than 1 MiB", "split the file")])
    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise RulesError([Problem(name, line, column, "", _plain(error))]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        message = "holds a character that text files may not hold"
        raise RulesError([Problem(name, line, column, "", message, "remove it")]) from None
    document = Document(files=(name,))
    if node is None:
        return document
    data = _Expansion(document, name).value(node, (), 0)
    if isinstance(data, dict):
        document.data = data
    else:
        message = "the file must be a set of fields"
        raise RulesError([Problem(name, 1, 1, "", message, "start it with `version: 1`")])
    return document


def merge(documents: Sequence[Document]) -> Document:
    """Several files as one: names are united, lists joined, anything said twice is a problem."""
    merged = Document(files=tuple(name for document in documents for name in document.files))
    for document in documents:
        merged.problems += document.problems
        for name, value in document.data.items():
            _take(merged, document, name, value)
    return merged


def _take(merged: Document, document: Document, name: str, value: object) -> None:
    """Put one top-level field of a file into the whole."""
    known = merged.data.get(name)
    if name not in merged.data:
        merged.data[name] = value
        _copy_places(merged, document, (name,), (name,))
    elif isinstance(known, dict) and isinstance(value, dict) and name != "defaults":
        united = dict(known)
        for key, item in value.items():
            if key in united:
                _twice(merged, document, (name, key))
                continue
            united[key] = item
            _copy_places(merged, document, (name, key), (name, key))
        merged.data[name] = united
    elif isinstance(known, tuple) and isinstance(value, tuple):
        for index in range(len(value)):
            _copy_places(merged, document, (name, index), (name, len(known) + index))
        merged.data[name] = known + value
    elif known != value or name == "defaults":
        _twice(merged, document, (name,))


def _copy_places(merged: Document, document: Document, old: Location, new: Location) -> None:
    for location, places in document.places.items():
        if location[: len(old)] == old:
            merged.places[new + location[len(old) :]] = places


def _twice(merged: Document, document: Document, location: Location) -> None:
    first, again = merged.places[location][0], document.places[location][0]
    message = f"is said twice: also in {first.file}:{first.line}:{first.column}"
    merged.problems.append(
        Problem(
            again.file, again.line, again.column, dotted(location), message, "remove one of them"
        )
    )


class _OutOfBounds(yaml.MarkedYAMLError):
    """The text is YAML, but more of it than a rules file can need."""


class _Loader(yaml.BaseLoader):
    """PyYAML's composer with bounds: no tag is resolved, no object is ever built."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH or self.nodes > MAX_NODES:
            message = "is nested too deeply" if self.depth > MAX_DEPTH else "holds too many values"
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise _OutOfBounds(problem=message, problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Expansion:
    """Turns nodes into data, anchors included; each expanded node counts towards the bound."""

    def __init__(self, document: Document, name: str) -> None:
        self.document = document
        self.name = name
        self.nodes = 0

    def value(self, node: yaml.Node, location: Location, depth: int) -> object:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            message = "anchors and aliases expand to too much"
            place = self.place(node)
            raise RulesError([Problem(place.file, place.line, place.column, "", message)])
        if node.tag != _TAGS[type(node)]:
            self.complain(node, location, "YAML tags (!name) are not allowed", "remove the tag")
            return None
        match node:
            case yaml.MappingNode():
                return self.mapping(node, location, depth)
            case yaml.SequenceNode():
                for index, item in enumerate(node.value):
                    self.document.places[(*location, index)] = (self.place(item),) * 2
                return tuple(
                    self.value(item, (*location, index), depth + 1)
                    for index, item in enumerate(node.value)
                )
            case yaml.ScalarNode():
                return _scalar(node)
        raise TypeError(f"unknown YAML node {type(node).__name__}")

    def mapping(self, node: yaml.MappingNode, location: Location, depth: int) -> dict[str, object]:
        data: dict[str, object] = {}
        first: dict[str, Place] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.complain(key_node, location, "a field's name must be plain text", "")
                continue
            key, place = key_node.value, self.place(key_node)
            inside: Location = (*location, key)
            if key == "<<" and key_node.style is None:
                self.complain(key_node, inside, "merge keys (<<) are not allowed",
                              "repeat the fields, or use an alias for the whole value")  # fmt: skip
                continue
            if key in first:
                message = f"is written twice: also in line {first[key].line}"
                self.complain(key_node, inside, message, "remove one of them")
                continue
            first[key] = place
            scalar = isinstance(value_node, yaml.ScalarNode) and value_node.value != ""
            self.document.places[inside] = (place, self.place(value_node) if scalar else place)
            data[key] = self.value(value_node, inside, depth + 1)
            if data[key] is None and value_node.tag == _TAGS[yaml.ScalarNode]:
                # a half-finished edit (`tenant:`) must not read as "no tenant"
                hint = 'write one ({} for no fields, "null" in quotes for the word), or remove it'
                self.complain(value_node if scalar else key_node, inside, "has no value", hint)
        return data

    def place(self, node: yaml.Node) -> Place:
        return Place(self.name, node.start_mark.line + 1, node.start_mark.column + 1)

    def complain(self, node: yaml.Node, location: Location, message: str, hint: str) -> None:
        place = self.place(node)
        self.document.problems.append(
            Problem(place.file, place.line, place.column, dotted(location), message, hint)
        )


def _scalar(node: yaml.ScalarNode) -> str | int | bool | Decimal | None:
    text: str = node.value
    if node.style is not None:  # quoted, or a block: text whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.match(text):
        return int(text)
    if _DECIMAL.match(text):
        return Decimal(text)
    return text


def _plain(error: yaml.MarkedYAMLError) -> str:
    """A YAML syntax error in plain words; the text around it is not echoed."""
    said = f"{error.context or ''} {error.problem or ''}"
    for phrase, message in _SYNTAX:
        if phrase in said:
            return message
    if isinstance(error, _OutOfBounds):
        return f"{error.problem}"
    return f"is not valid YAML ({error.problem or 'syntax error'})"
