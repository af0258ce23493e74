# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: no network, no file of the user's, a ROS domain that nobody else is on."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import tempfile
from pathlib import Path

import pytest

from clipseg_ros.demo.domains import claim_domain

ROOT = Path(__file__).resolve().parent.parent
pytest_plugins = ("ros_peers",)
_kept = contextlib.ExitStack()
_scratch = _kept.enter_context(tempfile.TemporaryDirectory(prefix="clipseg_ros_test_"))
# At once: the next conftest.py may import what reads these only then, as the client of the hub does.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["HF_HOME"] = f"{_scratch}/huggingface"
os.environ["XDG_CACHE_HOME"] = f"{_scratch}/cache"
os.environ["ROS_HOME"] = os.environ["ROS_LOG_DIR"] = f"{_scratch}/ros"


def pytest_configure(config: pytest.Config) -> None:
    """Set before any test module is imported, and inherited by the processes that tests start."""
    domain, held = claim_domain()
    _kept.callback(held.close)
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


def pytest_unconfigure(config: pytest.Config) -> None:
    _kept.close()


def missing_for_ros() -> str:
    """Why tests marked `ros` cannot run here, "" when they can."""
    for name in ("rclpy", "clipseg_ros.srv"):
        if importlib.util.find_spec(name) is None:
            return f"{name} is not importable: needs ROS 2 and this package built"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = missing_for_ros()
    if reason:
        for item in items:
            if item.get_closest_marker("ros"):
                item.add_marker(pytest.mark.skip(reason=reason))
