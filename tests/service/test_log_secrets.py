"""Secrets that a step prints, looked for wherever anything is kept."""

import json
from pathlib import Path

import zstandard

from tests.engine.building import until
from tests.fixtures.docker import PushBusybox
from tests.fixtures.registry import OWNER, RegistryServer
from tests.fixtures.service import client_of, serving
from tests.service.logs import (
    archived,
    built,
    download,
    followed,
    lines_of,
    page,
    printed,
    run,
    step_of,
)


def searched(folder: Path) -> dict[str, bytes]:
    """Everything that is kept, as it reads once it is decompressed."""
    found = {}
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if path.suffix == ".zst":
            reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
            data = reader.read()
        found[str(path.relative_to(folder))] = data
    return found


async def test_secrets_are_masked_wherever_they_turn_up(
    docker_engine: str,
    basic_registry: RegistryServer,
    busybox: PushBusybox,
    tmp_path: Path,
) -> None:
    pushed = await busybox(basic_registry.host, OWNER)
    settings = {
        "ENGINE_URL": docker_engine,
        "REGISTRY": basic_registry.host,
        "REGISTRY_USERNAME": OWNER.username,
        "REGISTRY_PASSWORD": OWNER.password,
    }
    # Never whole in the Dockerfile: printed in pieces, at once and with pauses.
    half, rest = OWNER.password[:7], OWNER.password[7:]
    script = (
        f"printf 'a %s' {half}; sleep 0.2; printf {rest[:2]}; sleep 0.2; echo '{rest[2:]} z';"
        f"echo {half}''{rest}; printf 'tail {half}%s' '{rest}'"
    )
    login = "https://ada:hunter22@git.example.com/a.git"
    url = (
        f"printf 'clone https://ada:hun'; sleep 0.2; echo 'ter22@git.example.com/a.git'; : {login}"
    )
    with serving(tmp_path / "data", settings) as server:
        async with client_of(server.url) as client:
            build = await built(
                client, f"FROM {pushed.reference}\n{run(script)}\n{run(url)}\n{run('false')}"
            )
            assert build["failure"]["code"] == "STEP_FAILED"
            chunks, _ = await followed(client, build["id"])
            lines = lines_of(chunks)
            answers = json.dumps(
                [
                    build["steps"],
                    build["failure"],
                    chunks,
                    await page(client, build["id"], 0, 1000),
                    await download(client, build["logUrl"]),
                ]
            )
        assert printed(lines, step_of(build, "sleep 0.2; printf")) == [
            "a [secret] z",
            "[secret]",
            "tail [secret]",
        ]
        clone = "clone https://[secret]@git.example.com/a.git"
        assert printed(lines, step_of(build, "git.example.com")) == [clone]
        await until(archived(server, build).exists, 10)
        kept = searched(server.data)
        for where, data in {
            **kept,
            "server's log": server.log.read_bytes(),
            "answers": answers.encode(),
        }.items():
            assert OWNER.password.encode() not in data, where
        assert "hunter22" not in answers
