# SPDX-License-Identifier: Apache-2.0
"""The server as browsers meet it, and as hostile clients do."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import time
import zipfile
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial

import aiohttp
import numpy as np
import pytest
from pages import PATIENCE, Told, connected
from pictures import PICTURE, file_of

from clipseg_ros.lab.datasets.folder import FolderWriter
from clipseg_ros.web.collection import Collection
from clipseg_ros.web.page import MOST_VIEWERS, Page, serving
from clipseg_ros.web.source import Recollection
from clipseg_ros.web.uploads import MOST_BYTES


@contextmanager
def served(source: Told, **options):
    collection = Collection(partial(FolderWriter, append=True))
    with serving(Page(source, port=0, collection=collection, **options)) as page:
        yield page


def run(scenario, source: Told | None = None):
    """A scenario, given the source, its page and one client."""
    source = source or Told()

    async def play():
        with served(source) as page:
            async with connected(page) as client:
                return await asyncio.wait_for(scenario(source, page, client), 2 * PATIENCE)
    return asyncio.run(play())


def test_prompts_reach_the_source_and_every_viewer():
    async def scenario(source, page, client):
        async with connected(page) as other:
            for what, wanted in [({"do": "add", "text": "mug=0.4; chair"}, ["mug=0.4", "chair"]),
                                 ({"do": "switch", "text": "mug", "on": False}, ["chair"]),
                                 ({"do": "threshold", "text": "chair", "value": 0.7}, ["chair=0.7"]),
                                 ({"do": "threshold", "text": "chair", "value": None}, ["chair"]),
                                 ({"do": "remove", "text": "chair"}, [])]:
                assert (await client.ask(**what))["ok"] and source.wanted == wanted
            while True:
                state, _ = await other.next("state")
                if [(one["text"], one["on"]) for one in state["prompts"]] == [("mug", False)]:
                    return
    run(scenario)


@pytest.mark.parametrize("message, complaint", [
    ({"do": "add", "text": ""}, "no words"), ({"do": "add"}, "no words"), ({"do": "add", "text": ["mug"]}, "no words"),
    ({"do": "add", "text": "mug=9"}, "less than 1"), ({"do": "switch", "text": "mug", "on": True}, "no prompt 'mug'"),
    ({"do": "threshold", "text": "mug", "value": "0.5"}, "must be a number"), ({"do": "nothing"}, "load it again"),
    ({"do": ["add"]}, "load it again"), ({}, "load it again"), ({"do": "collect", "view": 10**9}, "too old"),
    ({"do": "collect", "view": [1]}, "too old"),
    ({"do": "example", "name": "a/b", "view": 1}, "cannot be used|too old"),
    ({"do": "recall", "text": "keys"}, "nothing here remembers")])
def test_what_makes_no_sense_is_answered_in_a_sentence(message, complaint):
    async def scenario(source, page, client):
        reply = await client.ask(**message)
        assert not reply["ok"] and source.wanted is None
        return reply["message"]
    assert re.search(complaint, run(scenario))


def test_what_the_source_refuses_is_taken_back():
    async def scenario(source, page, client):
        await client.ask(do="add", text="mug")
        source.refusal = ValueError("the prompt 'x' is too long")
        reply = await client.ask(do="add", text="x")
        assert reply == {"type": "reply", "id": 1, "ok": False, "message": "the prompt 'x' is too long"}
        async with connected(page) as other:
            state, _ = await other.next("state")
        assert [one["text"] for one in state["prompts"]] == ["mug"]
    run(scenario)


def test_a_slow_viewer_gets_the_newest_view_and_no_queue():
    async def scenario(source, page, client):
        await client.next("state")
        first = source.show(0)
        assert (await client.next("view"))[0]["number"] == first.number
        numbers = []
        for shade in range(50):
            numbers.append(source.show(shade).number)
            await asyncio.sleep(0)
        second, _ = await client.next("view")  # the one that may be on its way while the first is drawn
        await client.socket.send_json({"do": "ready", "camera": ""})
        await client.socket.send_json({"do": "ready", "camera": ""})
        last = second["number"]
        while last != numbers[-1]:
            last, before = (await client.next("view"))[0]["number"], last
            assert last > before
            await client.socket.send_json({"do": "ready", "camera": ""})
        return len(numbers)
    run(scenario)


def test_nobody_looks_nothing_is_done():
    async def scenario(source, page, client):
        await client.next("state")
        assert source.watched
        await client.socket.close()
        while source.watched:
            await asyncio.sleep(0.01)
    run(scenario)


def test_a_thing_and_what_is_drawn_around_become_examples():
    async def scenario(source, page, client):
        view = source.show(90)
        await client.next("view")
        assert (await client.ask(do="example", name="my_box", view=view.number, thing=0))["ok"]
        rgb, mask = source.examples["my_box"]
        assert (rgb == 90).all() and mask[10:30, 30:50].all() and mask.sum() == 400 and source.wanted == ["@my_box"]
        assert (await client.ask(do="example", name="mine", view=view.number, outline=[0, 0, 9, 0, 9, 4, 0, 4]))["ok"]
        assert source.examples["mine"][1].sum() == 50 and source.wanted == ["@my_box", "@mine"]
        for wrong in ({"thing": 5}, {"thing": -1}, {"thing": "0"}, {"outline": [1]}, {"name": "no name", "thing": 0}):
            assert not (await client.ask(**{"do": "example", "name": "x", "view": view.number, **wrong}))["ok"], wrong
    run(scenario)


def test_a_frame_is_saved_as_a_data_set():
    async def scenario(source, page, client):
        view = source.show(90)
        await client.next("view")
        await client.socket.send_json({"do": "collect", "view": view.number, "id": 1})
        reply, payload = await client.next("reply")
        assert reply["ok"] and "prompts.jsonl" in zipfile.ZipFile(io.BytesIO(payload)).namelist()
    run(scenario)


def test_what_is_remembered_is_asked_for_only_where_there_is_a_memory():
    def recall(text: str) -> list[Recollection]:
        if text == "nothing":
            raise ValueError("the memory is empty")
        return [Recollection(f"{text} on the table", 0.75, b"JPEG")]

    async def scenario(source, page, client):
        assert (await client.next("state"))[0]["recall"]
        reply = await client.ask(do="recall", text="keys")
        assert reply["found"] == [{"caption": "keys on the table", "score": 0.75,
                                   "thumbnail": base64.b64encode(b"JPEG").decode()}]
        assert (await client.ask(do="recall", text="nothing"))["message"] == "the memory is empty"
    run(scenario, Told(recall))


@pytest.mark.parametrize("name, data, status, words", [
    ("cup", file_of(PICTURE, ".png"), 200, ""), ("a cup", file_of(PICTURE, ".png"), 400, "letters, digits"),
    ("cup", b"no picture", 400, "is not a picture"), ("cup", b"", 400, "is not a picture"),
    ("cup", bytes(MOST_BYTES + 1), 400, "at most 12 MiB")])
def test_a_picture_becomes_an_example(name, data, status, words):
    async def scenario(source, page, client):
        origin = f"http://127.0.0.1:{page.port}"
        async with aiohttp.ClientSession(origin) as session:
            async with session.post("/example", params={"name": name}, data=data, headers={"Origin": origin}) as answer:
                reply = await answer.json()
        assert answer.status == status and reply["ok"] == (status == 200) and words in reply["message"]
        assert list(source.examples) == (["cup"] if status == 200 else [])
        if status == 200:
            assert (source.examples["cup"][0] == PICTURE).all()
    run(scenario)


HOSTILE = {
    "no JSON": lambda socket: socket.send_str("{"),
    "deep JSON": lambda socket: socket.send_str("[" * 50_000),
    "no object": lambda socket: socket.send_str("[1]"),
    "bytes": lambda socket: socket.send_bytes(b"\0" * 100),
    "a huge message": lambda socket: socket.send_str("x" * 2**22),
    "a wrong opcode": lambda socket: _write(socket, b"\x8f\x80\0\0\0\0"),
    "an endless frame": lambda socket: _write(socket, b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"\0\0\0\0"),
    "no UTF-8": lambda socket: _write(socket, b"\x81\x82\0\0\0\0\xff\xfe"),
    "a cut frame": lambda socket: _write(socket, b"\x81\xfe\x10\0\0\0\0\0abc", close=True),
}


async def _write(socket, data: bytes, *, close: bool = False) -> None:
    """Bytes that the client's library would not send."""
    transport = socket._writer.transport
    transport.write(data)
    if close:
        transport.abort()


@pytest.mark.parametrize("what", HOSTILE)
def test_a_client_that_breaks_the_rules_is_put_out_and_costs_nobody_anything(what):
    async def scenario(source, page, client):
        await client.next("state")
        async with connected(page) as hostile:
            with suppress(ConnectionError):  # put out before it has said all
                await HOSTILE[what](hostile.socket)
            while not (await hostile.socket.receive()).type in (
                    aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING,
                    aiohttp.WSMsgType.ERROR):
                pass
        view = source.show(1)
        assert (await client.next("view"))[0]["number"] == view.number
        assert (await client.ask(do="add", text="mug"))["ok"]
    run(scenario)


def test_two_hundred_clients_that_read_nothing_leave_a_viewer_in_peace():
    async def scenario(source, page, client):
        await client.next("state")
        refused = 0
        async with AsyncExitStack() as stack, aiohttp.ClientSession() as session:
            origin = f"http://127.0.0.1:{page.port}"
            for _ in range(200):
                try:
                    socket = await session.ws_connect(f"{origin}/live", headers={"Origin": origin})
                except aiohttp.WSServerHandshakeError as error:
                    assert error.status == 503
                    refused += 1
                else:
                    stack.push_async_callback(socket.close)
                    await socket.send_json({"do": "ready", "camera": ""})
            assert refused == 201 - MOST_VIEWERS
            large = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
            for _ in range(20):
                view = source.show(1)
                view.picture = lambda: large
                assert (await client.next("view"))[0]["number"] == view.number
                await client.socket.send_json({"do": "ready", "camera": ""})
    run(scenario)


def test_a_viewer_that_takes_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr("clipseg_ros.web.viewer.PATIENCE", 0.2)
    large = np.random.default_rng(0).integers(0, 256, (1280, 1280, 3), dtype=np.uint8)

    async def scenario(source, page, client):
        await client.next("state")
        reader, writer = await asyncio.open_connection("127.0.0.1", page.port, limit=1024)
        writer.write((f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nOrigin: http://127.0.0.1:{page.port}\r\n"
                      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        ready = b'{"do":"ready","camera":""}'
        deadline = time.monotonic() + PATIENCE
        while not writer.transport.is_closing() and len(page._viewers) == 2 and time.monotonic() < deadline:
            view = source.show(1)
            view.picture = lambda: large
            writer.write(b"\x81" + bytes([0x80 | len(ready)]) + b"\0\0\0\0" + ready)  # it claims to keep up
            assert (await client.next("view"))[0]["number"] <= view.number
            await client.socket.send_json({"do": "ready", "camera": ""})
        assert len(page._viewers) == 1
        writer.transport.abort()
    run(scenario)


def test_an_end_of_the_page_is_not_held_up_by_its_viewers():
    async def play():
        source = Told()
        page = Page(source, port=0)
        page.start()
        async with connected(page) as client:
            await client.next("state")
            await asyncio.to_thread(page.stop)
            assert (await client.socket.receive()).type == aiohttp.WSMsgType.CLOSE
        assert source.board is None
    asyncio.run(play())


def test_a_source_that_cannot_be_opened_is_said_where_the_page_is_started():
    class Broken(Told):
        def open(self, board) -> None:
            raise ValueError("there is no camera")
    with pytest.raises(ValueError, match="there is no camera"), serving(Page(Broken(), port=0)):
        pass


def test_a_port_that_is_taken_is_said():
    with served(Told()) as page, pytest.raises(OSError, match=f"port {page.port} .*a port that is free"):
        Page(Told(), port=page.port)
