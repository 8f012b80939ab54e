"""The hash chain of a records file: each line names the digest of the one before it.

A line is one JSON object whose last two fields are `prev_hash` and `hash`; `hash` is the SHA-256
of the line's own bytes without its `hash` field. Bytes and not parsed values are hashed, so there
is no canonical form to agree on and nothing can be changed unseen. Knows nothing of Operations.

The chain shows lines that were changed, removed or put in between. Lines cut off the end show only
by comparison with a digest kept elsewhere: `verify` returns the last one for that.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

GENESIS = "0" * 64  # prev_hash of the first line ever

_ENDING = re.compile(rb',"prev_hash":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"}\Z')
_BLOCK = 65536


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the chain does not hold; `line` counts from 1."""

    path: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: `first` is the prev_hash of the first line, `last` the final hash."""

    lines: int
    first: str
    last: str
    broken: Break | None


def seal(record: bytes, previous: str) -> tuple[bytes, str]:
    """One JSON object without the two fields -> (the finished line with its newline, its hash)."""
    body = b'%b,"prev_hash":"%b"' % (record[:-1], previous.encode())
    digest = hashlib.sha256(body + b"}").hexdigest()
    return b'%b,"hash":"%b"}\n' % (body, digest.encode()), digest


def check(line: bytes) -> tuple[str, str] | None:
    """(prev_hash, hash) of a line without its newline whose own hash is right, else None."""
    found = _ENDING.search(line)
    if found is None:
        return None
    previous, digest = found.group(1).decode(), found.group(2).decode()
    without_hash = line[: found.start(2) - len(b',"hash":"')] + b"}"
    return (previous, digest) if hashlib.sha256(without_hash).hexdigest() == digest else None


def verify(paths: Sequence[Path]) -> Verdict:
    """Follow the chain through the files in the order given, stopping at the first break.

    The first line may name any predecessor: its file may have been rotated away. Raises OSError.
    """
    lines, first, last = 0, "", ""
    for path in paths:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                why = ""
                sealed = check(line.removesuffix(b"\n"))
                if not line.endswith(b"\n"):
                    why = "the line is incomplete"
                elif sealed is None:
                    why = "the line does not match its own hash"
                elif last and sealed[0] != last:
                    why = "the line does not follow the one before it"
                if why or sealed is None:
                    return Verdict(lines, first, last, Break(str(path), number, why))
                first = first or sealed[0]
                last = sealed[1]
                lines += 1
    return Verdict(lines, first, last, None)


def resume(file: BinaryIO) -> tuple[str, int]:
    """Where to continue an existing file: (hash of its last whole line, length up to its end).

    The length leaves out a line that a crash cut short. A last line that was never ours (or was
    changed) still gives the digest of its bytes, so `verify` points at it and not at the next one.
    """
    end = _end_of_last_newline(file)
    if end == 0:
        return GENESIS, 0
    start = _end_of_last_newline(file, before=end - 1)
    file.seek(start)
    line = file.read(end - 1 - start)
    sealed = check(line)
    return (sealed[1] if sealed else hashlib.sha256(line).hexdigest()), end


def _end_of_last_newline(file: BinaryIO, before: int | None = None) -> int:
    """Offset just behind the last newline of the first `before` bytes (default: all), else 0."""
    position = file.seek(0, os.SEEK_END) if before is None else before
    while position > 0:
        start = max(0, position - _BLOCK)
        file.seek(start)
        found = file.read(position - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0


def seal_all(records: Iterable[bytes], previous: str) -> tuple[bytes, str]:
    """Several records -> (their lines joined, the last hash)."""
    lines = []
    for record in records:
        line, previous = seal(record, previous)
        lines.append(line)
    return b"".join(lines), previous
