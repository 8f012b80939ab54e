"""Finished operations on their way to a sink: a bounded queue and one writer thread.

`record` is called on the event loop for every statement, so it only appends. The thread encodes
and writes in batches. A sink that fails is tried again every second while the queue fills up; a
queue that is full loses records, never statements. Losses are counted, logged once a minute, and
the next record written says how many there were (`lost`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from proxy.oplog.encode import Encoder
from proxy.oplog.operation import Operation

QUEUE_LENGTH = 10_000
BATCH_SECONDS = 0.05  # how long the writer gathers after the first record
BATCH_RECORDS = 512
RETRY_SECONDS = 1.0
COMPLAIN_SECONDS = 60.0

# After so many records the writer lets go of the interpreter for a moment: encoding is Python, and
# a whole batch in one go would hold up the event loop for milliseconds; letting go more often costs
# more than the encoding (measured). With a queue that fills up it does not, which slows the
# clients down before records are lost.
_STRETCH = 128
_PAUSE = 0.001

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where records end up. Called from the writer thread only; OSError means "not written"."""

    @property
    def name(self) -> str:
        """The sink's name in metrics and messages."""
        ...

    def open(self) -> None:
        """Get ready; a second call does nothing."""
        ...

    def write(self, records: Sequence[bytes]) -> None:
        """Keep all of these encoded records, or raise OSError and keep none."""
        ...

    def close(self) -> None:
        """Make everything safe and let go."""
        ...


def _ignore(result: str, records: int) -> None:
    """Count nothing."""


class Recorder:
    """Takes operations and writes them to one sink.

    `count(result, n)`: told of every n records `written`, `dropped` (queue full) or `failed`
    (sink); called from the writer thread. `problem` is "" or one line for health checks.
    """

    def __init__(
        self,
        sink: Sink,
        instance: str,
        *,
        count: Callable[[str, int], None] = _ignore,
        queue_length: int = QUEUE_LENGTH,
    ) -> None:
        self.problem = ""
        self._sink = sink
        self._encoder = Encoder(instance)
        self._count = count
        self._room = queue_length
        self._queue: deque[Operation] = deque()
        self._dropped = 0  # by the event loop, ever
        self._told = 0  # of those, already counted
        self._lost = 0  # not yet mentioned in a record
        self._work = threading.Event()
        self._closing = threading.Event()
        self._complained = float("-inf")
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)

    def start(self) -> None:
        """Open the sink and start writing. A sink that cannot be opened is tried again later."""
        try:
            self._sink.open()
        except OSError as error:
            self._fail(error)
            self._work.set()
        self._thread.start()

    def record(self, operation: Operation) -> None:
        """Take one finished operation. Never blocks, never raises."""
        if len(self._queue) >= self._room:
            self._dropped += 1
            return
        self._queue.append(operation)
        if not self._work.is_set():
            self._work.set()

    def close(self, seconds: float = 5.0) -> None:
        """Write what is queued and close the sink, giving up after `seconds`."""
        if self._thread.ident is None:
            return
        self._closing.set()
        self._work.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            _log.error(
                "records sink does not finish; gave up sink=%s left=%d",
                self._sink.name,
                len(self._queue),
            )

    def _run(self) -> None:
        while not self._closing.is_set():
            self._work.wait()
            self._closing.wait(BATCH_SECONDS)
            self._work.clear()
            if not self._drain():
                self._closing.wait(RETRY_SECONDS)
                self._work.set()
        if not self._drain():
            self._lose("failed", len(self._queue))
        try:
            self._sink.close()
        except OSError as error:
            self._fail(error)

    def _drain(self) -> bool:
        """Write everything queued. False: the sink failed and the rest stays queued."""
        dropped = self._dropped - self._told
        if dropped:
            self._told += dropped
            self._lose("dropped", dropped)
            self._complain("records queue is full; dropped %d", dropped)
        try:
            if self.problem:
                self._sink.open()  # without traffic, too: a health check waits for it
                self.problem = ""
            while self._queue:
                self._write([self._queue.popleft() for _ in range(self._batch_size())])
        except OSError as error:
            self._fail(error)
            return False
        return True

    def _batch_size(self) -> int:
        return min(len(self._queue), BATCH_RECORDS)

    def _write(self, batch: list[Operation]) -> None:
        """Encode and write; with an OSError the batch is back in the queue."""
        lost = self._lost
        records = self._encode(batch, lost)
        try:
            self._sink.write(records)
        except OSError:
            self._queue.extendleft(reversed(batch))
            raise
        if records:
            self._lost -= lost
            self._count("written", len(records))
        if len(records) < len(batch):
            self._lose("failed", len(batch) - len(records))

    def _encode(self, batch: list[Operation], lost: int) -> list[bytes]:
        """The records of a batch; one that cannot be encoded is left out."""
        records: list[bytes] = []
        for number, operation in enumerate(batch, 1):
            if number % _STRETCH == 0 and len(self._queue) < self._room // 4:
                time.sleep(_PAUSE)
            try:
                records.append(self._encoder.encode(operation, 0 if records else lost))
            except Exception as error:
                self._complain("a record cannot be encoded error=%s", type(error).__name__)
        return records

    def _lose(self, result: str, records: int) -> None:
        self._lost += records
        self._count(result, records)

    def _fail(self, error: OSError) -> None:
        where = f" ({error.filename})" if error.filename else ""
        self.problem = f"{self._sink.name}: {error.strerror or error}{where}"
        self._complain("records are not written: %s", self.problem)

    def _complain(self, message: str, *values: object) -> None:
        """Log an error, at most once in COMPLAIN_SECONDS."""
        now = time.monotonic()
        if now - self._complained >= COMPLAIN_SECONDS:
            self._complained = now
            _log.error(message, *values)
