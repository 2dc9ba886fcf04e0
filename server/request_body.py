"""Bodies that arrive in time and are no larger than they may be."""

import asyncio
import contextlib
import time

from starlette.requests import Request
from starlette.types import Message, Receive

from settings import Settings

# What a multipart body has besides its file; what is only a little too large is told with all
# other problems of the input.
BESIDE_THE_FILE = 16 * 1024**2
DRAINING = 2  # seconds


class BodyRefused(Exception):
    """The body cannot be taken: 408 or 413, with the reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def limited(request: Request, receive: Receive, settings: Settings) -> Receive:
    """Receive the body of this request within the settings' limits. Raises BodyRefused.

    An upload may take as long as it keeps coming; anything else must be there in time.
    """
    is_upload = request.headers.get("content-type", "").lower().startswith("multipart/")
    most = settings.upload_bytes + BESIDE_THE_FILE if is_upload else settings.body_bytes
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:19]) > most:
        raise _too_large(most)
    return _Limited(receive, most, settings.request_seconds, whole=not is_upload).receive


class _Limited:
    def __init__(self, receive: Receive, most: int, seconds: float, *, whole: bool) -> None:
        self._receive = receive
        self._left = most
        self._most = most
        self._seconds = seconds
        self._whole = whole
        self._end = time.monotonic() + seconds
        self._is_complete = False

    async def receive(self) -> Message:
        """The next part of the body."""
        if self._is_complete:  # what comes now is the client's leaving, whenever that is
            return await self._receive()
        seconds = self._end - time.monotonic() if self._whole else self._seconds
        try:
            async with asyncio.timeout(max(0, seconds)):
                message = await self._receive()
        except TimeoutError:
            raise BodyRefused(408, "The request took too long to arrive.") from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _too_large(self._most)
        self._is_complete = not message.get("more_body", False)
        return message


def _too_large(most: int) -> BodyRefused:
    return BodyRefused(413, f"The request is larger than {most} bytes, the most that is taken.")


async def drain(receive: Receive) -> None:
    """Let a refused body come for a moment: who is still sending does not hear why it was not."""
    left = BESIDE_THE_FILE
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAINING):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b"")) or 1
                if not message.get("more_body", False):
                    return
