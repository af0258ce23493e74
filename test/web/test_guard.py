# SPDX-License-Identifier: Apache-2.0
"""Who may use the page, asked of the real server."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

import aiohttp
import pytest
from pages import Told

from clipseg_ros.web.guard import is_loopback
from clipseg_ros.web.page import Page, serving


@pytest.fixture(scope="module")
def page():
    with serving(Page(Told(), port=0)) as served:
        yield served


@pytest.fixture(scope="module")
def open_page():
    """On all addresses of this machine."""
    with serving(Page(Told(), address="0.0.0.0", port=0)) as served:
        yield served


def request(page: Page, path: str = "/", method: str = "GET", *, jar=None, **options) -> tuple[int, str, dict]:
    """Status, text and headers of an answer; `{port}` in headers is the page's."""
    headers = {name: value.format(port=page.port) for name, value in options.pop("headers", {}).items()}

    async def send():
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            url = f"http://127.0.0.1:{page.port}{path}"
            async with session.request(method, url, headers=headers, allow_redirects=False, **options) as answer:
                return answer.status, await answer.text(), dict(answer.headers)
    return asyncio.run(send())


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1:{port}", 200), ("localhost:{port}", 200), ("localhost:9999", 200), ("[::1]:80", 200),
    ("LOCALHOST", 200),
    ("evil.example:{port}", 403), ("127.0.0.1.evil.example", 403), ("192.168.0.7:{port}", 403), ("", 403),
    (socket.gethostname() + ".evil.example", 403), ("127.0.0.1@evil.example", 403), ("[::1", 403)])
def test_only_this_machines_names_are_served(page, host, status):
    assert request(page, headers={"Host": host})[0] == status


@pytest.mark.parametrize("method, path, origin, status", [
    ("GET", "/", None, 200), ("GET", "/", "http://127.0.0.1:{port}", 200), ("GET", "/", "http://evil.example", 403),
    ("POST", "/example?name=a", None, 403), ("POST", "/example?name=a", "http://evil.example", 403),
    ("POST", "/example?name=a", "null", 403), ("POST", "/example?name=a", "http://127.0.0.1:1", 403),
    ("POST", "/example?name=a", "http://127.0.0.1:{port}", 400)])
def test_other_sites_are_not_served(page, method, path, origin, status):
    assert request(page, path, method, headers={} if origin is None else {"Origin": origin})[0] == status


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
def test_other_sites_get_no_pictures(page, origin):
    async def connect():
        async with aiohttp.ClientSession() as session:
            headers = {} if origin is None else {"Origin": origin}
            async with session.ws_connect(f"http://127.0.0.1:{page.port}/live", headers=headers):
                pass
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        asyncio.run(connect())


@pytest.mark.parametrize("path, status", [("/", 200), ("/nothing", 404), ("/../page.py", 404), ("/page.css", 200),
                                          ("/static/page.css", 404)])
def test_every_answer_forbids_what_a_page_could_be_misused_for(page, path, status):
    answered, _, headers = request(page, path)
    assert answered == status
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"


def test_elsewhere_a_token_is_asked_for(open_page):
    token = urlsplit(open_page.url).query.partition("token=")[2]
    assert len(token) > 20
    for path in ("/", "/live", "/page.js", "/?token=", "/?token=wrong", f"/page.js?token={token}"):
        status, text, _ = request(open_page, path)
        assert status == 401 and token not in text
    own = {"Origin": "http://127.0.0.1:{port}"}
    assert request(open_page, "/token", "POST", data={"token": "wrong"}, headers=own)[0] == 401
    for cookie in ("clipseg=1", f"clipseg_{open_page.port}={token}", "clipseg_{port}=\xe2\x98\x83"):
        assert request(open_page, headers={"Cookie": cookie})[0] == 401


@pytest.mark.parametrize("way", ["link", "form"])
def test_whoever_has_the_token_is_let_in(open_page, way):
    async def enter():
        jar = aiohttp.CookieJar(unsafe=True)  # of addresses that are numbers
        async with aiohttp.ClientSession(f"http://127.0.0.1:{open_page.port}", cookie_jar=jar) as session:
            query = urlsplit(open_page.url).query
            if way == "link":
                answer = await session.get(f"/?{query}")
            else:
                answer = await session.post("/token", data=dict([query.split("=")]),
                                            headers={"Origin": f"http://127.0.0.1:{open_page.port}"})
            assert answer.status == 200 and answer.url.query_string == "" and "Look for" in await answer.text()
            cookie, = jar
            assert cookie["httponly"] and cookie["samesite"] == "Strict"
            assert (await session.get("/page.js")).status == 200
    asyncio.run(enter())


@pytest.mark.parametrize("host, status", [("192.168.0.7:{port}", 401), ("robot.evil.example", 403),
                                          (f"{socket.gethostname()}.local", 401)])
def test_elsewhere_numbers_and_own_names_are_hosts(open_page, host, status):
    assert request(open_page, headers={"Host": host})[0] == status


@pytest.mark.parametrize("address, loopback", [
    ("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
    ("10.0.0.1", False), ("robot", False)])
def test_which_addresses_are_this_machines_alone(address, loopback):
    assert is_loopback(address) is loopback


@pytest.mark.parametrize("address", ["203.0.113.1", "no.such.host.invalid"])
def test_an_address_of_others_is_refused_in_a_sentence(address):
    with pytest.raises(OSError, match=f"cannot listen on {address}, port 0 .*choose an address of this machine"):
        Page(Told(), address=address, port=0)
