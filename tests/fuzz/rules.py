"""Rules files by mutation: bytes, lines, and values of every kind at any place of the structure."""

from __future__ import annotations

from random import Random
from typing import Any

import yaml

_BITS = (
    ":", " ", "\t", "\n", "-", "- ", "{", "}", "[", "]", "&a ", "*a", "!!python/name:os.system ",
    "'", '"', "|", ">", "%", "---\n", "...\n", "\0", "\ufeff", "\u2028", "<<: ", "? ", "null",
    "#", "1e999", "&a [*a]", "0x", "true", "subject.tenant", "x" * 300,
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1 << 70, 1.5, float("nan"), "", "x", "*", "subject.", "1 = 1) OR (true",
    "id = subject.nothing", "\U0001f600", [], {}, [[]], {"": {}}, [None], {"mask": "email"},
    {"mask": {"last": -1}}, {"hash": ""}, {"truncate": "eon"}, ["read"], {"select": ["*"]}, "2s",
    "10h",
)  # fmt: skip


def mutated(text: str, random: Random) -> str:
    """The text with something changed."""
    if random.random() < 0.5:
        for _ in range(random.choice((1, 1, 2, 5))):
            text = _text(text, random)
        return text
    loaded = yaml.safe_load(text)
    for _ in range(random.choice((1, 1, 2, 4))):
        loaded = _structure(loaded, random)
    return yaml.safe_dump(loaded, sort_keys=False, allow_unicode=True)


def _text(text: str, random: Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at, place = random.randrange(len(lines)), random.randrange(len(text) + 1)
    match random.randrange(6):
        case 0:
            return text[:place] + random.choice(_BITS) + text[place:]
        case 1:
            return text[:place] + text[place + random.randrange(1, 9) :]
        case 2:
            return "".join([*lines[:at], lines[random.randrange(len(lines))], *lines[at:]])
        case 3:
            return "".join(lines[:at] + lines[at + 1 :])
        case 4:
            lines[at] = " " * random.randrange(1, 5) + lines[at]
            return "".join(lines)
        case _:
            return (
                text[:place] + chr(random.choice((0, 7, 127, 133, 160, 8232, 65534))) + text[place:]
            )


def _structure(node: Any, random: Random) -> Any:
    """The same with one value somewhere in it replaced, moved, or a key renamed."""
    if isinstance(node, dict) and node and random.random() < 0.9:
        key = random.choice(list(node))
        changed = dict(node)
        match random.randrange(6):
            case 0:
                changed[random.choice((f"{key}s", "", 1, "table", key[::-1] if isinstance(key, str)
                                       else "x"))] = changed.pop(key)  # fmt: skip
            case 1:
                del changed[key]
            case _:
                changed[key] = _structure(node[key], random)
        return changed
    if isinstance(node, list) and node and random.random() < 0.9:
        changed_list = list(node)
        at = random.randrange(len(node))
        changed_list[at] = _structure(node[at], random)
        return changed_list if random.random() < 0.8 else changed_list * 2
    return random.choice(_VALUES)
