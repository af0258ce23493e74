# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import json
import stat
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bootstrap.py"


@pytest.fixture
def bootstrap(monkeypatch, tmp_path):
    """The script as a module, on a small source tree of its own."""
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for folder in ("action", "msg", "srv", "clipseg_ros", "config", "launch", "scripts", "requirements"):
        (tmp_path / "tree" / folder).mkdir(parents=True)
    for name in ("CMakeLists.txt", "package.xml", "msg/A.msg", "srv/B.srv", "action/C.action", "clipseg_ros/a.py",
                 "requirements/lock.txt", "requirements/ros-jazzy.txt", "requirements/ros-kilted.txt"):
        (tmp_path / "tree" / name).write_text(name)
    monkeypatch.setattr(module, "ROOT", tmp_path / "tree")
    monkeypatch.setattr(module, "REQUIREMENTS", tmp_path / "tree" / "requirements")
    monkeypatch.setenv("CLIPSEG_VENV", str(tmp_path / "environment"))
    monkeypatch.delenv("CLIPSEG_PYTHON", raising=False)
    monkeypatch.delenv("CLIPSEG_ROS_DISTRO", raising=False)
    return module


def fake_python(path: Path, *, version: str, headers: bool = True, venv: bool = True) -> Path:
    """A program that answers as an interpreter of that version would."""
    path.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = -V ]; then echo "Python {version}"; exit 0; fi\n'
        + (f'echo "{version.replace(".", " ", 1).rpartition(".")[0]} {headers}"\n' if venv else "exit 1\n")
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("changed, rebuilt, reinstalled", [
    ("msg/A.msg", True, False),
    ("srv/B.srv", True, False),
    ("action/C.action", True, False),
    ("CMakeLists.txt", True, False),
    ("clipseg_ros/new.py", True, False),
    ("clipseg_ros/a.py", False, False),
    ("requirements/lock.txt", True, True),
    ("requirements/ros-jazzy.txt", True, True),
    ("requirements/ros-kilted.txt", False, False),
])
def test_what_a_changed_file_brings_about(bootstrap, tmp_path, changed, rebuilt, reinstalled):
    place = tmp_path / "environment"
    before = bootstrap.build_fingerprint(place), bootstrap.packages_fingerprint(place)
    (bootstrap.ROOT / changed).write_text("changed")
    after = bootstrap.build_fingerprint(place), bootstrap.packages_fingerprint(place)
    assert (before[0] != after[0], before[1] != after[1]) == (rebuilt, reinstalled)


def test_a_moved_environment_is_another_one(bootstrap, tmp_path):
    assert bootstrap.packages_fingerprint(tmp_path / "a") != bootstrap.packages_fingerprint(tmp_path / "b")


@pytest.fixture
def steps(bootstrap, monkeypatch):
    """The names of the expensive steps, in the order in which they are taken."""
    taken: list[str] = []

    def create(environment):
        taken.append("create")
        environment.mkdir(parents=True, exist_ok=True)

    def install(environment):
        taken.append("install")
        environment.mkdir(parents=True, exist_ok=True)
        bootstrap.write_state(environment, packages=bootstrap.packages_fingerprint(environment))

    def build(environment):
        taken.append("build")
        (environment / "colcon").mkdir(exist_ok=True)
        bootstrap.write_state(environment, packages=bootstrap.packages_fingerprint(environment),
                              build=bootstrap.build_fingerprint(environment))

    monkeypatch.setattr(bootstrap, "create", create)
    monkeypatch.setattr(bootstrap, "install_packages", install)
    monkeypatch.setattr(bootstrap, "build", build)
    monkeypatch.setattr(bootstrap, "check_platform", lambda: None)
    monkeypatch.setattr(bootstrap, "check_compiler", lambda: None)
    monkeypatch.setattr(bootstrap, "works", lambda environment: environment.exists())
    return taken


def test_steps_of_first_second_and_later_runs(bootstrap, steps, tmp_path):
    place = tmp_path / "environment"
    bootstrap.prepare()
    assert steps == ["create", "install", "build"]
    steps.clear()
    bootstrap.prepare()
    assert steps == []
    (bootstrap.ROOT / "msg" / "A.msg").write_text("changed")
    bootstrap.prepare()
    assert steps == ["build"]
    steps.clear()
    (bootstrap.REQUIREMENTS / "lock.txt").write_text("changed")
    bootstrap.prepare()
    assert steps == ["install", "build"]
    steps.clear()
    (place / "colcon").rmdir()
    bootstrap.prepare()
    assert steps == ["build"]


def test_each_distribution_has_an_environment(bootstrap, steps, monkeypatch):
    monkeypatch.delenv("CLIPSEG_VENV")
    default = bootstrap.prepare()
    monkeypatch.setenv("CLIPSEG_ROS_DISTRO", "kilted")
    other = bootstrap.prepare()
    assert [default.name, other.name] == [".venv", ".venv-kilted"] and steps == ["create", "install", "build"] * 2
    assert bootstrap.variables(other)["ROS_DISTRO"] == "kilted"
    monkeypatch.setenv("CLIPSEG_ROS_DISTRO", "jazzy")
    assert bootstrap.prepare() == default and len(steps) == 6, "the default's own name changes nothing"


@pytest.mark.parametrize("state", [{"packages": "old"}, {"packages": "old", "distribution": "kilted"}])
def test_an_environment_of_another_distribution_is_made_anew(bootstrap, steps, tmp_path, state):
    place = tmp_path / "environment"
    place.mkdir()
    (place / bootstrap.STATE_FILE).write_text(json.dumps(state))
    bootstrap.prepare()
    assert steps == ["create", "install", "build"]


def test_a_distribution_without_wheels_is_named(bootstrap, monkeypatch, capsys):
    monkeypatch.setenv("CLIPSEG_ROS_DISTRO", "lyrical")
    assert bootstrap.main([]) == 1
    assert "CLIPSEG_ROS_DISTRO is 'lyrical'; PyPI has the distributions jazzy and kilted." in capsys.readouterr().err


def test_an_interrupted_creation_starts_afresh(bootstrap, steps, tmp_path):
    place = tmp_path / "environment"
    place.mkdir()
    bootstrap.write_state(place, unfinished=True)
    bootstrap.prepare()
    assert steps == ["create", "install", "build"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_broken_state_file_counts_as_none(bootstrap, tmp_path, content):
    (tmp_path / bootstrap.STATE_FILE).write_text(content)
    assert bootstrap.read_state(tmp_path) == {}


def test_somebody_elses_folder_is_left_alone(bootstrap, tmp_path):
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / "thesis.tex").write_text("words")
    with pytest.raises(bootstrap.BootstrapError, match="not empty and not a virtual environment"):
        bootstrap.create(tmp_path / "environment")
    assert (tmp_path / "environment" / "thesis.tex").read_text() == "words"


@pytest.mark.parametrize("version, extra, complaint", [
    ("3.9.1", {}, "a Python 3.10, 3.11, 3.12 or 3.13 is needed"),
    ("3.14.0", {}, "a Python 3.10, 3.11, 3.12 or 3.13 is needed"),
    ("2.7.18", {}, "a Python 3.10, 3.11, 3.12 or 3.13 is needed"),
    ("3.12.4", {"venv": False}, "lacks the module venv .*install python3.12-venv"),
    ("3.11.2", {"headers": False}, "lacks its C headers .*install python3.11-dev"),
])
def test_an_unusable_python_is_named(bootstrap, monkeypatch, tmp_path, version, extra, complaint):
    monkeypatch.setenv("CLIPSEG_PYTHON", str(fake_python(tmp_path / "python", version=version, **extra)))
    with pytest.raises(bootstrap.BootstrapError, match=complaint):
        bootstrap.find_python()


def test_the_first_usable_python_is_taken(bootstrap, monkeypatch, tmp_path):
    old = fake_python(tmp_path / "old", version="3.8.1")
    good = fake_python(tmp_path / "python3.12", version="3.12.1")
    monkeypatch.setattr(sys, "executable", str(old))
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    assert bootstrap.find_python() == str(good)


@pytest.mark.parametrize("place", [".local/bin", ".local/share/uv/python/cpython-3.12.9-linux-x86_64-gnu/bin",
                                   ".pyenv/versions/3.12.9/bin"])
def test_a_system_whose_own_python_is_too_new(bootstrap, monkeypatch, tmp_path, place):
    (tmp_path / "system").mkdir()
    monkeypatch.setattr(sys, "executable", str(fake_python(tmp_path / "system" / "python3", version="3.14.0")))
    monkeypatch.setenv("PATH", str(tmp_path / "system"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(bootstrap.BootstrapError, match="there is none beside .*; `uv python install 3.12` .* brings"):
        bootstrap.find_python()
    (tmp_path / place).mkdir(parents=True)
    good = fake_python(tmp_path / place / "python3.12", version="3.12.9")
    assert bootstrap.find_python() == str(good)


def test_a_missing_compiler_is_named(bootstrap, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    with pytest.raises(bootstrap.BootstrapError, match=r"C\+\+ compiler \(no-such-compiler -O2\) not found"):
        bootstrap.check_compiler()


def test_a_full_disk_is_named(bootstrap, tmp_path):
    with pytest.raises(bootstrap.BootstrapError, match="GB of free space and 1000000 GB are needed"):
        bootstrap.check_space(tmp_path / "not" / "there", 10**15)
    bootstrap.check_space(tmp_path, 1)


def test_another_machine_is_named(bootstrap):
    with pytest.raises(bootstrap.BootstrapError, match="Linux on x86_64 only, and this is Linux on aarch64"):
        bootstrap.check_platform("Linux", "aarch64")


@pytest.mark.parametrize("words, explanation", [
    ("WARNING: Retrying (Retry(total=4)) after connection broken", "look at the network"),
    ("ERROR: Could not install packages: [Errno 28] No space left on device", "the disk is full"),
    ("ERROR: something else", "pip gave up"),
])
def test_why_pip_failed(bootstrap, words, explanation):
    assert explanation in bootstrap.explain_pip(words)


def test_cmake_paths_are_adapted_once(bootstrap):
    text = ('INCLUDE "/opt/python/cp312-cp312/include/python3.12;'
            '/opt/python/cp312-cp312/lib/python3.12/site-packages/numpy/_core/include" '
            'PREFIX "/project/build/temp.linux-x86_64-cpython-312/std_msgs/install/lib"')
    adapted = bootstrap.adapt_cmake_text(text, "/python", "/numpy", "/environment")
    assert adapted == 'INCLUDE "/python;/numpy" PREFIX "/environment/lib"'
    assert bootstrap.adapt_cmake_text(adapted, "/python", "/numpy", "/environment") == adapted


def test_another_ros_is_kept_out(bootstrap, monkeypatch, tmp_path):
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/opt/ros/jazzy")
    monkeypatch.setenv("PYTHONPATH", "/opt/ros/jazzy/lib/python3.12/site-packages:/mine")
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp")
    monkeypatch.setenv("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "1")
    inside = bootstrap.variables(tmp_path)
    assert inside["PYTHONPATH"] == "/mine"
    assert inside["AMENT_PREFIX_PATH"] == str(tmp_path)
    assert inside["PATH"].split(":")[0] == str(tmp_path / "bin")
    assert not {"RMW_IMPLEMENTATION", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"} & set(inside)


def test_links_of_removed_files_go(bootstrap, tmp_path):
    folder = tmp_path / "share" / "clipseg_ros" / "config"
    folder.mkdir(parents=True)
    (folder / "kept").symlink_to(SCRIPT)
    (folder / "gone").symlink_to(tmp_path / "nothing")
    bootstrap.remove_dangling_links(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["kept"]


@pytest.mark.parametrize("error, status", [("BootstrapError", 1), ("KeyboardInterrupt", 130)])
def test_a_failure_is_one_line(bootstrap, monkeypatch, capsys, error, status):
    def fail():
        raise bootstrap.BootstrapError("no such thing.") if error == "BootstrapError" else KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "prepare", fail)
    assert bootstrap.main([]) == status
    assert capsys.readouterr().err.count("\n") == 1
