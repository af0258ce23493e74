# SPDX-License-Identifier: Apache-2.0
"""The page's tests need its server."""

import pytest

pytest.importorskip("aiohttp", reason="needs aiohttp (extra `web`)")
