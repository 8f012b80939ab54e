"""The list of controls in controls.yaml, read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Control:
    """A control by name, tests of which at least one fails without it, and the edits that take it
    away: (file, text that stands there once, other text)."""

    name: str
    tests: tuple[str, ...]
    edits: tuple[tuple[str, str, str], ...]


def _read() -> tuple[Control, ...]:
    listed = yaml.safe_load((Path(__file__).parent / "controls.yaml").read_text())
    return tuple(
        Control(
            entry["name"],
            tuple(entry["tests"]),
            tuple((edit["file"], edit["old"], edit["new"]) for edit in entry["edits"]),
        )
        for entry in listed
    )


CONTROLS = _read()
