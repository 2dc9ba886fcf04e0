"""What the service says of itself: one line an event, as text or as JSON."""

import json
import logging
from typing import Literal

from engine.context_ids import build_id, request_id


class JsonLines(logging.Formatter):
    """One JSON object a line, for machines that collect logs."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, name and message; a traceback where there is one."""
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _ids()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextLines(logging.Formatter):
    """One line for people, with the build that it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """As usual, with the ids at its end."""
        ids = " ".join(f"{key}={value}" for key, value in _ids().items())
        return f"{super().format(record)} [{ids}]" if ids else super().format(record)


def _ids() -> dict[str, str]:
    ids = {"request": request_id.get(), "build": str(build_id.get() or "")}
    return {key: value for key, value in ids.items() if value}


def configure(style: Literal["text", "json"]) -> None:
    """Send everything to standard error."""
    handler = logging.StreamHandler()
    text = TextLines("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if style == "json" else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # These tell of every message and every connection.
    for name in ("dramatiq", "aiosqlite", "asyncio", "tortoise", "pika"):
        logging.getLogger(name).setLevel(logging.WARNING)
