"""Statements by mutation: tokens, subtrees, spellings and nesting of known ones, from one seed.

Knows PostgreSQL's tokens and nothing of the proxy.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import postgast

# Words that change the meaning of what stands around them, and characters readers differ about.
_WORDS = """
    SELECT FROM WHERE AS WITH RECURSIVE UNION ALL EXCEPT LATERAL ONLY JOIN LEFT FULL NATURAL USING
    GROUP BY HAVING ORDER LIMIT OFFSET FETCH FIRST ROWS WITH TIES DISTINCT VALUES TABLE EXISTS IN
    NOT NULL IS CASE WHEN THEN ELSE END CAST ARRAY ROW OVER FILTER WITHIN INTO FOR UPDATE ANY ON
    TABLESAMPLE INSERT UPDATE DELETE MERGE SET RETURNING DEFAULT CONFLICT DO NOTHING MATCHED
    excluded old new OVERRIDING ONLY notes tickets parcels pin gone status ctid
    querywarden_referenced
    COLLATE OPERATOR INTERVAL users orders orgs events products secrets audit_log v_users ssn email
    tenant_id note pg_class pg_catalog public lab.public.users $1 $2 $1::text * . , ; ( ) [ ] ::
    := => = <> < || ~~ @> -> ->> ? 1 1e9 0x1F '' 'x' E'\\\\' U&'\\0061' "users" "Users"
    U&"\\0075sers" $$x$$ $q$ -- /* */ /*/**/*/ \\ \x00 \xa0 \u2028 \ufeff \u0130 \u212a \ud7ff
""".split(" ")
WORDS = tuple(word.strip("\n") for word in _WORDS if word.strip("\n"))
# What a whole statement may stand in.
_FORMS = (
    "SELECT * FROM ({0}) q",
    "WITH q AS ({0}) SELECT * FROM q",
    "({0})",
    "{0} UNION ALL {0}",
    "SELECT ({0})",
    "SELECT 1 WHERE EXISTS ({0})",
    "WITH users AS ({0}) SELECT * FROM users",
    "SELECT * FROM users u, LATERAL ({0}) q",
    "SELECT ARRAY({0})",
    "{0}; {0}",
    "BEGIN; {0}",
    "COPY ({0}) TO STDOUT",
    "EXPLAIN {0}",
    "PREPARE p AS {0}",
    "DECLARE c CURSOR FOR {0}",
    "WITH RECURSIVE q AS ({0} UNION {0}) TABLE q",
    "{0} RETURNING *",
    "WITH q AS ({0}) UPDATE orders SET note = (SELECT min(q::text) FROM q) WHERE id = 101",
    "UPDATE notes SET body = ({0}) WHERE id = 11 RETURNING *",
    "INSERT INTO notes (id, user_id, body) {0}",
    "MERGE INTO orders o USING ({0}) q ON o.id = 101 WHEN MATCHED THEN DELETE",
)
_LONGEST = 6000  # bytes; the shapes have larger ones


def pieces(text: str) -> list[str]:
    """A text as tokens with what stands before each; the whole as one piece if it has none."""
    try:
        tokens = postgast.scan(text).tokens
    except (postgast.PgQueryError, ValueError):
        return [text]
    data, at, found = text.encode(), 0, []
    for token in tokens:
        found.append(data[at : token.end].decode("utf-8", "replace"))
        at = token.end
    return [*found, data[at:].decode("utf-8", "replace")]


class Mutator:
    """Makes statements of the ones it is given."""

    def __init__(self, known: Sequence[str], random: Random) -> None:
        self._known = [text for text in known if 0 < len(text) < _LONGEST]
        self._random = random
        self._pieces: dict[str, list[str]] = {}

    def next(self) -> str:
        """One more statement."""
        parts = list(self._of(self._random.choice(self._known)))
        for _ in range(self._random.choice((1, 1, 1, 2, 3, 6))):
            change = self._random.choice(
                (self._swap, self._drop, self._double, self._put, self._splice, self._splice,
                 self._spell, self._wrap, self._rename, self._rename)
            )  # fmt: skip
            parts = change(parts) or [" "]
        return "".join(parts)[:_LONGEST]

    def _of(self, text: str) -> list[str]:
        found = self._pieces.get(text)
        if found is None:
            found = self._pieces[text] = pieces(text)
        return found

    def _place(self, parts: Sequence[str]) -> int:
        return self._random.randrange(len(parts))

    def _swap(self, parts: list[str]) -> list[str]:
        one, other = self._place(parts), self._place(parts)
        parts[one], parts[other] = parts[other], parts[one]
        return parts

    def _drop(self, parts: list[str]) -> list[str]:
        at = self._place(parts)
        return parts[:at] + parts[at + self._random.choice((1, 1, 2, 4)) :]

    def _double(self, parts: list[str]) -> list[str]:
        at = self._place(parts)
        some = parts[at : at + self._random.choice((1, 2, 5))]
        return parts[:at] + some * self._random.choice((2, 2, 3, 20)) + parts[at:]

    def _put(self, parts: list[str]) -> list[str]:
        at = self._place(parts)
        return [*parts[:at], " " + self._random.choice(WORDS) + " ", *parts[at:]]

    def _rename(self, parts: list[str]) -> list[str]:
        """A name or constant becomes one of another statement."""
        others = self._of(self._random.choice(self._known))
        parts[self._place(parts)] = " " + others[self._place(others)].strip() + " "
        return parts

    def _splice(self, parts: list[str]) -> list[str]:
        """Something in brackets becomes something in brackets of another statement, or a SELECT."""
        others = self._of(self._random.choice(self._known))
        into, of = self._brackets(parts), self._brackets(others)
        if into is None:
            return self._put(parts)
        if of is None or self._random.random() < 0.3:
            return [*parts[: into[0]], " (", *others, ") ", *parts[into[1] :]]
        return [*parts[: into[0]], *others[of[0] : of[1]], *parts[into[1] :]]

    def _brackets(self, parts: Sequence[str]) -> tuple[int, int] | None:
        opened, pairs = [], []
        for at, part in enumerate(parts):
            if part.strip() == "(":
                opened.append(at)
            elif part.strip() == ")" and opened:
                pairs.append((opened.pop(), at + 1))
        return self._random.choice(pairs) if pairs else None

    def _spell(self, parts: list[str]) -> list[str]:
        """The same in another spelling, perhaps."""
        at = self._place(parts)
        word = parts[at].strip()
        escapes = "".join(f"!{ord(c):04x}" for c in word[:40])
        spelled = self._random.choice(
            (
                word.upper(),
                word.swapcase(),
                f'"{word}"',
                f"/*'*/{word}--\n",
                f"({word})",
                f"{word}/**/",
                f"\t\v{word}\f",
                f"U&\"{escapes}\" UESCAPE '!'",
                f"E'{word}'",
                f"$a${word}$a$",
                word.replace("u", "\u1d64"),
                f"public.{word}",
            )
        )
        return [*parts[:at], " ", spelled, " ", *parts[at + 1 :]]

    def _wrap(self, parts: list[str]) -> list[str]:
        """The whole inside something, or a few times inside itself."""
        text = "".join(parts).rstrip(" ;")
        form = self._random.choice(_FORMS)
        return [form.replace("{0}", text)]
