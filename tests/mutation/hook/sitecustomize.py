"""Python runs this at its start when its directory is on PYTHONPATH: modules with other text.

MUTATION holds JSON, {file: [[text, other text], ...]}: a module loaded from such a file has the
other text, in this process and in those it starts. Knows nothing of what the texts mean.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType


class Altered(SourceFileLoader):
    """Loads a module from its file's text with replacements."""

    edits: Sequence[tuple[str, str]] = ()

    def get_code(self, fullname: str) -> CodeType:
        text = Path(self.path).read_text()
        for old, new in self.edits:
            if text.count(old) != 1:
                raise ImportError(f"{self.path} holds {old!r} {text.count(old)} times")
            text = text.replace(old, new)
        code: CodeType = compile(text, self.path, "exec", dont_inherit=True)
        return code


class Finder(MetaPathFinder):
    """Finds the altered modules; leaves all others to whoever comes next."""

    def __init__(self, altered: dict[str, list[tuple[str, str]]]) -> None:
        self._altered = altered

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        tail = fullname.replace(".", "/") + ".py"
        if tail not in self._altered:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            loader = Altered(fullname, spec.origin)
            loader.edits = self._altered[tail]
            spec.loader = loader
        return spec


if "MUTATION" in os.environ:
    sys.meta_path.insert(0, Finder(json.loads(os.environ["MUTATION"])))
