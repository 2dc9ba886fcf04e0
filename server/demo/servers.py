"""The servers that the demo needs: those that answer are used, the others are started."""

import contextlib
import os
import socket
import urllib.error
import urllib.request
from pathlib import Path

from rich.console import Console

from server.local.engine import engine_answers, local_engine
from server.local.process import free_port
from server.local.registry import local_registry
from settings import Settings


def prepare(settings: Settings, stack: contextlib.ExitStack, console: Console) -> Settings:
    """Settings whose engine and registry answer. What is started here ends with the stack."""
    place = settings.data_dir.absolute()
    found: dict[str, object] = {}
    if _has_engine(settings.engine_url):
        console.print(f"[dim]Docker Engine   {settings.engine_url}[/]")
    else:
        console.print(f"[dim]Docker Engine   starting one in {_shown(place / 'engine')}[/]")
        found["engine_url"] = stack.enter_context(local_engine(place / "engine"))
    if _has_registry(settings.registry):
        console.print(f"[dim]Registry        {settings.registry}[/]")
    else:
        port = int(settings.registry.rpartition(":")[2]) if _is_free(settings.registry) else None
        local = stack.enter_context(
            local_registry(place / "registry", _remembered(place, port or free_port()))
        )
        found["registry"] = local.host
        console.print(f"[dim]Registry        started at {local.host}[/]")
    return settings.model_copy(update=found)


def _remembered(place: Path, port: int) -> int:
    """The port of the demo before, while it is free: images are on record by their full names."""
    file = place / "registry.port"
    with contextlib.suppress(OSError, ValueError):
        before = int(file.read_text())
        if _is_free(f"127.0.0.1:{before}"):
            return before
    place.mkdir(parents=True, exist_ok=True)
    file.write_text(str(port))
    return port


def _has_engine(url: str) -> bool:
    if url.startswith("unix://"):
        return engine_answers(Path(url.removeprefix("unix://")))
    return True  # an address that somebody chose: a build will say what is wrong with it


def _has_registry(host: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}/v2/", timeout=2) as answer:
            return bool(answer.headers.get("Docker-Distribution-Api-Version"))
    except urllib.error.HTTPError as error:
        return error.code == 401  # it is there, and asks who we are
    except OSError:
        return False


def _is_free(host: str) -> bool:
    name, _, port = host.rpartition(":")
    if name not in ("127.0.0.1", "localhost"):
        return False
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) != 0


def _shown(path: Path) -> str:
    return os.path.relpath(path)
