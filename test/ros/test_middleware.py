# SPDX-License-Identifier: Apache-2.0
import os
import time

import pytest

from clipseg_ros.ros.middleware import VARIABLES, half_made_ports, prefer_large_images


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """An install prefix that holds the profile, and no profile chosen yet."""
    profile = tmp_path / "share" / "clipseg_ros" / "config" / "fastdds.xml"
    profile.parent.mkdir(parents=True)
    profile.touch()
    for variable in VARIABLES:
        monkeypatch.setenv(variable, "")  # so that it is restored
        monkeypatch.delenv(variable)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "nowhere"))
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    return tmp_path


def test_the_installed_profile_is_used(prefix, monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join(["/no/such/prefix", str(prefix)]))
    prefer_large_images()
    profile = str(prefix / "share" / "clipseg_ros" / "config" / "fastdds.xml")
    assert [os.environ[variable] for variable in VARIABLES] == [profile, profile]


def test_the_environment_of_python_counts_too(prefix, monkeypatch):
    monkeypatch.setattr("sys.prefix", str(prefix))
    prefer_large_images()
    assert all(os.environ[variable].startswith(str(prefix)) for variable in VARIABLES)


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_users_own_profile_stays(prefix, monkeypatch, variable):
    monkeypatch.setattr("sys.prefix", str(prefix))
    monkeypatch.setenv(variable, "/my/profile.xml")
    prefer_large_images()
    assert {name: os.environ[name] for name in VARIABLES if name in os.environ} == {variable: "/my/profile.xml"}


def test_without_the_profile_nothing_changes(prefix):
    prefer_large_images()
    assert not any(variable in os.environ for variable in VARIABLES)


@pytest.mark.parametrize("name, first, age, middleware, told", [
    ("fastrtps_port7004", 0, 60, "", True), ("fastdds_port7004", 0, 60, "rmw_fastrtps_dynamic_cpp", True),
    ("fastrtps_port7004", 2, 60, "", False), ("fastrtps_port7004", 0, 0, "", False),
    ("fastrtps_port7004_el", 0, 60, "", False), ("fastrtps_0123456789abcdef", 0, 60, "", False),
    ("fastrtps_port7004", 0, 60, "rmw_cyclonedds_cpp", False)])
def test_shared_memory_that_a_killed_process_left_half_made_is_found(tmp_path, monkeypatch, name, first, age, middleware,
                                                                     told):
    monkeypatch.setenv("RMW_IMPLEMENTATION", middleware)
    port = tmp_path / name
    port.write_bytes(bytes([first]) + bytes(99))
    os.utime(port, (time.time() - age,) * 2)
    assert half_made_ports(tmp_path) == [port] * told
