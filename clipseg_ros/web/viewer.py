# SPDX-License-Identifier: Apache-2.0
"""One browser at the page: it gets the newest view whenever it is ready for one, and asks for actions."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, defaultdict

from aiohttp import WSCloseCode, WSMsgType, web

from clipseg_ros.web.actions import Actions
from clipseg_ros.web.board import Board
from clipseg_ros.web.collection import Collection
from clipseg_ros.web.source import View

LONGEST_MESSAGE = 2**16
"""Bytes that a browser may send at once."""

PATIENCE = 20.0
"""Seconds within which a viewer must take what it is sent, and answer a ping; then it is gone."""

_AHEAD = 2
"""Views of a camera that are on their way at once; a viewer that draws slowly gets fewer, not later ones."""


class Viewer:
    """Serves one WebSocket until it ends. Whatever it does costs nobody else anything."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, board: Board,
                 collection: Collection | None) -> None:
        self._socket = socket
        self._request = request
        self._board = board
        self._wake = asyncio.Event()
        self._credit: defaultdict[str, int] = defaultdict(lambda: _AHEAD)
        self._sent: dict[str, OrderedDict[int, View]] = defaultdict(OrderedDict)
        self._actions = Actions(board, collection, self._find)

    async def serve(self) -> None:
        """Return when the browser has gone, or is not worth waiting for."""
        self._wake = self._board.join()
        sender = asyncio.ensure_future(self._send())
        sender.add_done_callback(self._on_sender_ended)
        try:
            async for message in self._socket:
                if message.type != WSMsgType.TEXT or not await self._take(message.data):
                    await self._socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
        finally:
            self._board.leave(self._wake)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def dismiss(self) -> None:
        """The page ends; the browser will look for it again."""
        await self._socket.close(code=WSCloseCode.GOING_AWAY)

    async def _take(self, text: str) -> bool:
        """Do what the browser asks for; whether it makes sense."""
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return False
        if not isinstance(message, dict):
            return False
        if message.get("do") != "ready":
            answer = await self._actions.answer(message)
            await (self._give(answer) if isinstance(answer, bytes) else self._give_text(answer))
        elif isinstance(camera := message.get("camera"), str) and camera in self._sent:
            self._credit[camera] = min(_AHEAD, self._credit[camera] + 1)
            self._wake.set()
        return True

    async def _send(self) -> None:
        """Send what is new whenever something is."""
        told = -1
        while True:
            await self._wake.wait()
            self._wake.clear()
            if told != self._board.changes:
                told = self._board.changes
                await self._give_text(self._board.state())
            for camera, view in list(self._board.views.items()):
                if self._credit[camera] > 0 and view.number not in self._sent[camera]:
                    await self._show(camera, view)

    async def _show(self, camera: str, view: View) -> None:
        self._credit[camera] -= 1
        sent = self._sent[camera]
        sent[view.number] = view
        while len(sent) > _AHEAD + 1:
            sent.popitem(last=False)
        await self._give(await self._board.packet(view))

    def _find(self, number: int) -> View | None:
        return next((sent[number] for sent in self._sent.values() if number in sent), None)

    async def _give(self, data: bytes) -> None:
        await asyncio.wait_for(self._socket.send_bytes(data), PATIENCE)

    async def _give_text(self, message: dict) -> None:
        await asyncio.wait_for(self._socket.send_str(json.dumps(message, allow_nan=False)), PATIENCE)

    def _on_sender_ended(self, sender: asyncio.Task[None]) -> None:
        """A browser that takes nothing any more will not answer a goodbye either."""
        if not sender.cancelled() and self._request.transport is not None:
            sender.exception()
            self._request.transport.abort()
