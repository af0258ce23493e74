# SPDX-License-Identifier: Apache-2.0
"""The page's server, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from clipseg_ros.clipseg.written import check_name
from clipseg_ros.web.actions import keep
from clipseg_ros.web.board import Board
from clipseg_ros.web.collection import Collection
from clipseg_ros.web.guard import Guard, is_loopback
from clipseg_ros.web.source import Source
from clipseg_ros.web.uploads import MOST_BYTES, read_upload
from clipseg_ros.web.viewer import LONGEST_MESSAGE, PATIENCE, Viewer

PORT = 8642
MOST_VIEWERS = 32
_UPLOADS = 2
"""Pictures that arrive at the same time; others wait."""

_UPLOAD_SECONDS = 60.0
_FILES = Path(__file__).parent / "static"
_PATHS = {"/" if path.name == "index.html" else f"/{path.name}": path for path in _FILES.iterdir()}


class Page:
    """Serves one source to browsers.

    Parameters
    ----------
    address : on which it listens; on any other than a loopback address, browsers are asked for a token
    port : 0 for one that is free
    collection : where frames are kept as training data, if that is offered

    Raises OSError, with a sentence, where it cannot listen there.
    """

    def __init__(self, source: Source, *, address: str = "127.0.0.1", port: int = PORT,
                 collection: Collection | None = None) -> None:
        self._source = source
        self._collection = collection
        self._guard = Guard(address)
        self._socket = _listen(address, port)
        self._address = address
        self._viewers: set[Viewer] = set()
        self._uploads = asyncio.Semaphore(_UPLOADS)
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._stop: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._thread = threading.Thread(target=self._run, name="page server", daemon=True)

    @property
    def port(self) -> int:
        """On which it listens."""
        return self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """What a person opens; it holds the token, if there is one."""
        if is_loopback(self._address):
            return f"http://{_bracketed(self._address)}:{self.port}/"
        reachable = self._address if self._address not in ("0.0.0.0", "::") else _own_number()
        return f"http://{_bracketed(reachable)}:{self.port}/?token={self._guard.token}"

    def start(self) -> None:
        """Serve from now on. Raises what the source raises when it is opened."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End it: browsers are told, and the source is closed."""
        if self._stop is not None:
            loop, event = self._stop
            loop.call_soon_threadsafe(event.set)
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._ready.is_set():
                raise
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        stop = asyncio.Event()
        board = Board(self._source)
        app = web.Application(middlewares=[self._guard.middleware], client_max_size=MOST_BYTES)
        app.router.add_get("/live", lambda request: self._live(request, board))
        app.router.add_post("/example", lambda request: self._example(request, board))
        for path in _PATHS:
            app.router.add_get(path, _file)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.3)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        self._source.open(board)
        self._stop = asyncio.get_running_loop(), stop
        self._ready.set()
        try:
            await stop.wait()
        finally:
            for viewer in list(self._viewers):
                await viewer.dismiss()
            await runner.cleanup()
            self._source.close()
            board.close()

    async def _live(self, request: web.Request, board: Board) -> web.StreamResponse:
        if len(self._viewers) >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_VIEWERS} browsers look at this page already\n")
        socket = web.WebSocketResponse(max_msg_size=LONGEST_MESSAGE, heartbeat=PATIENCE, compress=False)
        viewer = Viewer(socket, request, board, self._collection)
        self._viewers.add(viewer)
        try:
            await socket.prepare(request)
            await viewer.serve()
        finally:
            self._viewers.discard(viewer)
        return socket

    async def _example(self, request: web.Request, board: Board) -> web.Response:
        """A picture that becomes the prompt `@name`."""
        name = request.query.get("name", "")
        try:
            check_name(name)
            async with self._uploads:
                await keep(board, name, *await board.in_thread(read_upload, await _body(request)))
        except (ValueError, OSError) as error:
            return web.json_response({"ok": False, "message": str(error)}, status=400)
        return web.json_response({"ok": True, "message": ""})


@contextmanager
def serving(page: Page) -> Iterator[Page]:
    """The page, served for as long as the context lasts."""
    page.start()
    try:
        yield page
    finally:
        page.stop()


async def _body(request: web.Request) -> bytes:
    """What was sent. ValueError, with a sentence, for too much or too late."""
    try:
        return await asyncio.wait_for(request.read(), _UPLOAD_SECONDS)
    except asyncio.TimeoutError:
        raise ValueError(f"the picture did not arrive within {_UPLOAD_SECONDS:.0f} s; try a smaller one") from None
    except web.HTTPRequestEntityTooLarge:
        raise ValueError(f"the file is too large; at most {MOST_BYTES // 2**20} MiB are taken") from None


async def _file(request: web.Request) -> web.FileResponse:
    return web.FileResponse(_PATHS[request.path])


def _listen(address: str, port: int) -> socket.socket:
    try:
        family, _, _, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(where[:2], family=family, backlog=128)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno)
        raise OSError(f"the page cannot listen on {address}, port {port} ({reason}); choose an address of this "
                      "machine and a port that is free") from error


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _own_number() -> str:
    """This machine's address in its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: nobody's
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
