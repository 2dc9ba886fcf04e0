"""The example operations that GraphiQL opens with.

Each is `examples/<number>-<name>.graphql`, one operation whose first line is a comment: its title.
Variables stand in a `.json` file of the same name, where it has any.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "examples"


@dataclass(frozen=True)
class Example:
    """An operation to show, with its variables as the JSON text that the editor holds."""

    title: str
    query: str
    variables: str | None


def load(folder: Path = FOLDER) -> list[Example]:
    """All examples, in the order of their numbers."""
    return [_read(file) for file in sorted(folder.glob("*.graphql"))]


def as_script(examples: list[Example]) -> str:
    """The examples as JSON that may stand inside an HTML script element."""
    # Escaped, no text of an example can close the element or open a comment in it.
    return json.dumps([asdict(example) for example in examples]).replace("<", "\\u003c")


def _read(file: Path) -> Example:
    query = file.read_text(encoding="utf-8")
    variables = file.with_suffix(".json")
    return Example(
        title=query.partition("\n")[0].removeprefix("#").strip(),
        query=query,
        variables=variables.read_text(encoding="utf-8").strip() if variables.exists() else None,
    )
