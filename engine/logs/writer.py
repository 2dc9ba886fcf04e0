"""Writing a build's log: lines are numbered, gathered into chunks, and kept within 100 ms."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime

from engine import metrics
from engine.clock import now
from engine.errors import BuildFailed
from engine.logs.lines import LineAssembler
from engine.logs.masking import Masker
from engine.notify import Notifier
from models import RUNNING, Build, LogChunk
from models.database import transaction
from models.enums import BuildStatus, FailureCode

CHUNK_BYTES = 16 * 1024
# Lines wait this long for company: fewer rows and messages, and still live to a reader.
GATHER_SECONDS = 0.04
# A flood is not gathered without end: beyond this the builder waits for the database.
MOST_PENDING = 512 * 1024
# A progress bar is shown this often, though its line has not ended.
PROGRESS_SECONDS = 1.0


class ClaimLost(Exception):
    """Another worker has the build now, or it is over: nothing more may be written."""


@dataclass(slots=True)
class _Pending:
    step: int | None
    time: datetime
    text: str
    lines: int


class LogWriter:
    """The only one that writes a build's log while it holds the build's claim.

    `secrets` never reach the log. Every write raises ClaimLost once the claim is lost.
    """

    def __init__(
        self, build: Build, notifier: Notifier, *, limit: int, secrets: Iterable[str] = ()
    ) -> None:
        self._build = build
        self._notifier = notifier
        self._limit = limit
        self.mask = Masker(secrets)
        self._assemblers: dict[tuple[int | None, int], LineAssembler] = {}
        self._pending: list[_Pending] = []
        self._pending_bytes = 0
        self._lines = build.log_lines
        self._bytes = build.log_bytes
        self._news = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._lost: Exception | None = None

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator["LogWriter"]:
        """Keep what is written at short intervals, and all of it when the block ends."""
        flusher = asyncio.create_task(self._flush_forever())
        try:
            yield self
        finally:
            flusher.cancel()
            await asyncio.gather(flusher, return_exceptions=True)
            with contextlib.suppress(ClaimLost):
                self._end_lines()
                await self.flush()

    async def say(self, text: str, step: int | None = None) -> None:
        """Write whole lines of Darkroom's own; a log that is full takes these few yet."""
        await self._append(step, now(), self.mask(text.rstrip("\n")))

    async def write(self, step: int | None, time: datetime, data: bytes, stream: int = 1) -> None:
        """Write what a step put out; a line is kept once it is whole within its stream.

        Raises BuildFailed LOG_TOO_LARGE instead of growing beyond the limit.
        """
        text = self._assembler(step, stream).add(data)
        if text is not None:
            self._require_room(text, step)
            await self._append(step, time, text)

    async def end_step(self, step: int | None) -> None:
        """Keep the last lines of a step, though no newline ended them."""
        for key in [key for key in self._assemblers if key[0] == step]:
            if (text := self._assemblers.pop(key).end()) is not None:
                await self._append(step, now(), text)

    async def flush(self) -> None:
        """Keep everything that was written so far, in order.

        Shielded: a cancel must not leave it unknown whether the lines were kept, or the next
        flush would keep them twice.
        """
        await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        async with self._flushing:
            pending, self._pending, self._pending_bytes = self._pending, [], 0
            if not pending:
                return
            lines = self._lines + sum(entry.lines for entry in pending)
            size = self._bytes + sum(len(entry.text.encode()) + 1 for entry in pending)
            try:
                await transaction(lambda: self._keep(pending, lines, size))
            except Exception:
                self._pending = pending + self._pending
                self._pending_bytes += sum(len(entry.text) for entry in pending)
                raise
            metrics.log_lines.inc(lines - self._lines)
            metrics.log_bytes.inc(size - self._bytes)
            self._lines = self._build.log_lines = lines
            self._bytes = self._build.log_bytes = size
            self._notifier.publish("build", self._build.id)

    async def _append(self, step: int | None, time: datetime, text: str) -> None:
        if self._lost:
            raise self._lost
        self._pending.append(_Pending(step, time, text, text.count("\n") + 1))
        self._pending_bytes += len(text.encode()) + 1
        self._news.set()
        if self._pending_bytes > MOST_PENDING:
            await self.flush()

    def _require_room(self, text: str, step: int | None) -> None:
        if self._bytes + self._pending_bytes + len(text.encode()) + 1 > self._limit:
            raise BuildFailed(
                FailureCode.LOG_TOO_LARGE,
                f"The log grew beyond {self._limit} bytes. Let the step write less, for instance "
                "with a quieter option of the program, or into a file.",
                step,
            )

    def _assembler(self, step: int | None, stream: int) -> LineAssembler:
        if (step, stream) not in self._assemblers:
            self._assemblers[step, stream] = LineAssembler(self.mask)
        return self._assemblers[step, stream]

    def _end_lines(self) -> None:
        for (step, _), assembler in self._assemblers.items():
            if (text := assembler.end()) is not None:
                self._pending.append(_Pending(step, now(), text, text.count("\n") + 1))
        self._assemblers.clear()

    async def _flush_forever(self) -> None:
        loop = asyncio.get_running_loop()
        next_progress = loop.time() + PROGRESS_SECONDS
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(next_progress):
                        await self._news.wait()
                        await asyncio.sleep(GATHER_SECONDS)
                self._news.clear()
                if loop.time() >= next_progress:
                    next_progress = loop.time() + PROGRESS_SECONDS
                    await self._show_progress()
                await self.flush()
        except Exception as lost:  # noqa: BLE001  # whatever it is, the next write must hear of it
            self._lost = lost

    async def _show_progress(self) -> None:
        for (step, _), assembler in list(self._assemblers.items()):
            if (text := assembler.progress()) is not None:
                await self._append(step, now(), text)

    async def _keep(self, pending: list[_Pending], lines: int, size: int) -> None:
        mine = self._build.mine(*RUNNING, BuildStatus.CANCELING)
        # First in the transaction, and conditional: a worker that lost its claim writes nothing.
        if await mine.filter(log_lines=self._lines).update(log_lines=lines, log_bytes=size):
            await LogChunk.bulk_create(self._chunks(pending))
        elif not await mine.filter(log_lines=lines).exists():
            raise ClaimLost
        # Else the answer to the commit was lost, and this is its repetition.

    def _chunks(self, pending: list[_Pending]) -> list[LogChunk]:
        chunks = []
        last = self._lines
        for entry in _joined(pending):
            for text in _split(entry.text):
                first, last = last + 1, last + text.count("\n") + 1
                chunks.append(
                    LogChunk(
                        build_id=self._build.id,
                        first_line=first,
                        last_line=last,
                        step=entry.step,
                        time=entry.time,
                        text=text,
                    )
                )
        return chunks


async def add_line(build_id: int, text: str) -> None:
    """Within a transaction that has written to the build: a line at the end of its log.

    For a build that nobody works on; it holds no secret.
    """
    build = await Build.get(id=build_id)
    number = build.log_lines + 1
    await LogChunk.create(
        build_id=build_id, first_line=number, last_line=number, time=now(), text=text
    )
    await Build.filter(id=build_id).update(
        log_lines=number, log_bytes=build.log_bytes + len(text.encode()) + 1
    )


def _joined(pending: list[_Pending]) -> list[_Pending]:
    """Neighbours of one step as one, as long as they are small."""
    joined: list[_Pending] = []
    for entry in pending:
        last = joined[-1] if joined else None
        if last and last.step == entry.step and len(last.text) + len(entry.text) < CHUNK_BYTES:
            last.text += "\n" + entry.text
            last.lines += entry.lines
        else:
            joined.append(_Pending(entry.step, entry.time, entry.text, entry.lines))
    return joined


def _split(text: str) -> list[str]:
    """Pieces of at most CHUNK_BYTES characters, cut between lines; a longer line stays whole."""
    pieces = []
    start = 0
    while len(text) - start > CHUNK_BYTES:
        cut = text.rfind("\n", start, start + CHUNK_BYTES)
        if cut == -1:
            cut = text.find("\n", start + CHUNK_BYTES)
        if cut == -1:
            break
        pieces.append(text[start:cut])
        start = cut + 1
    return [*pieces, text[start:]]
