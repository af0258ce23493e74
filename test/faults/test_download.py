# SPDX-License-Identifier: Apache-2.0
"""Downloads over networks, proxies and hubs that fail: a sentence, nothing half in the cache, and the next try works.

test/clipseg/weights/test_hub.py has wrong hashes, files that are announced as too large, and what is in the cache.
"""
from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hub_server import Hub
from huggingface_hub import constants, file_download
from huggingface_hub.utils import close_session

from clipseg_ros.clipseg.weights import hub
from clipseg_ros.clipseg.weights.tensorfile import CheckpointError

RELEASE = hub.find_release("somebody/weights@" + "a" * 40)
FILE = "model.safetensors"
CONTENT = np.random.default_rng(0).bytes(30_000)
FILES = {"config.json": b"{}", FILE: CONTENT}
PATIENCE = 0.3


@pytest.fixture
def server(monkeypatch):
    """A hub that is asked without long pauses, and lets go of what hangs when the test ends."""
    for name in ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"):
        monkeypatch.setattr(constants, name, PATIENCE)
    monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)
    with Hub(dict(FILES)) as server:
        server.ended = threading.Event()
        server.serve(monkeypatch)
        close_session()  # what it knows of proxies is older
        yield server
        server.ended.set()
    close_session()


def answers(status: int, **headers: str):
    """Every request is answered so."""
    def fault(handler, name, body):
        handler.send_response(status)
        for header, value in {"Content_Length": "0", **headers}.items():
            handler.send_header(header.replace("_", "-"), value)
        handler.end_headers()
        return True
    return fault


def content(*parts: bytes, length: int | None = len(CONTENT), hang: bool = False, times: int = 10**9):
    """The weights are sent so, `times` times, under that length or none, and then the connection is closed or hangs."""
    left = [times]

    def fault(handler, name, body):
        if not (body and name == FILE and left[0]):
            return False
        left[0] -= 1
        handler.send_response(200)
        handler.send_header("ETag", f'"{hashlib.sha256(CONTENT).hexdigest()}"')
        if length is not None:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.close_connection = True
        for part in parts:
            handler.wfile.write(part)
        handler.wfile.flush()
        return not hang or handler.server.ended.wait(60)
    return fault


def hangs(handler, name, body):
    return handler.server.ended.wait(60)


def on_the_weights(fault):
    return lambda handler, name, body: body and name == FILE and fault(handler, name, body)


def loop(handler, name, body):
    return answers(302, Location=handler.path)(handler, name, body)


FAULTS = {
    "401": (answers(401), "401"), "403": (answers(403), "403"), "404": (answers(404), "404"),
    "429": (answers(429), "429"), "500": (answers(500), "500"),
    "503 for the content": (on_the_weights(answers(503)), "503"),
    "no hub": (answers(200), "X-Repo-Commit"),
    "no answer": (hangs, "timed out"), "no content": (on_the_weights(hangs), "timed out"),
    "stops": (content(CONTENT[:1000], hang=True), "timed out"),
    "cut again and again": (content(CONTENT[:1000]), "closed connection"),
    "too short": (content(CONTENT[:-1], length=len(CONTENT) - 1), "should be of size 30000 but has size 29999"),
    "too long": (content(CONTENT + b"more", length=len(CONTENT) + 4), "should be of size 30000 but has size 30004"),
    "without end": (content(*[bytes(2**20)] * 64, length=None), "goes on after the 30,000 bytes"),
    "in circles": (loop, "redirects"), "content in circles": (on_the_weights(loop), "redirects"),
    "to a file": (on_the_weights(answers(302, Location="file:///etc/hostname")), "unsupported protocol 'file://'"),
}


def whole(cache) -> set[str]:
    """The names of the files in the cache that have something in them."""
    files = {file.name for file in cache.rglob("*") if file.is_file() and file.stat().st_size}
    assert not [name for name in files if name.endswith(".incomplete")]
    return files & FILES.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_a_download_that_fails_says_so_and_the_next_one_works(server, tmp_path, name, record_property):
    server.fault, says = FAULTS[name]
    with pytest.raises(CheckpointError) as caught:
        hub.download(RELEASE, cache_dir=tmp_path)
    sentence = str(caught.value)
    assert says in sentence and "try" in sentence and "\n" not in sentence
    assert whole(tmp_path) <= {"config.json"}
    assert hub.find_cached(RELEASE, cache_dir=tmp_path) is None
    server.ended.set()
    server.fault = lambda *_: False
    start = time.monotonic()
    assert (hub.download(RELEASE, cache_dir=tmp_path) / FILE).read_bytes() == CONTENT
    record_property("recovery_s", time.monotonic() - start)


@pytest.mark.parametrize("size", [0, 1, 9_999, 29_999])
@pytest.mark.parametrize("how", ["closed", "silent"])
def test_a_connection_that_is_cut_once_is_taken_up_again(server, tmp_path, size, how):
    server.fault = content(CONTENT[:size], hang=how == "silent", times=1)
    assert (hub.download(RELEASE, cache_dir=tmp_path) / FILE).read_bytes() == CONTENT
    assert whole(tmp_path) == FILES.keys()


def test_content_from_another_host_has_the_hash_that_the_hub_announced(server, tmp_path, monkeypatch):
    """As the real hub, which sends the content from elsewhere."""
    with Hub({FILE: CONTENT[::-1]}) as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        server.fault = on_the_weights(lambda handler, name, body: answers(
            302, Location=f"{other.address}/elsewhere/{FILE}")(handler, name, body))
        with pytest.raises(CheckpointError, match=r"does not have the hash [0-9a-f]{64} \(announced by the hub\)"):
            hub.download(RELEASE, cache_dir=tmp_path)
        assert whole(tmp_path) == {"config.json"}
        other.files[FILE] = CONTENT
        assert (hub.download(RELEASE, cache_dir=tmp_path) / FILE).read_bytes() == CONTENT


def test_the_proxy_of_the_environment_is_taken_and_named(server, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE",
                        "http://hub.invalid/{repo_id}/resolve/{revision}/{filename}")
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:1")
    close_session()
    with pytest.raises(CheckpointError, match="through the proxy 127.0.0.1:1 failed, try it again: .*refused") as caught:
        hub.download(RELEASE, cache_dir=tmp_path)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("HTTP_PROXY", server.address)
    close_session()
    assert (hub.download(RELEASE, cache_dir=tmp_path) / FILE).read_bytes() == CONTENT
    assert all("http://hub.invalid/somebody/weights" in request for request in server.requests)


def test_ctrl_c_ends_a_download_that_trickles(server, tmp_path):
    def trickle(handler, name, body):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        begun.set()
        while not server.ended.wait(0.05):
            handler.wfile.write(b"x")

    begun = threading.Event()
    server.fault = on_the_weights(trickle)
    environment = {**os.environ, "HF_ENDPOINT": server.address, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "clipseg_ros.cli", "weights", "download", *RELEASE.names,
               "--cache-dir", str(tmp_path)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert begun.wait(60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and "Traceback" not in said
    assert said.endswith("clipseg weights: interrupted\n")
    assert whole(tmp_path) == {"config.json"}
