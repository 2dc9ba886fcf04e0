"""What the tests of saving have in common."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.fixtures.service import Client, Server, client_of
from tests.service.tokens import bearer

TASKS = """query($search: String) { trainingTasks(search: $search) {
  id name kind namespace createdAt pods { name node containers { name image running } } } }"""

SAVED = """query($id: ID!) { build(id: $id) { container {
  namespace pod container node containerId image paused savedBy { name } writtenBytes layerSize
  changedCount mounts { path volume readOnly } described changedFiles { path change size } } } }"""


@contextlib.asynccontextmanager
async def user(server: Server, name: str) -> AsyncIterator[Client]:
    async with client_of(server.url, **bearer(name)) as client:
        yield client


async def task_of(client: Client, name: str) -> Any:
    """The user's running task of this name."""
    tasks = await client.ask(TASKS, search=name)
    return next(task for task in tasks if task["name"] == name)
