"""The house as it is laid out: who may import whom, and what is written from the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import settings
from resolvers.schema import schema
from tests.schema.contract import breaches

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT.parent / "shared" / "contract.graphql"

# Each room, and the rooms that it may ask for something.
BELOW = {
    "settings": set[str](),
    "models": {"settings"},
    "schema": {"models", "settings"},
    "engine": {"models", "settings"},
    "resolvers": {"schema", "engine", "models", "settings"},
    "server": {"resolvers", "schema", "engine", "models", "settings"},
}
KNOW_GRAPHQL = {"schema", "resolvers", "server"}
GRAPHQL = {"strawberry", "graphql", "graphql_relay"}
NOT_OURS_TO_SHIP = {"tests", "benchmarks"}


def modules() -> list[Path]:
    """Every module of every room; generated ones count too."""
    found = [ROOT / "settings.py"]
    for room in BELOW:
        found += sorted((ROOT / room).rglob("*.py"))
    return found


def room_of(module: Path) -> str:
    return module.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(module: Path) -> Iterator[str]:
    """The first part of everything that a module imports, wherever in it that happens."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute here"
            yield str(node.module).split(".")[0]


def test_every_room_is_looked_at() -> None:
    rooms = {room_of(module) for module in modules()}
    assert rooms == BELOW.keys()
    code = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert code - NOT_OURS_TO_SHIP <= rooms, "a new room needs its place in BELOW"


@pytest.mark.parametrize("room", BELOW)
def test_imports_point_one_way(room: str) -> None:
    wrong = [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules()
        if room_of(module) == room
        for name in imported(module)
        if name in (BELOW.keys() | NOT_OURS_TO_SHIP) - BELOW[room] - {room}
    ]
    assert wrong == []


def test_only_the_upper_rooms_know_graphql() -> None:
    wrong = [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules()
        if room_of(module) not in KNOW_GRAPHQL
        for name in imported(module)
        if name in GRAPHQL
    ]
    assert wrong == []


def test_every_module_is_named_for_what_it_does() -> None:
    vague = {"utils", "util", "helpers", "common", "misc"}
    assert [module for module in modules() if module.stem in vague] == []


def test_the_exported_schema_is_the_codes() -> None:
    exported = (ROOT / "schema.graphql").read_text("utf-8")
    assert exported == schema.as_str() + "\n", "run `make schema`"


def test_the_schema_keeps_its_contract() -> None:
    if not CONTRACT.exists():
        pytest.skip("the contract is not beside the project")
    assert breaches(CONTRACT.read_text("utf-8"), schema.as_str()) == []


def test_the_settings_page_is_the_codes() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert page == settings.as_markdown() + "\n", "run `make docs`"
