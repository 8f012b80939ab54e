"""What policy puts into a statement, as a tree: nothing of the client's is in it."""

from __future__ import annotations

from typing import Any


class Settled(dict[str, Any]):
    """A node that must be found as it is; it can be compared without looking for edits in it."""
