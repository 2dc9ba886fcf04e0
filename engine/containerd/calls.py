"""Calling containerd's services: one connection, one namespace, errors instead of statuses."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from engine.containerd.errors import (
    ContainerdError,
    ContainerdExists,
    ContainerdNotFound,
    ContainerdUnreachable,
)

M = TypeVar("M", bound=Message)

_SECONDS = 30.0
"""For whatever is not said to last: all of it is quick on a node that is well."""
_SERVICES = "containerd.services."


class Calls:
    """A connection to the containerd at `socket`, within one of its namespaces; enter it first.

    Kubernetes keeps its containers in the namespace `k8s.io`.
    """

    def __init__(self, socket: Path, namespace: str = "k8s.io") -> None:
        self._target = f"unix://{socket}"
        self._namespace = namespace
        self._channel: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        # A proxy of the environment is not meant for a socket.
        options = [("grpc.enable_http_proxy", 0)]
        self._channel = grpc.aio.insecure_channel(self._target, options=options)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._channel:
            await self._channel.close()
            self._channel = None

    async def _call(
        self,
        method: str,
        request: Message,
        answer: type[M],
        *,
        lease: str | None = None,
        seconds: float | None = _SECONDS,
    ) -> M:
        """One request, one answer. `method` is such as `tasks.v1.Tasks/Pause`."""
        call = self._opened.unary_unary(
            f"/{_SERVICES}{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        with _translated():
            found: M = await call(request, timeout=seconds, metadata=self._headers(lease))
            return found

    async def _read(self, method: str, request: Message, answer: type[M]) -> AsyncIterator[M]:
        """One request, many answers."""
        call = self._opened.unary_stream(
            f"/{_SERVICES}{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        with _translated():
            async for message in call(request, metadata=self._headers()):
                yield message

    async def _exchange(
        self, method: str, requests: AsyncIterator[Message], answer: type[M], *, lease: str
    ) -> AsyncIterator[M]:
        """Many requests, an answer to each."""
        call: grpc.aio.StreamStreamMultiCallable[Message, M] = self._opened.stream_stream(
            f"/{_SERVICES}{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        with _translated():
            async for message in call(requests, metadata=self._headers(lease)):
                yield message

    def _headers(self, lease: str | None = None) -> list[tuple[str, str]]:
        headers = [("containerd-namespace", self._namespace)]
        # What is made in this call is kept from the garbage collector as long as the lease is.
        return [*headers, ("containerd-lease", lease)] if lease else headers

    @property
    def _opened(self) -> grpc.aio.Channel:
        if self._channel is None:
            raise RuntimeError("Enter the connection (`async with`) before using it.")
        return self._channel


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        reason = error.details() or error.code().name
        if error.code() is grpc.StatusCode.NOT_FOUND:
            raise ContainerdNotFound(f"containerd has none: {reason}.") from error
        if error.code() is grpc.StatusCode.ALREADY_EXISTS:
            raise ContainerdExists(f"containerd has it already: {reason}.") from error
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise ContainerdUnreachable(f"containerd does not answer: {reason}.") from error
        raise ContainerdError(f"containerd refused: {reason}.") from error
