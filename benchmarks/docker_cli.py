"""The `docker` command, as the one to compare with."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_FIRST_WITHOUT_BUILDKIT = 23


class DockerCli:
    """Builds and pushes by the command line, on the engine at `url`."""

    def __init__(self, url: str) -> None:
        self._program = find()
        self._env = os.environ | {"DOCKER_HOST": url, "DOCKER_BUILDKIT": "1"}

    def build_and_push(self, dockerfile: str, reference: str) -> None:
        """`docker build` and `docker push`, one after the other."""
        with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
            Path(folder, "Dockerfile").write_text(dockerfile)
            self._run("build", "--tag", reference, folder)
            self._run("push", reference)

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [self._program, *arguments],
            env=self._env,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"docker {arguments[0]} failed:\n{done.stdout}")


def find() -> str:
    """The first `docker` on the PATH that builds by BuildKit. Raises FileNotFoundError."""
    for folder in os.get_exec_path():
        program = shutil.which("docker", path=folder)
        if program and _builds_by_buildkit(program):
            return program
    raise FileNotFoundError("No `docker` that builds by BuildKit is on the PATH (docker.io has it)")


def version(program: str) -> str:
    """What the program calls its version."""
    found = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    return found.stdout.split()[2].rstrip(",")


def _builds_by_buildkit(program: str) -> bool:
    """From version 23 on, that is left to a plugin, which may be missing."""
    if int(version(program).split(".")[0]) < _FIRST_WITHOUT_BUILDKIT:
        return True
    asked = subprocess.run([program, "buildx", "version"], check=False, capture_output=True)
    return asked.returncode == 0
