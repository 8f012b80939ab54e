"""Which client message is legal when, as one table. Knows tags; knows nothing of bodies.

The laws (PostgreSQL manual 54.2 "Message Flow"; tcop/postgres.c, commands/copyfromparse.c):

1. Ready: every message of the simple and the extended protocol is legal in any order; the server
   queues nothing for us, so a client may pipeline. COPY messages are ignored: they belong to a
   COPY that ended before the client knew.
2. Copy-in: only CopyData, CopyDone, CopyFail. Flush and Sync are ignored. Any other message is
   swallowed and ends the COPY with an error.
3. Skipping: after an error in an extended message, everything but Sync and Terminate is ignored.
4. A tag that is in no row of the table ends the connection.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Phase(Enum):
    """Where a session stands after start-up, as far as the client's messages are concerned."""

    READY = "ready"
    COPY_IN = "copy-in"
    SKIPPING = "skipping"


class Verdict(Enum):
    """What to do with a message of a known tag."""

    ACT = "act"
    IGNORE = "ignore"
    END_COPY = "end the copy with an error"


CLIENT_TAGS: Final = b"QPBDECSHFXdcf"
_COPY: Final = b"dcf"


def _row(act: bytes, ignore: bytes, otherwise: Verdict) -> dict[int, Verdict]:
    row = dict.fromkeys(CLIENT_TAGS, otherwise)
    row.update(dict.fromkeys(ignore, Verdict.IGNORE))
    row.update(dict.fromkeys(act, Verdict.ACT))
    return row


LEGAL: Final[dict[Phase, dict[int, Verdict]]] = {
    Phase.READY: _row(act=b"QPBDECSHFX", ignore=_COPY, otherwise=Verdict.IGNORE),
    Phase.COPY_IN: _row(act=b"dcfX", ignore=b"HS", otherwise=Verdict.END_COPY),
    Phase.SKIPPING: _row(act=b"SX", ignore=b"", otherwise=Verdict.IGNORE),
}
