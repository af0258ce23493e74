# SPDX-License-Identifier: Apache-2.0
"""What is asked for is what setup.cfg says; nothing is installed here."""
from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
SETUP = """
[options]
python_requires = >=3.10, <4
install_requires =
    # The network.
    torch >= 2.4
    Open_Clip.Torch >= 3.0, < 4
[options.extras_require]
web =
    aiohttp >= 3.9
fast =
    # Its exporter.
    torch >= 2.6
    onnx ~= 1.17
"""


@pytest.fixture
def oldest(monkeypatch):
    """The script as a module, found beside bootstrap.py as it finds that itself."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    yield importlib.import_module("oldest")
    for name in ("oldest", "bootstrap"):
        sys.modules.pop(name, None)


@pytest.fixture
def needs(oldest, tmp_path):
    (tmp_path / "setup.cfg").write_text(SETUP)
    python, needs = oldest.declared(tmp_path / "setup.cfg")
    assert python == Version("3.10")
    return needs


def test_an_extra_that_needs_more_than_the_core_has_a_round_of_its_own(oldest, needs):
    first, second = oldest.rounds(needs)
    assert first == ["web"] and second == ["web", "fast"]
    asked = [[need for name in ("", *extras) for need in needs[name]] for extras in (first, second)]
    assert oldest.floors(asked[0]) == {"torch": Version("2.4"), "open-clip-torch": Version("3.0"),
                                       "aiohttp": Version("3.9")}
    assert oldest.floors(asked[1])["torch"] == Version("2.6") and oldest.floors(asked[1])["onnx"] == Version("1.17")


def test_without_such_an_extra_there_is_one_round(oldest, needs):
    assert oldest.rounds({name: needs[name] for name in ("", "web")}) == [["web"]]


def test_a_need_without_a_lower_bound_is_refused(oldest):
    with pytest.raises(ValueError, match="^regex has no oldest version in setup.cfg"):
        oldest.floors([Requirement("regex < 3")])


@pytest.mark.parametrize(("version", "floor", "same"), [
    ("3.0.0", "3.0", True), ("4.6.0.66", "4.6", True), ("1.3.0.post0", "1.3", True), ("2025.0.0", "2025.0", True),
    ("0.4.3", "0.4", False), ("6.0", "5.4", False), ("2.4.1", "2.4", False), ("3.1", "3", False),
])
def test_which_version_is_the_oldest(oldest, version, floor, same):
    assert oldest.is_the(Version(version), Version(floor)) == same


def test_everything_that_is_declared_has_an_oldest_version(oldest):
    _, needs = oldest.declared(ROOT / "setup.cfg")
    extras = oldest.rounds(needs)[-1]
    assert {"torch", "aiohttp", "openvino", "pytest"} <= oldest.floors(
        [need for name in ("", *extras) for need in needs[name]]).keys()
