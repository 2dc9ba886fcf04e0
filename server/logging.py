"""What the service says of itself: one line an event, as text or as JSON."""

import json
import logging
from typing import Literal


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
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(style: Literal["text", "json"]) -> None:
    """Send everything to standard error."""
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if style == "json" else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # These tell of every message and every connection.
    for name in ("dramatiq", "aiosqlite", "asyncio", "tortoise", "pika"):
        logging.getLogger(name).setLevel(logging.WARNING)
