"""Which records of a records file are asked for. Reads files; knows no chain and no Operation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """What a record must say; "" asks for nothing. `reason`: words in it, capitals or not. `since`:
    a timestamp as records write it."""

    entity: str = ""
    operation: str = ""
    capability: str = ""
    reason: str = ""
    login: str = ""
    decision: str = ""
    since: str = ""

    def fits(self, record: dict[str, Any]) -> bool:
        """Whether a record is one of those."""
        return (
            (not self.entity or self.entity in record.get("entities", ()))
            and self.operation in ("", record.get("operation"))
            and self.capability in ("", record.get("capability"))
            and self.decision in ("", record.get("decision"))
            and self.login in ("", record.get("principal", {}).get("user"))
            and self.reason.casefold() in record.get("reason", "").casefold()
            and self.since <= record.get("timestamp", "")
        )


def search(paths: Sequence[Path], asked: Asked) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines asked for and what they hold, in the order of the files. A line that is no record
    is left out; the chain is what tells of it. Raises OSError."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                record = _record(line)
                if record is not None and asked.fits(record):
                    yield line.decode().rstrip("\n"), record


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "prev_hash" in found else None
