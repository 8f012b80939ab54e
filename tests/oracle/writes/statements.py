"""The numbered writes of a seed: `statement(7, 120)` is always the same texts."""

from __future__ import annotations

from dataclasses import replace

from tests.oracle.writes.copies import Copies
from tests.oracle.writes.texts import Written, written
from tests.oracle.writes.world import FEW, HARD, KEYED, LOGINS, WIDE

_SHAPES = {"insert": 36.0, "update": 32, "delete": 17, "merge": 7, "with_writes": 6, "copy": 3}


def statement(seed: int, number: int) -> Written:
    """The statement of that number."""
    grammar = Copies(f"writes {seed}/{number}", parametrised=number % 3 == 0)
    login = (WIDE, WIDE, WIDE, WIDE, WIDE, KEYED, KEYED, HARD, HARD, FEW)[number % 10]
    grammar.keyed, grammar.hard = login == KEYED, login == HARD
    grammar.fuel = grammar.r.choice((0, 0, 1, 2, 3, 4))
    shape = grammar.weighted(_SHAPES)
    text = getattr(grammar, shape)()
    if shape != "copy" and grammar.chance(0.04):
        comment = f"/*capability='write_{login}',reason='asked%20for'*/"
        text = grammar.pick((f"{comment} {text}", f"{text} {comment}"))
    verb = "COPY" if shape == "copy" else "DELETE" if grammar.soft and shape == "delete" else ""
    made = written(f"{seed}/{number}", login, shape, text, grammar.parameters, verb)
    return replace(made, data=grammar.data)


__all__ = ["LOGINS", "statement"]
