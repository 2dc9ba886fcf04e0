"""Reading the engine's answers that go on: one JSON object a line."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

Message = dict[str, Any]


async def json_lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Message, None]:
    """The messages in a response's bytes, as they come.

    Lines are split here because aiohttp's own line reader refuses lines of more than 128 KiB,
    which BuildKit sends when a step prints much at once.
    """
    begun: list[bytes] = []
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        begun.append(first)
        if not others:
            continue
        lines = [b"".join(begun), *others]
        begun = [lines.pop()]
        for line in lines:
            if line.strip():
                yield json.loads(line)
    if rest := b"".join(begun).strip():
        yield json.loads(rest)


def error_in(message: Message) -> str | None:
    """The engine's complaint, if `message` is one: it comes within a stream that began well."""
    detail = message.get("errorDetail")
    if isinstance(detail, dict) and detail.get("message"):
        return str(detail["message"]).strip()
    if error := message.get("error"):
        return str(error).strip()
    return "The engine gave no reason." if detail else None
