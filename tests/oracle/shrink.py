"""A smaller statement that still does what a large one was caught doing.

Stretches of words are taken out, long ones first; what is still a statement and still `caught`
stays. Knows nothing of why.
"""

from __future__ import annotations

from collections.abc import Callable

from policies import grammar

MOST = 300


def shrink(text: str, caught: Callable[[str], bool], most: int = MOST) -> str:
    """The smallest text found with at most that many questions; `text` when there is none."""
    data = text.encode()
    words = [data[token.start : token.end].decode() for token in grammar.tokens(data)]
    words = [word for word in words if not word.startswith(("--", "/*"))]
    size, asked = len(words) // 2, 0
    best = text
    while size and asked < most:
        at = 0
        while at < len(words) and asked < most:
            smaller = words[:at] + words[at + size :]
            if _is_select(" ".join(smaller)):
                asked += 1
                if caught(" ".join(smaller)):
                    words, best = smaller, " ".join(smaller)
                    continue
            at += 1
        size = size // 2 if size > 8 else size - 1
    return best


def _is_select(text: str) -> bool:
    try:
        return grammar.parse_one(text)[0] == "SelectStmt"
    except (grammar.GrammarError, grammar.TooDeep):
        return False
