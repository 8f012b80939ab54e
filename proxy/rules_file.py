"""Rules files on disk: which files, their text, and one RuleSet from all of it.

Knows nothing of what the rules mean; `policies.rules` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from policies.rules import RulesError, RuleSet, parse_all
from policies.rules_errors import Problem


def load(paths: Sequence[Path]) -> RuleSet:
    """The rules of these files; a folder stands for all its *.yaml files. Each may hold a part.

    Raises RulesError with every problem found.
    """
    return parse_all(texts(paths))


def texts(paths: Sequence[Path]) -> list[tuple[str, str]]:
    """(name, text) of each file behind these paths. Raises RulesError."""
    problems: list[Problem] = []
    files: dict[Path, str] = {}
    for path in paths:
        try:
            for file in _files(path):
                files[file] = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            problems.append(_unread(file, "is not UTF-8 text", "save it as UTF-8"))
        except OSError as error:
            reason = (error.strerror or "cannot be read").lower()
            problems.append(_unread(path, reason, "check the path given with --rules"))
        except RulesError as error:
            problems += error.problems
    if not problems and not files:
        raise RulesError([Problem("rules", 0, 0, "", "no file was given", "use --rules FILE")])
    if problems:
        raise RulesError(problems)
    return [(str(file), text) for file, text in files.items()]


def _files(path: Path) -> list[Path]:
    """The file itself, or the folder's *.yaml files by name. Other spellings are not skipped in
    silence: a part of the rules that is not read could be the one that denies."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.yaml"))
    others = sorted(path.glob("*.yml"))
    if others:
        raise RulesError(
            [_unread(file, "would not be read", "rename it to .yaml") for file in others]
        )
    if not found:
        raise RulesError(
            [_unread(path, "holds no *.yaml file", "check the path given with --rules")]
        )
    return found


def _unread(path: Path, message: str, suggestion: str) -> Problem:
    return Problem(str(path), 0, 0, "", message, suggestion)
