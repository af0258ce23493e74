# SPDX-License-Identifier: Apache-2.0
"""What a person at the page can ask for: a table of actions. What comes from a browser is believed nowhere."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np

from clipseg_ros.clipseg.written import PromptText, check_name, parse_prompts
from clipseg_ros.web.board import Board
from clipseg_ros.web.collection import Collection
from clipseg_ros.web.packets import pack
from clipseg_ros.web.prompt_list import PromptList
from clipseg_ros.web.source import View
from clipseg_ros.web.uploads import example, mask_of_outline

Message = Mapping[str, Any]


class Actions:
    """Answers one viewer's requests.

    Parameters
    ----------
    collection : where frames are kept; None offers that to nobody
    find : returns a view that the viewer was sent, by its number, or None
    """

    def __init__(self, board: Board, collection: Collection | None, find: Callable[[int], View | None]) -> None:
        self._board = board
        self._collection = collection
        self._find = find
        self._table: dict[str, Callable[[Message], Awaitable[Any]]] = {
            "add": self._add, "switch": self._switch, "threshold": self._threshold, "remove": self._remove,
            "example": self._example, "collect": self._collect, "recall": self._recall}

    async def answer(self, message: Message) -> dict[str, Any] | bytes:
        """What goes back: a reply that says in a sentence what was done, or why not."""
        number = message.get("id")
        reply: dict[str, Any] = {"type": "reply", "id": number if isinstance(number, int) else None, "ok": True,
                                 "message": ""}
        action = self._table.get(_text(message, "do"))
        if action is None:
            return {**reply, "ok": False, "message": "the page asks for something unknown; load it again"}
        try:
            said, payload = await action(message) or ("", b"")
        except (ValueError, OSError) as error:
            return {**reply, "ok": False, "message": str(error)}
        reply |= said if isinstance(said, dict) else {"message": said}
        return pack(reply, payload) if payload else reply

    async def _add(self, message: Message) -> None:
        prompts = parse_prompts(_text(message, "text"))
        if not prompts:
            raise ValueError("a prompt has no words; write something to look for")
        await self._board.change(lambda page: page.add(prompts))

    async def _switch(self, message: Message) -> None:
        text, on = _text(message, "text"), message.get("on") is True
        await self._board.change(lambda page: page.switch(text, on))

    async def _threshold(self, message: Message) -> None:
        text, value = _text(message, "text"), message.get("value")
        if value is not None and not _is_number(value):
            raise ValueError("the threshold must be a number between 0 and 1")
        await self._board.change(lambda page: page.set_threshold(text, value))

    async def _remove(self, message: Message) -> None:
        text = _text(message, "text")
        await self._board.change(lambda page: page.remove(text))

    async def _example(self, message: Message) -> None:
        name, view = _text(message, "name"), self._view(message)
        check_name(name)
        thing, outline = message.get("thing"), message.get("outline")
        if outline is None and not (isinstance(thing, int) and 0 <= thing < len(view.things)):
            raise ValueError("the thing is not in the picture any more; click it again")

        def mask() -> np.ndarray:
            return view.mask_of(view.things[thing]) if outline is None else mask_of_outline(outline, view.rgb.shape[:2])
        await keep(self._board, name, *await self._board.in_thread(lambda: example(view.rgb, mask())))

    async def _collect(self, message: Message) -> tuple[str, bytes]:
        view = self._view(message)
        if self._collection is None:
            raise ValueError("this page keeps no frames")
        return await self._board.in_thread(self._collection.add, view)

    async def _recall(self, message: Message) -> tuple[dict[str, Any], bytes]:
        text, recall = _text(message, "text").strip(), self._board.source.recall
        if recall is None:
            raise ValueError("nothing here remembers what was seen")
        if not text:
            raise ValueError("the question has no words; write what to look for")
        found = await self._board.in_thread(recall, text)
        return {"found": [{"caption": one.caption, "score": round(one.score, 3),
                           "thumbnail": base64.b64encode(one.thumbnail).decode()} for one in found]}, b""

    def _view(self, message: Message) -> View:
        number = message.get("view")
        view = self._find(number) if isinstance(number, int) else None
        if view is None:
            raise ValueError("the picture is too old; try it with a newer one")
        return view


async def keep(board: Board, name: str, rgb: np.ndarray, mask: np.ndarray | None) -> None:
    """Make a picture the prompt `@name`. ValueError or OSError, with a sentence, where that is not possible."""
    await board.in_thread(board.source.keep_example, name, rgb, mask)

    def add(page: PromptList) -> None:
        page.add([PromptText(f"@{name}")])
    await board.change(add)


def _text(message: Message, key: str) -> str:
    value = message.get(key)
    return value if isinstance(value, str) else ""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
