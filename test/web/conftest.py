# SPDX-License-Identifier: Apache-2.0
"""The page's tests need its server, and some of them a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("aiohttp", reason="needs aiohttp (extra `web`)")

from browser import Browser, browsing  # noqa: E402


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all tests."""
    with browsing(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser
