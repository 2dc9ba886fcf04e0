"""Housekeeping beside those who work: uploads that come meanwhile, records, and other servers."""

import hashlib
import re
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from engine import stored_contexts
from engine.blobs import Blobs
from engine.clock import now
from models import Build, database
from tests import rows
from tests.fixtures.database import Postgres
from tests.fixtures.service import client_of
from tests.service.inside import inside
from tests.service.places import until
from tests.service.quiet import quiet_server
from tests.service.test_dockerfile import new_name
from tests.service.test_watching import get
from tests.service.tokens import bearer

DAY = timedelta(days=1)
CONTENT = b"FROM scratch\nLABEL uploaded=again\n"
REBUILD = """mutation($id: ID!, $build: ID!, $pinned: Boolean!) {
  rebuildImage(id: $id, input: {build: $build, pinned: $pinned}) { __typename
    ... on ValidationError { fields { field message } } } }"""


async def test_an_old_upload_that_is_removed_while_it_comes_again_is_there(tmp_path: Path) -> None:
    key = f"uploads/sha256/{hashlib.sha256(CONTENT).hexdigest()}"
    exists, asked = Blobs.exists, 0

    async def exists_a_moment_longer(blobs: Blobs, asked_for: str) -> bool:
        """The blob goes right after the first answer that it is there."""
        nonlocal asked
        found = await exists(blobs, asked_for)
        if asked_for == key and (asked := asked + 1) == 1:
            assert found
            assert await stored_contexts.remove_unreferenced(blobs, now() + 2 * DAY) == 1
        return found

    async with inside(tmp_path) as server, client_of(server.url, **bearer()) as client:
        await server.services.blobs.put(key, CONTENT)
        with patch.object(Blobs, "exists", exists_a_moment_longer):
            created = await client.upload("Dockerfile", CONTENT, name=new_name())
        assert created["__typename"] == "CreateImagePayload"
        assert await server.services.blobs.exists(key)


async def test_a_build_whose_context_was_given_up_says_so(tmp_path: Path) -> None:
    async with inside(tmp_path) as server, client_of(server.url, **bearer()) as client:
        image = await rows.save(rows.image())
        digest = "sha256:" + "a" * 64
        build = await rows.build_of(image, context_digest=digest, context_kept=False)
        query = """query($name: String!) { images(filter: {search: $name}) {
          nodes { id latestBuild { id } } } }"""
        (found,) = (await client.ask(query, name=image.name))["nodes"]
        ids = {"id": found["id"], "build": found["latestBuild"]["id"]}
        refused = await client.ask(REBUILD, **ids, pinned=True)
        assert refused["fields"][0]["field"] == "build"
        assert "not kept any more" in refused["fields"][0]["message"]
        assert await Build.filter(image_id=image.id).count() == 1
        # Today's inputs need nothing of it.
        again = await client.ask(REBUILD, **ids, pinned=False)
        assert again["__typename"] == "CreateImagePayload"
        assert build.context_digest == digest


async def test_of_two_servers_one_removes_what_is_old(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database()
    await database.migrate(url)
    async with database.opened(url):
        image = await rows.save(rows.image())
        for number in range(1, 6):
            old = now() - (900 - number) * DAY
            await rows.build_of(image, number, created_at=old, finished_at=old)
    settings = {"DATABASE_URL": url, "LEASE_SECONDS": "1"}
    with (
        quiet_server(tmp_path / "one", **settings) as one,
        quiet_server(tmp_path / "two", **settings) as two,
    ):

        async def told() -> bool:
            return "housekeeping removed" in one.log.read_text() + two.log.read_text()

        await until(told)
        counted = [(await get(f"{server.url}/metrics"))[1] for server in (one, two)]
    logs = one.log.read_text() + two.log.read_text()
    assert logs.count("housekeeping removed 4 builds") == logs.count("housekeeping removed") == 1
    async with database.opened(url):
        assert await Build.all().count() == 1
    removed = [
        re.findall(r'^darkroom_removed_total{kind="builds"} (.+)', text, re.M) for text in counted
    ]
    assert sorted(removed) == [[], ["4.0"]]
