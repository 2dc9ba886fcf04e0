"""A build as a reader of the terminal sees it."""

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

_COLOURS = {"DONE": "green", "CACHED": "cyan", "FAILED": "red", "CANCELED": "yellow"}


class Show:
    """Prints the log as it comes, and each step's end with the time that it took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._over: set[int] = set()

    def lines(self, chunk: dict[str, Any]) -> None:
        """Some lines of the log."""
        time = _time(chunk["time"]).astimezone().strftime("%H:%M:%S")
        step = f"#{chunk['step']}" if chunk["step"] else ""
        for line in chunk["text"].split("\n"):
            shown = Text.assemble((time, "dim"), (f" {step:>4}  ", "blue"), Text.from_ansi(line))
            self._print(shown)

    def steps(self, steps: list[dict[str, Any]]) -> None:
        """The steps as they stand; each is told once, when it has ended."""
        for step in steps:
            if step["status"] not in _COLOURS or step["index"] in self._over:
                continue
            self._over.add(step["index"])
            colour = _COLOURS[step["status"]]
            number, name = f"#{step['index']}", " ".join(step["name"].split())
            self._print(
                f"         [blue]{number:>4}[/]  [{colour}]{step['status']:<6}[/]"
                f"{_took(step):>8}  [dim]{escape(name)}[/]"
            )

    def result(self, image: dict[str, Any], build: dict[str, Any]) -> None:
        """How the build ended, and what to do with its image."""
        if build["status"] != "SUCCEEDED":
            reason = build["failure"]["message"] if build["failure"] else build["status"]
            self._print(f"\n[red]The build failed.[/] {escape(reason)}")
            return
        self._print(f"\n[green]Build {build['number']} succeeded.[/]\n")
        self._print(f"  Digest     {build['digest']}")
        self._print(f"  Size       {build['size']:,} bytes, compressed")
        self._print(f"  Pull       docker pull {image['reference']}")
        self._print(f"  Whole log  {build['logUrl']}")

    def _print(self, line: str | Text) -> None:
        # The terminal wraps where it must; a line that was wrapped for it could not be copied.
        self._console.print(line, soft_wrap=True)


def _took(step: dict[str, Any]) -> str:
    if not step["startedAt"] or not step["finishedAt"]:
        return ""
    took = _time(step["finishedAt"]) - _time(step["startedAt"])
    return f"{took.total_seconds():.1f} s"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
