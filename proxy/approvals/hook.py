"""The web service that answers for gate `callback`: one signed POST for each time it is asked.

    POST <url>                       {"id": ..., "statement": ..., "values": [...], ...}
    Querywarden-Timestamp: 1767225600
    Querywarden-Signature: sha256=<HMAC-SHA256 of "<timestamp>.<body>", in hex>

It answers 200 and {"decision": "granted" | "refused" | "pending"}. Anything else, and no answer in
time, is pending: a person may still answer. Knows no store.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from typing import Any, Final

import httpx2 as httpx
import orjson

from proxy.approvals.request import Entry, Verdict

_log = logging.getLogger(__name__)

_VERDICTS: Final[dict[object, Verdict]] = {
    "granted": "granted", "refused": "refused", "pending": "pending",
}  # fmt: skip
_LONGEST: Final = 65_536  # bytes of an answer


class Hook:
    """One URL. `key` signs what is sent; `seconds` is all the time an answer may take."""

    def __init__(
        self, url: str, key: bytes, seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._url = url
        self._key = key
        self._clock = clock
        # A redirect would send the statement elsewhere, and so would a proxy of the environment.
        self._client = httpx.AsyncClient(
            timeout=seconds, follow_redirects=False, trust_env=False,
            limits=httpx.Limits(max_connections=16),
        )  # fmt: skip
        self.seconds = seconds

    async def ask(self, entry: Entry) -> Verdict:
        """What the service says of a request. Never raises: a failure is no answer."""
        body = orjson.dumps(_said(entry))
        moment = str(int(self._clock()))
        signature = hmac.new(self._key, b"%b.%b" % (moment.encode(), body), hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "Querywarden-Timestamp": moment,
            "Querywarden-Signature": f"sha256={signature.hexdigest()}",
        }
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as got:
                answer = b""
                async for piece in got.aiter_bytes():
                    answer += piece
                    if len(answer) > _LONGEST:
                        return _nothing(entry, "its answer is too long")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            return _nothing(entry, type(error).__name__)
        if got.status_code != httpx.codes.OK:
            return _nothing(entry, f"HTTP status {got.status_code}")
        return _read(answer) or _nothing(entry, "its answer has no decision")

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()


def _nothing(entry: Entry, why: str) -> Verdict:
    _log.warning("the approval hook did not decide about %s: %s", entry.id, why)
    return "pending"


def _read(answer: bytes) -> Verdict | None:
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
    decision = found.get("decision") if isinstance(found, dict) else None
    return _VERDICTS.get(decision) if isinstance(decision, str) else None


def _said(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "login": entry.login,
        "tenant": entry.tenant,
        "user_id": entry.user_id,
        "roles": entry.roles,
        "capability": entry.capability,
        "operation": entry.operation,
        "entities": entry.entities,
        "statement": entry.statement,
        "values": entry.values,
        "settings": entry.settings,
        "reason": entry.reason,
        "by": entry.by,
        "policy_version": entry.rules_version,
        "asked_at": entry.asked_at,
        "expires_at": entry.expires_at,
    }
