"""The database that the migrations make is the one that the models describe."""

import asyncio
import re
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import pytest

from models import database
from tests.fixtures.database import Postgres
from tests.fixtures.service import ROOT

Rows = set[tuple[Any, ...]]

# What the migrations themselves write down.
HISTORY = "tortoise_migrations"


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database enforces: columns with type, null, default and key; indexes; constraints.

    Indexes go without their names, which no query depends on.
    """

    columns: Rows
    indexes: Rows
    foreign_keys: Rows


@dataclass(frozen=True, slots=True)
class Kind:
    """A database server, by what this test needs of it."""

    new: Callable[[], str]  # the address of an empty database
    read: Callable[[str], Awaitable[Schema]]


async def read_sqlite(url: str) -> Schema:
    with closing(sqlite3.connect(url.removeprefix("sqlite://"))) as connection:

        def ask(query: str, *arguments: str) -> list[tuple[Any, ...]]:
            return connection.execute(query, arguments).fetchall()

        tables = [
            name
            for (name,) in ask("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith("sqlite_") and name != HISTORY
        ]
        columns, indexes, foreign_keys = set(), set(), set()
        for table in tables:
            for _, name, kind, not_null, default, key in ask(f"PRAGMA table_info({table})"):
                columns.add((table, name, kind.upper(), not_null, default, key))
            for _, index, unique, *_ in ask(f"PRAGMA index_list({table})"):
                parts = ask(f"PRAGMA index_info({index})")
                indexes.add((table, tuple(name for _, _, name in parts), unique))
            for _, _, to, column, target, on_update, on_delete, _ in ask(
                f"PRAGMA foreign_key_list({table})"
            ):
                foreign_keys.add((table, column, to, target, on_update, on_delete))
        return Schema(columns, indexes, foreign_keys)


async def read_postgres(url: str) -> Schema:
    connection = await asyncpg.connect(url)

    async def ask(query: str) -> Rows:
        return {tuple(row) for row in await connection.fetch(query, HISTORY)}

    try:
        columns = await ask(
            "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, "
            "column_default, is_identity, identity_generation FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name <> $1"
        )
        indexes = await ask(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> $1 "
            "AND indexname <> 'image_text'"  # of expressions, which models cannot describe
        )
        constraints = await ask(
            "SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid) "
            "FROM pg_constraint WHERE connamespace = 'public'::regnamespace "
            "AND conrelid::regclass::text <> $1"
        )
    finally:
        await connection.close()
    nameless = {(re.sub(r"INDEX \S+ ON", "INDEX ON", text),) for (text,) in indexes}
    return Schema(columns, nameless, constraints)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    """Each database server in turn."""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return Kind(server.database, read_postgres)
    names = iter(range(10))
    return Kind(lambda: f"sqlite://{tmp_path}/{next(names)}.sqlite3", read_sqlite)


async def create(url: str) -> None:
    """As the models say, without a migration."""
    async with database.opened(url) as context:
        await context.generate_schemas()


async def test_migrating_makes_what_the_models_describe(kind: Kind) -> None:
    migrated, created = await asyncio.to_thread(kind.new), await asyncio.to_thread(kind.new)
    await database.migrate(migrated)
    await create(created)

    found, wanted = await kind.read(migrated), await kind.read(created)

    assert {column[0] for column in wanted.columns} >= {"image", "build", "build_step", "log_chunk"}
    assert len(wanted.indexes) > 10
    assert len(wanted.foreign_keys) > 3
    assert found.columns == wanted.columns
    assert found.indexes == wanted.indexes
    assert found.foreign_keys == wanted.foreign_keys


async def test_the_comparison_sees_a_column_an_index_and_a_key_that_differ(kind: Kind) -> None:
    url = await asyncio.to_thread(kind.new)
    await database.migrate(url)
    before = await kind.read(url)
    async with database.opened(url) as context:
        for statement in (
            "ALTER TABLE image ADD COLUMN extra VARCHAR(10) NOT NULL DEFAULT 'x'",
            "CREATE UNIQUE INDEX extra ON image (extra)",
            "CREATE TABLE more (image_id BIGINT REFERENCES image (id) ON DELETE CASCADE)",
        ):
            await context.db().execute_script(statement)
    after = await kind.read(url)
    assert len(after.columns - before.columns) == 2
    assert len(after.indexes - before.indexes) == 1
    assert len(after.foreign_keys - before.foreign_keys) >= 1
    assert not before.columns - after.columns


async def test_migrating_again_changes_nothing(kind: Kind) -> None:
    url = await asyncio.to_thread(kind.new)
    await database.migrate(url)
    before = await kind.read(url)
    await database.migrate(url)
    assert await kind.read(url) == before


MIGRATE = (
    "import asyncio, sys; from models import database; asyncio.run(database.migrate(sys.argv[1]))"
)


async def test_processes_that_start_together_migrate_once(kind: Kind) -> None:
    url, alone = await asyncio.to_thread(kind.new), await asyncio.to_thread(kind.new)
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, url, cwd=ROOT, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    ended = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0] * 4, ended
    await database.migrate(alone)
    assert await kind.read(url) == await kind.read(alone)
    async with database.opened(url) as context:
        rows = await context.db().execute_query_dict("SELECT name FROM tortoise_migrations")
    names = [row["name"] for row in rows]
    assert sorted(names) == sorted(path.stem for path in migrations())
    assert len(names) == len(set(names))


def migrations() -> list[Path]:
    return list((ROOT / "models" / "migrations").glob("0*.py"))
