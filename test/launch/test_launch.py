# SPDX-License-Identifier: Apache-2.0
"""The launch file as `ros2 launch` uses it; skipped where launch is not installed."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="needs launch_ros, which comes with a ROS 2 installation")
rclpy = pytest.importorskip("rclpy")
pytestmark = pytest.mark.ros

FILE = Path(__file__).resolve().parents[2] / "launch" / "clipseg.launch.py"
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

service = LaunchService()
source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [argument.split(":=", 1) for argument in sys.argv[2:]]
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)]))
sys.exit(service.run())
"""
PATIENCE = 120.0


def load():
    spec = importlib.util.spec_from_file_location("clipseg_launch", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_argument_is_described():
    declared = load().generate_launch_description().get_launch_arguments()
    wanted = {"image", "camera_info", "depth", "prompt", "weights", "device", "namespace", "params_file",
              "use_sim_time", "log_level", "rviz", "image_transport"}
    assert wanted <= {argument.name for argument in declared}
    assert all(len(argument.description) > 10 for argument in declared)


@pytest.mark.parametrize("given, expected", [
    ({}, {"use_sim_time": False}),
    ({"use_sim_time": "true", "device": "cpu"}, {"use_sim_time": True, "device": "cpu"}),
    ({"prompt": "mug=0.4; a chair;"}, {"use_sim_time": False, "prompts": ["mug=0.4", "a chair"]}),
    ({"prompt": " ; "}, {"use_sim_time": False, "prompts": [""]}),
    ({"autostart": "false", "allow_download": "true"},
     {"use_sim_time": False, "autostart": False, "allow_download": True}),
])
def test_only_given_arguments_win_over_the_file(given, expected):
    launch = load()
    values = {name: default for name, (default, _, _) in launch.ARGUMENTS.items()}
    assert launch.given_parameters({**values, **given}) == expected


@pytest.mark.parametrize("surroundings, argument, expected", [
    ({}, "/a/profile.xml", {"FASTDDS_DEFAULT_PROFILES_FILE": "/a/profile.xml"}),
    ({}, "none", {}),
    ({"FASTDDS_DEFAULT_PROFILES_FILE": "/my/own.xml"}, "/a/profile.xml", {}),
])
def test_the_middleware_profile_is_the_users_own_where_there_is_one(monkeypatch, surroundings, argument, expected):
    monkeypatch.delenv("FASTDDS_DEFAULT_PROFILES_FILE", raising=False)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    assert load().environment({"fastdds_profile": argument}) == expected


def test_the_node_runs_as_told():
    arguments = ["namespace:=kitchen", "image:=/head/image", "weights:=untrained", "prompt:=a mug"]
    # The node is found through its first line, which asks the PATH for python3.
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", PYTHONUNBUFFERED="1")
    process = subprocess.Popen([sys.executable, "-c", RUN, str(FILE), *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True)
    try:
        latched = listen("/kitchen/clipseg/prompts", "/head/image", process)
        assert list(latched.prompts) == ["a mug"]
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert "process has finished cleanly" in output


def listen(topic: str, image: str, process: subprocess.Popen):
    """The latched message on `topic`, once the node listens to `image` as well."""
    from rclpy.qos import DurabilityPolicy, QoSProfile

    from clipseg_ros.msg import Prompts

    messages: list[Prompts] = []
    rclpy.init()
    try:
        node = rclpy.create_node("listener")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node.create_subscription(Prompts, topic, messages.append, latched)
        deadline = time.monotonic() + PATIENCE
        while not (messages and node.count_subscribers(image)):
            assert time.monotonic() < deadline, "the node did not become active"
            assert process.poll() is None, process.communicate()[0]
            rclpy.spin_once(node, timeout_sec=0.2)
    finally:
        rclpy.try_shutdown()
    return messages[-1]
