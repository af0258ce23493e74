# SPDX-License-Identifier: Apache-2.0
"""The package's own files agree with one another."""

from __future__ import annotations

import configparser
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import clipseg_ros

ROOT = Path(__file__).resolve().parents[1]


def requirement_names(text: str) -> set[str]:
    """The normalised names of the packages that are asked for in lines of requirements."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return {re.match(r"[\w.-]+", line).group().lower().replace("_", "-") for line in lines if line}


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_versions_and_licence_agree():
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    assert manifest.findtext("version") == clipseg_ros.__version__
    assert manifest.findtext("license") == setup_cfg()["metadata"]["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()


def test_the_packages_of_ros_that_the_code_imports_are_asked_for():
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    asked = {item.text for tag in ("depend", "exec_depend") for item in manifest.findall(tag)}
    imports = {name for path in (ROOT / "clipseg_ros").rglob("*.py")
               for name in re.findall(r"^ *(?:from|import) (\w+)", path.read_text(), re.MULTILINE)}
    ros = {name for name in imports if name.endswith("_msgs") or name in ("rclpy", "cv_bridge", "std_srvs")}
    # These stay a choice; what needs them is there where they are.
    assert {"cv_bridge", "rclpy", "sensor_msgs"} <= ros - {"moveit_msgs", "shape_msgs", "vision_msgs"} <= asked


def test_the_index_has_one_marker_and_it_is_ours():
    assert (ROOT / "resource" / "clipseg_ros").read_text() == ""
    rules = re.sub(r"(?m)^#.*\n", "", (ROOT / "CMakeLists.txt").read_text())
    marker = re.search(r"install\(FILES resource/\$\{PROJECT_NAME\}\s+"
                       r"DESTINATION share/ament_index/resource_index/packages\s+\)", rules)
    assert marker.start() > rules.index("ament_package()"), "of two rules for one file the later one wins"
    assert "ament_index_register_" not in rules, "it would be a second one, which CMake refuses"


@pytest.mark.ros
def test_ament_finds_the_package():
    index = pytest.importorskip("ament_index_python")
    content, prefix = index.get_resource("packages", "clipseg_ros")
    assert content == (ROOT / "resource" / "clipseg_ros").read_text()
    assert (Path(prefix) / "share" / "clipseg_ros" / "package.xml").is_file()


def test_every_interface_is_built():
    files = {f"{path.parent.name}/{path.name}" for folder in ("action", "msg", "srv") for path in (ROOT / folder).iterdir()}
    assert set(re.findall(r'"((?:action|msg|srv)/\w+\.\w+)"', (ROOT / "CMakeLists.txt").read_text())) == files


def test_every_executable_is_installed_and_runs_something_that_exists():
    listed = re.findall(r"scripts/(\w+)\n", (ROOT / "CMakeLists.txt").read_text())
    assert set(listed) == {path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix}
    for name in listed:
        path = ROOT / "scripts" / name
        module = re.search(r"from (clipseg_ros[\w.]+) import main", path.read_text()).group(1)
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), f"{name} runs {module}"
        assert path.stat().st_mode & 0o111, f"{name} cannot be executed"


def test_every_folder_with_code_is_a_package():
    folders = {path.parent for path in (ROOT / "clipseg_ros").rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").iterdir()), ids=lambda path: path.name)
def test_requirements_name_no_host(path):
    assert not re.search(r"://|find-links|index-url", path.read_text())


OTHER_NAMES = {"pytorch": "torch", "opencv": "opencv-python"}
"""What conda-forge calls otherwise than PyPI."""


@pytest.mark.parametrize(("file", "pattern", "repeated"), [
    ("pixi.toml", r'^([\w-]+) = "([<>=][^"]+)"$', 21), ("docker/Dockerfile", r'"([\w-]+) ([<>=][^"]+)"', 5)])
def test_bounds_are_those_of_setup_cfg_wherever_they_are_repeated(file, pattern, repeated):
    options = setup_cfg()
    texts = [options["options"]["install_requires"], *options["options.extras_require"].values()]
    needs = [Requirement(line) for line in "\n".join(reversed(texts)).splitlines() if line and line[0] != "#"]
    # The core comes last: an extra may ask for more.
    bounds = {canonicalize_name(need.name): need.specifier for need in needs}
    written = re.findall(pattern, (ROOT / file).read_text(), re.MULTILINE)
    assert len(written) == repeated
    for name, bound in written:
        assert SpecifierSet(bound) == bounds[canonicalize_name(OTHER_NAMES.get(name, name))], name


@pytest.mark.parametrize("distribution", ["jazzy", "kilted"])
def test_every_version_is_pinned(distribution):
    texts = {name: (ROOT / "requirements" / name).read_text()
             for name in ("lock.txt", f"ros-{distribution}.txt", "build.in", f"ros-{distribution}.in")}
    lines = [line for name in texts if name.endswith(".txt") for line in texts[name].splitlines() if line[:1] != "#"]
    assert [line for line in lines if not re.match(r"[\w.-]+==[\w.+]+( ; .+)?$", line)] == []
    assert not re.search(r"(?m)^ros-", texts["lock.txt"]), "what all distributions have in common"
    pinned = requirement_names("\n".join(lines))
    wanted = requirement_names(texts["build.in"] + texts[f"ros-{distribution}.in"])
    options = setup_cfg()
    for text in (options["options"]["install_requires"], *options["options.extras_require"].values()):
        wanted |= requirement_names(text)
    assert wanted <= pinned


@pytest.mark.ros
def test_the_parameter_file_has_every_parameter_at_its_default():
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("rclpy")
    from clipseg_ros.ros.settings import SPECS

    content = yaml.safe_load((ROOT / "config" / "clipseg.yaml").read_text())
    assert content["/**"]["ros__parameters"] == {name: spec.default for name, spec in SPECS.items()}
