# SPDX-License-Identifier: Apache-2.0
"""A Hugging Face hub on this machine, which can be bad on purpose."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from huggingface_hub import constants, file_download


class Hub(ThreadingHTTPServer):
    """A Hugging Face hub with one repository, which tells in `requests` what it was asked for.

    `etags` replaces the hashes that it announces, `cut` breaks a body off after so many bytes, and from then
    on, or when `broken`, it answers nothing. `fault` is called for each request with its handler, the file's name and
    whether its content is asked for, and may answer itself, which it says with True.
    """

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.etags: dict[str, str] = {}
        self.cut: int | None = None
        self.broken = False
        self.fault: Callable[[Handler, str, bool], object] = lambda handler, name, body: False
        self.requests: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def serve(self, monkeypatch) -> None:
        """Answer, from now on, and be the hub of this process."""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", self.address)
        template = self.address + "/{repo_id}/resolve/{revision}/{filename}"
        for module in (constants, file_download):  # older versions look into the second
            monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)

    def __exit__(self, *_) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body: bool):
        self.server.requests.append(f"{self.command} {self.path}")
        name = self.path.rsplit("/", 1)[-1]
        if self.server.fault(self, name, body):
            return
        if self.server.broken or name not in self.server.files:
            self.send_response(503 if self.server.broken else 404)
            self.send_header("X-Repo-Commit", self.path.split("/")[-2])
            self.send_header("X-Error-Code", "" if self.server.broken else "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = self.server.files[name]
        etag = self.server.etags.get(name, hashlib.sha256(content).hexdigest())
        start = int((self.headers["Range"] or "bytes=0-")[len("bytes="):].partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", self.path.split("/")[-2])
        self.send_header("ETag", f'"{etag}"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        content = content[start:]
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body and self.server.cut is not None and len(content) > self.server.cut:
            self.wfile.write(content[: self.server.cut])
            self.wfile.flush()
            self.server.broken = True
            self.close_connection = True
        elif body:
            self.wfile.write(content)
