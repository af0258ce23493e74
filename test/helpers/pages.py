# SPDX-License-Identifier: Apache-2.0
"""A source that shows what a test tells it to, and a client that speaks to its page as a browser does."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import numpy as np

from clipseg_ros.web.source import Thing, View

PATIENCE = 60.0
"""Seconds until an answer counts as never coming."""


class Told:
    """A source that keeps what it is asked for.

    Attributes
    ----------
    wanted, examples : the last that it was given
    refusal : raised by whatever it is asked for, unless None
    """

    title = "a test"

    def __init__(self, recall=None) -> None:
        self.recall = recall
        self.wanted, self.examples, self.refusal, self.watched, self.board = None, {}, None, False, None

    def open(self, board) -> None:
        self.board = board
        board.cameras(["", "front", "rear"])

    def close(self) -> None:
        self.board = None

    def attend(self, watched: bool) -> None:
        self.watched = watched

    def look_for(self, prompts) -> None:
        if self.refusal:
            raise self.refusal
        self.wanted = [prompt.written for prompt in prompts]

    def keep_example(self, name, rgb, mask) -> None:
        if self.refusal:
            raise self.refusal
        self.examples[name] = rgb, mask

    def show(self, shade: int = 0, *, camera: str = "") -> View:
        """A view of one grey, with a square "box" of 20 pixels at (30, 10) in it."""
        view = View(camera, lambda: np.full((48, 64, 3), shade, np.uint8), scores={"box": 0.75, "cup": 0.25},
                    things=[Thing("box", 0.5, (30, 10), (20, 20), np.full((20, 20), 255, np.uint8), 7, 1.5)])
        self.board.show(view)
        return view


def unpack(data: bytes) -> tuple[dict, bytes]:
    """The JSON header and the payload of a binary message."""
    end = 4 + int.from_bytes(data[:4], "big")
    return json.loads(data[4:end]), data[end:]


class Client:
    """One WebSocket at a page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self, kind: str, *, patience: float = PATIENCE) -> tuple[dict, bytes]:
        """The next message of a kind (state, view or reply), and its payload."""
        while True:
            message = await asyncio.wait_for(self.socket.receive(), patience)
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            header, payload = (json.loads(message.data), b"") if message.type == aiohttp.WSMsgType.TEXT else \
                unpack(message.data)
            if header["type"] == kind:
                return header, payload

    async def ask(self, **what) -> dict:
        await self.socket.send_json({**what, "id": 1})
        return (await self.next("reply"))[0]


@asynccontextmanager
async def connected(page):
    """A client of a page, as its own browser connects."""
    origin = f"http://127.0.0.1:{page.port}"
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{origin}/live", headers={"Origin": origin}, max_msg_size=0) as socket:
            yield Client(socket)
