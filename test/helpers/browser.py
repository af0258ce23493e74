# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that does what a person does, driven by the DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np
import pytest

PATIENCE = 60.0
"""Seconds until a condition counts as never met."""

KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowLeft": 37, "ArrowRight": 39, "End": 35, "Home": 36}


class Browser:
    """One tab. Every wait is for a condition."""

    def __init__(self, loop: asyncio.AbstractEventLoop, line: aiohttp.ClientWebSocketResponse) -> None:
        self._loop = loop
        self._line = line
        self._numbers = itertools.count(1)
        self.errors: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, parameters), PATIENCE))

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression; of a promise, what it becomes."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            pytest.fail(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, condition: str, *, patience: float = PATIENCE) -> None:
        """Until a JavaScript expression is true; one that cannot be evaluated yet is not."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            answer = self.call("Runtime.evaluate", expression=f"Boolean({condition})", returnByValue=True)
            if answer["result"].get("value") is True:
                return
            time.sleep(0.02)  # between two looks
        pytest.fail(f"waited in vain for {condition}; the page says: {self.evaluate('document.body.innerText')}")

    def type(self, selector: str, text: str) -> None:
        """Put the focus on an element and write."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key], **text)

    def drag(self, *points: tuple[float, float]) -> None:
        """Press the mouse at the first point, move over the others, let go at the last; of one point, a click."""
        for kind, (x, y) in [("mousePressed", points[0]), *(("mouseMoved", point) for point in points[1:]),
                             ("mouseReleased", points[-1])]:
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def place(self, selector: str, across: float = 0.5, down: float = 0.5) -> tuple[float, float]:
        """A point of an element, in shares of its width and height, in pixels of the window."""
        return tuple(self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            f" e.scrollIntoView({{block: 'nearest'}}); const r = e.getBoundingClientRect();"
            f" return [r.x + {across} * r.width, r.y + {down} * r.height]; }})()"))

    def click(self, selector: str) -> None:
        self.drag(self.place(selector))

    def choose(self, selector: str, file: Path) -> None:
        """What a person does in the dialog of an <input type=file>."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(file)], nodeId=node)

    def screenshot(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB of the window, once what the page has drawn is on it."""
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def look(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """The size of the window, in CSS pixels, and what its user likes."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, mobile=phone,
                  deviceScaleFactor=2 if phone else 1)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    async def _call(self, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._line.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._line.receive_json()
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self._note(message["params"])
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                return message["result"]

    def _note(self, event: Mapping[str, Any]) -> None:
        """Keep what a developer would see in red, but for a server that is gone for a while."""
        entry = event.get("entry")
        if entry is None:
            self.errors.append(str(event["exceptionDetails"]))
        elif entry["level"] == "error" and "ERR_CONNECTION" not in entry["text"]:
            self.errors.append(f"{entry['text']} {entry.get('url', '')}")


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """A browser of its own, with its profile in the folder. Skips the test where Chromium is not installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    profile = folder / "profile"
    process = subprocess.Popen(
        [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--mute-audio",
         "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    loop, session = asyncio.new_event_loop(), None
    try:
        session, line = loop.run_until_complete(_connect(profile / "DevToolsActivePort", process))
        browser = Browser(loop, line)
        for domain in ("Page", "Runtime", "Log", "DOM"):
            browser.call(f"{domain}.enable")
        browser.look(1280, 860)
        yield browser
    finally:
        if session is not None:
            loop.run_until_complete(session.close())
        process.terminate()
        process.wait()
        loop.close()


async def _connect(file: Path, process: subprocess.Popen) -> tuple[aiohttp.ClientSession, Any]:
    deadline = time.monotonic() + PATIENCE
    while not (file.exists() and "\n" in file.read_text()):
        if time.monotonic() > deadline or process.poll() is not None:
            pytest.fail(f"Chromium did not start (exit status {process.poll()})")
        await asyncio.sleep(0.02)
    port = file.read_text().split("\n")[0]
    session = aiohttp.ClientSession()
    async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
        tab = next(one for one in await response.json() if one["type"] == "page")
    return session, await session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0)


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[None]:
    """The page in the browser, which must not complain about anything."""
    browser.look(1280, 860)
    browser.errors.clear()
    browser.open(url)
    yield
    assert browser.errors == []


def look_for(browser: Browser, text: str) -> None:
    """Type a prompt on the page."""
    browser.type("#text", text)
    browser.press("Enter")
    browser.wait(f"[...document.querySelectorAll('#prompts .name')].some((one) => one.textContent === '{text}')")
