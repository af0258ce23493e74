# SPDX-License-Identifier: Apache-2.0
"""Who may use the page: this machine's own browser, and from elsewhere whoever has the token."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
                               "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE = ("GET", "HEAD")
_FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>clipseg</title><link rel="stylesheet" href="/page.css"><link rel="icon" href="/icon.svg">
<main class="token"><h1>clipseg</h1><form method="post" action="/token"><label>Token
<input name="token" type="password" autocomplete="off" autofocus required></label><button>Open</button></form>
<p>The terminal in which the page was started shows it.</p></main></html>"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Looks at every request before anything else does.

    A page that another site shows cannot use this one: the `Host` must be a number or a name of this machine (against
    DNS rebinding), and the `Origin` of everything that changes something must be that host. On an address that other
    machines reach, a token is asked for, once in a browser.

    Parameters
    ----------
    address : on which the page listens. ValueError for a name that is not known
    """

    def __init__(self, address: str) -> None:
        self.token = "" if is_loopback(address) else secrets.token_urlsafe(16)
        self._session = secrets.token_urlsafe(32)
        own = socket.gethostname()
        names = {"localhost", own, f"{own}.local", socket.getfqdn()} if self.token else {"localhost"}
        self._names = {name.lower() for name in names}

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """For the application."""
        if not self._is_own_host(request.host):
            response: web.StreamResponse = web.Response(status=403, text=(
                f"the host {request.host[:80]!r} is not one of this machine; open the page by its number\n"))
        elif not self._is_own_origin(request):
            response = web.Response(status=403, text="the request comes from another site\n")
        elif self.token and request.path in ("/", "/token") and self._given(request.query.get("token", "")):
            response = self._admit(request)
        elif self.token and request.path == "/token" and request.method == "POST":
            given = (await request.post()).get("token", "")
            response = self._admit(request) if isinstance(given, str) and self._given(given) else self._ask()
        elif self.token and request.path not in ("/page.css", "/icon.svg") and not self._is_admitted(request):
            response = self._ask()
        else:
            response = await self._answer(request, handler)
        if not response.prepared:
            response.headers.update(CIMultiDict(_HEADERS))
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            error.headers.update(CIMultiDict(_HEADERS))
            raise

    def _is_own_host(self, host: str) -> bool:
        try:
            name = URL(f"http://{host}").host or ""
        except ValueError:
            return False
        return name.lower() in self._names or (_is_number(name) if self.token else is_loopback(name))

    def _is_own_origin(self, request: web.Request) -> bool:
        origin = request.headers.get("Origin", "")
        upgrade = request.headers.get("Upgrade", "")
        if request.method in _SAFE and not upgrade and not origin:
            return True
        return origin.partition("://")[2].lower() == request.host.lower()

    def _given(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    def _cookie(self, request: web.Request) -> str:
        """Its name; cookies are shared by all ports of a host."""
        return f"clipseg_{URL(f'http://{request.host}').port}"

    def _is_admitted(self, request: web.Request) -> bool:
        cookie = request.cookies.get(self._cookie(request), "")
        return hmac.compare_digest(cookie.encode("utf-8", "replace"), self._session.encode())

    def _admit(self, request: web.Request) -> web.Response:
        """Without the token in the browser's history."""
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(self._cookie(request), self._session, httponly=True, samesite="Strict", path="/")
        return response

    def _ask(self) -> web.Response:
        return web.Response(status=401, text=_FORM, content_type="text/html")


def is_loopback(address: str) -> bool:
    """Whether nobody but this machine reaches the address."""
    return address.lower() == "localhost" or (_is_number(address) and ipaddress.ip_address(address).is_loopback)


def _is_number(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
