"""A headless Chromium, spoken to by the DevTools protocol: enough to open a page and use it."""

import asyncio
import contextlib
import itertools
import json
import shutil
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import websockets

from server.local.process import running

PROGRAM = shutil.which("chromium")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    # What asks for another host fails here, on any machine, instead of passing where it is reached.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


class Page:
    """One tab: runs scripts in it and keeps what it asked the network for and complained about."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.requested: list[str] = []
        self.complaints: list[str] = []

    async def listen(self) -> None:
        """Take in answers and events until cancelled."""
        async for message in self._socket:
            event = json.loads(message)
            if "id" in event:
                self._answers.pop(event["id"]).set_result(event)
            else:
                self._record(event["method"], event["params"])

    def _record(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.requested.append(params["request"]["url"])
            case "Network.webSocketCreated":
                self.requested.append(params["url"])
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.complaints.append(params["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"]))

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """One DevTools command; raises AssertionError with the browser's words when it fails."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        reply = await asyncio.wait_for(answer, 20)
        assert "error" not in reply, reply["error"]
        result: dict[str, Any] = reply["result"]
        return result

    async def load(self, url: str) -> None:
        """Go to `url`, also again, and wait until the document and its scripts are loaded.

        What runs in the page while it changes documents fails, so nothing else may be under way.
        """
        self._loaded.clear()
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), 20)

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        result = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, condition: str, seconds: float = 20) -> None:
        """Wait for a JavaScript condition; fails with the page's text when it stays false."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await self.run(f"Boolean({condition})"):
            if asyncio.get_running_loop().time() > deadline:
                text = await self.run("document.body.innerText")
                raise AssertionError(f"Never true: {condition}\n{self.complaints}\n{text}")
            await asyncio.sleep(0.03)


@contextlib.asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[Page]:
    """The page at `url` in a browser of its own, whose profile and log lie in `folder`."""
    assert PROGRAM
    profile = folder / "profile"
    port_file = profile / "DevToolsActivePort"
    with running(
        [PROGRAM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        log=folder / "chromium.log",
        ready=lambda: port_file.exists() and port_file.read_text().count("\n") > 0,
    ):
        port = port_file.read_text().partition("\n")[0]
        address = await asyncio.to_thread(_tab_address, f"http://127.0.0.1:{port}/json")
        async with websockets.connect(address, max_size=None) as socket:
            page = Page(socket)
            listening = asyncio.create_task(page.listen())
            try:
                for domain in ("Page", "Network", "Log", "Runtime"):
                    await page.call(f"{domain}.enable")
                await page.load(url)
                yield page
            finally:
                listening.cancel()


def _tab_address(listing: str) -> str:
    with urllib.request.urlopen(listing, timeout=10) as answer:  # noqa: S310 - our own browser
        tabs = json.load(answer)
    address: str = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    return address
