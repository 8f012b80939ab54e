"""One file per command of the command line."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot go on: what is printed, and the exit status (1: it failed, 2: misused)."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status
