# SPDX-License-Identifier: Apache-2.0
"""The ways to run on a distribution of ROS 2 agree with package.xml and setup.cfg, as far as files can show it."""

from __future__ import annotations

import configparser
import importlib.util
import re
import shlex
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
CONDA_NAMES = {"torch": "pytorch", "opencv-python": "opencv"}
"""What conda-forge calls differently from PyPI."""
FROM_ROSDEP = {"numpy": "python3-numpy", "opencv-python": "python3-opencv", "scipy": "python3-scipy",
               "pyyaml": "python3-yaml", "tqdm": "python3-tqdm"}


def normal(name: str) -> str:
    return name.lower().replace("_", "-")


def requirements(text: str) -> dict[str, str]:
    """The versions that are asked for, "" for any, by normalised name."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    pairs = [re.fullmatch(r"([\w.-]+)(.*)", line).groups() for line in lines if line]
    return {normal(name): versions.replace(" ", "") for name, versions in pairs}


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def ros_dependencies() -> set[str]:
    """The packages of ROS that package.xml names."""
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    tags = ("buildtool_depend", "depend", "exec_depend", "test_depend")
    return {item.text for tag in tags for item in manifest.findall(tag) if not item.text.startswith("python3-")}


def distributions() -> list[str]:
    """Those of the README's table, in its order."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme[readme.index("| ROS 2 |"):].split("\n\n")[0]
    return [row.split("|")[1].split()[0].lower() for row in table.splitlines()[2:]]


@pytest.fixture
def pixi() -> dict:
    tomllib = pytest.importorskip("tomllib")  # since Python 3.11
    return tomllib.loads((ROOT / "pixi.toml").read_text())


def test_every_distribution_of_pixi_has_what_the_manifest_asks_for(pixi):
    assert {name for features in pixi["environments"].values() for name in features} == set(pixi["feature"])
    assert set(pixi["feature"]) <= set(distributions())
    for name, feature in pixi["feature"].items():
        assert feature["channels"] == [f"robostack-{name}"]
        assert {f"ros-{name}-{normal(one)}" for one in ros_dependencies()} <= set(feature["dependencies"])
        assert all(one.startswith(f"ros-{name}-") for one in feature["dependencies"])


def test_pixi_asks_for_the_versions_of_setup_cfg(pixi):
    options = setup_cfg()
    wanted = requirements(options["options"]["install_requires"] + options["options.extras_require"]["test"])
    given = {normal(name): versions for part in ("dependencies", "pypi-dependencies")
             for name, versions in pixi[part].items()}
    for name, versions in wanted.items():
        assert given[CONDA_NAMES.get(name, name)] == (versions or "*"), name


def test_pixi_runs_modules_that_exist(pixi):
    assert {"build", "demo", "test"} <= set(pixi["tasks"])
    modules = {name for task in pixi["tasks"].values() if isinstance(task, dict)
               for name in re.findall(r"python -m ([\w.]+)", task["cmd"])}
    assert modules == {"clipseg_ros.demo.run", "pytest"} and all(map(importlib.util.find_spec, modules))
    assert all(one in pixi["tasks"] for task in pixi["tasks"].values() if isinstance(task, dict)
               for one in task["depends-on"])


def test_docker_copies_and_starts_what_exists():
    for sources in re.findall(r"(?m)^COPY (.+) \S+$", DOCKERFILE):
        assert all((ROOT / source).exists() for source in sources.split())
    (entry,) = re.findall(r'ENTRYPOINT \["/workspace/src/clipseg_ros/(.+)"\]', DOCKERFILE)
    assert (ROOT / entry).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", ROOT / entry], check=True)
    (launched,) = re.findall(r"exec ros2 launch clipseg_ros (\S+)", (ROOT / entry).read_text())
    assert (ROOT / "launch" / launched).is_file()


def test_docker_starts_from_a_living_distribution():
    default = re.search(r"(?m)^ARG ROS_DISTRO=(\w+)$", DOCKERFILE).group(1)
    assert default == distributions()[0] and "FROM ros:${ROS_DISTRO}-ros-base" in DOCKERFILE


@pytest.mark.parametrize("text, name", [(DOCKERFILE, "docker"), ((ROOT / "README.md").read_text(), "README")])
def test_what_rosdep_lacks_comes_from_pip(text, name):
    wanted = requirements(setup_cfg()["options"]["install_requires"])
    manifest = (ROOT / "package.xml").read_text()
    assert all(f"<exec_depend>{key}</exec_depend>" in manifest for key in FROM_ROSDEP.values())
    command = re.search(r"pip install (.*torch.*)", text.replace("\\\n", " ")).group(1)
    given = requirements("\n".join(word for word in shlex.split(command) if not word.startswith("-")))
    assert set(wanted) - set(FROM_ROSDEP) <= set(given)
    if name == "docker":
        assert given == {**given, **{key: wanted[key] for key in set(wanted) - set(FROM_ROSDEP)}}


def test_the_distributions_of_make_are_in_the_table():
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "scripts" / "bootstrap.py")
    bootstrap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bootstrap)
    assert set(bootstrap.DISTRIBUTIONS) <= set(distributions())
    assert all((ROOT / "requirements" / f"ros-{name}.txt").is_file() for name in bootstrap.DISTRIBUTIONS)
