# SPDX-License-Identifier: Apache-2.0
import os

import pytest

from clipseg_ros.ros.middleware import prefer_large_images

VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """An install prefix that holds the profile, and no profile chosen yet."""
    profile = tmp_path / "share" / "clipseg_ros" / "config" / "fastdds.xml"
    profile.parent.mkdir(parents=True)
    profile.touch()
    monkeypatch.setenv(VARIABLE, "")  # so that it is restored
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "nowhere"))
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    return tmp_path


def test_the_installed_profile_is_used(prefix, monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join(["/no/such/prefix", str(prefix)]))
    prefer_large_images()
    assert os.environ[VARIABLE] == str(prefix / "share" / "clipseg_ros" / "config" / "fastdds.xml")


def test_the_environment_of_python_counts_too(prefix, monkeypatch):
    monkeypatch.setattr("sys.prefix", str(prefix))
    prefer_large_images()
    assert os.environ[VARIABLE].startswith(str(prefix))


def test_the_users_own_profile_stays(prefix, monkeypatch):
    monkeypatch.setattr("sys.prefix", str(prefix))
    monkeypatch.setenv(VARIABLE, "/my/profile.xml")
    prefer_large_images()
    assert os.environ[VARIABLE] == "/my/profile.xml"


def test_without_the_profile_nothing_changes(prefix):
    prefer_large_images()
    assert VARIABLE not in os.environ
