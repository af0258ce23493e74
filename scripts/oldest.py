#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that need no ROS with the oldest version of everything that setup.cfg allows.

    make oldest [ARGS="[PYTEST ARGUMENT ...] [--extras NAME ...]"]

Takes the oldest Python that setup.cfg allows, where the machine has it. Two environments in the temporary folder
(TMPDIR), removed afterwards: with the extras that leave the core's bounds as they are, then with all. Fails where a
test fails, and where a newer version than the declared one is taken: nothing is compiled, others may need newer ones.
Downloads 3 GB each, kept in uv's cache (UV_CACHE_DIR); UV_TORCH_BACKEND=cpu spares most where its index is reached.
"""

from __future__ import annotations

import argparse
import configparser
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import bootstrap
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

INSTALLER = "uv==0.13.9"
ENVIRONMENT_BYTES = 8 * 10**9  # measured: 5.5 GB
CORE = ""


def declared(path: Path) -> tuple[Version, dict[str, list[Requirement]]]:
    """The oldest Python, and the needs of the core (`CORE`) and of each extra, of a setup.cfg."""
    options = configparser.ConfigParser()
    options.read(path)
    needs = {name: [Requirement(line) for line in text.splitlines() if line and line[0] != "#"] for name, text in
             {CORE: options["options"]["install_requires"], **options["options.extras_require"]}.items()}
    return oldest(SpecifierSet(options["options"]["python_requires"]), "Python"), needs


def oldest(specifiers: SpecifierSet, name: str) -> Version:
    """The lower bound. Raises ValueError where there is none."""
    bounds = [Version(one.version) for one in specifiers if one.operator in (">=", "~=", "==")]
    if not bounds:
        raise ValueError(f"{name} has no oldest version in setup.cfg; it needs one, such as {name} >= 1.0")
    return max(bounds)


def floors(needs: Iterable[Requirement]) -> dict[str, Version]:
    """The oldest version of each package, by its canonical name, that satisfies all of them."""
    found: dict[str, Version] = {}
    for need in needs:
        bound = oldest(need.specifier, need.name)
        found[canonicalize_name(need.name)] = max(bound, found.get(canonicalize_name(need.name), bound))
    return found


def rounds(needs: dict[str, list[Requirement]]) -> list[list[str]]:
    """The extras of each environment: those that raise no lower bound of the core, then all if some do."""
    core, extras = floors(needs[CORE]), [name for name in needs if name != CORE]
    quiet = [name for name in extras if floors([*needs[CORE], *needs[name]]).items() >= core.items()]
    return [quiet] if quiet == extras else [quiet, extras]


def is_the(version: Version, floor: Version) -> bool:
    """Whether the first three numbers agree: a fourth and `.postN` are the same sources, built anew."""
    return (version.major, version.minor, version.micro) == (floor.major, floor.minor, floor.micro)


def find_python(wanted: Version) -> str:
    """Path of that Python, or of this one where the machine has none."""
    for path in filter(None, bootstrap.installed_pythons()):
        if (bootstrap.describe_python(path) or [None])[0] == wanted.release[:2]:
            return path
    bootstrap.say(f"there is no Python {wanted} on this machine; {sys.version.split()[0]} takes its place")
    return sys.executable


def make(folder: Path, python: str, needs: Iterable[Requirement]) -> dict[str, Version]:
    """An environment with the oldest versions, and these by canonical name."""
    bootstrap.check_space(folder, ENVIRONMENT_BYTES)
    inside, variables = str(bootstrap.python_of(folder)), bootstrap.variables(folder)
    for command in ([python, "-m", "venv", str(folder)], [inside, "-m", "pip", "install", "--quiet", INSTALLER],
                    [str(folder / "bin" / "uv"), "pip", "install", "--quiet", "--python", inside, "--no-build",
                     "--resolution", "lowest-direct", *map(str, needs)]):
        subprocess.run(command, env=variables, check=True)
    found = metadata.distributions(path=[str(place) for place in folder.glob("lib/python3.*/site-packages")])
    return {canonicalize_name(one.metadata["Name"]): Version(one.version) for one in found}


def attempt(python: str, needs: list[Requirement], for_pytest: list[str]) -> bool:
    """One round: install, show the versions, run the tests. Whether all of it is as declared and passes."""
    with tempfile.TemporaryDirectory(prefix="clipseg_ros_oldest_") as name:
        folder = Path(name)
        tried = make(folder, python, needs)
        wrong = [package for package, floor in floors(needs).items() if not is_the(tried[package], floor)]
        for package, floor in sorted(floors(needs).items()):
            print(f"{package:20}{floor!s:12}{tried[package]!s:14}{'NOT ' * (package in wrong)}the oldest", flush=True)
        command = [str(bootstrap.python_of(folder)), "-m", "pytest", *for_pytest]
        return not subprocess.run(command, env=bootstrap.variables(folder), cwd=bootstrap.ROOT).returncode and not wrong


def main(arguments: list[str]) -> int:
    wanted, needs = declared(bootstrap.ROOT / "setup.cfg")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", nargs="+", choices=[name for name in needs if name != CORE])
    chosen, for_pytest = parser.parse_known_args(arguments)
    python, fine = find_python(wanted), True
    for extras in [chosen.extras] if chosen.extras else rounds(needs):
        bootstrap.say(f"the oldest versions of the core and of {', '.join(extras)}, with {python}")
        fine &= attempt(python, [need for name in (CORE, *extras) for need in needs[name]], for_pytest)
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
