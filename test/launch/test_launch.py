# SPDX-License-Identifier: Apache-2.0
"""The launch file as `ros2 launch` uses it; skipped where launch is not installed."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="needs launch_ros, which comes with a ROS 2 installation")
rclpy = pytest.importorskip("rclpy")
from clipseg_ros.clipseg.setting import BACKENDS  # noqa: E402
from clipseg_ros.ros.middleware import VARIABLES  # noqa: E402

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
              "use_sim_time", "log_level", "rviz", "image_transport", "cameras", "threshold",
              "web", "web_address", "web_port", "web_save_to"}
    descriptions = {argument.name: argument.description for argument in declared}
    assert wanted <= set(descriptions)
    assert all(len(description) > 10 for description in descriptions.values())
    assert set(BACKENDS) <= set(re.findall(r"\w+", descriptions["backend"]))
    assert {one for known in BACKENDS.values() for one in known} <= set(re.findall(r"\w+", descriptions["precision"]))
    assert descriptions["threshold"].endswith("; empty: as params_file says")


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


@pytest.mark.parametrize("given, expected", [
    ({"cameras": "front, rear"}, {"use_sim_time": False, "cameras": ["front", "rear"]}),
    ({"threshold": "0.4", "precision": "bfloat16", "backend": "openvino"},
     {"use_sim_time": False, "threshold": 0.4, "precision": "bfloat16", "backend": "openvino"}),
])
def test_what_people_change_first_are_arguments(given, expected):
    test_only_given_arguments_win_over_the_file(given, expected)


def test_a_threshold_that_is_no_number_is_named():
    with pytest.raises(RuntimeError, match="threshold:=high is no number; write, for example, threshold:=0.4"):
        load().given_parameters(values_of(threshold="high"))


def values_of(**given) -> dict[str, str]:
    return {**{name: default for name, (default, _, _) in load().ARGUMENTS.items()}, **given}


def test_each_camera_has_its_topics():
    launch = load()
    pairs = dict(launch.remappings(values_of(cameras="front,rear"), {"front/image": "/head/image", "rear/depth": "/d"}))
    assert pairs["front/image"] == "/head/image" and pairs["front/image/compressed"] == "/head/image/compressed"
    assert pairs["rear/depth/compressedDepth"] == "/d/compressedDepth" and pairs["rear/image"] == "rear/image"
    with pytest.raises(RuntimeError, match="image:=/a names the topic of one camera, but there are 2; write front/image:="):
        launch.remappings(values_of(cameras="front,rear", image="/a"), {})
    assert ("image", "/a") in launch.remappings(values_of(image="/a"), {})


def test_the_page_hears_what_the_node_hears():
    launch = load()
    started, = launch.page(values_of(image="/a", name="eyes", web_port="9000"), {})
    assert started.node_executable == "clipseg_web"
    assert ("image", "/a") in launch.remappings(values_of(image="/a"), {})


@pytest.mark.parametrize("given, pushed, name", [
    ({}, "", "clipseg"), ({"namespace": "kitchen"}, "", "kitchen.clipseg"), ({"namespace": "arm"}, "/robot", "robot.arm.clipseg"),
    ({"name": "eyes"}, "/robot", "robot.eyes"), ({"namespace": "/arm"}, "/robot", "arm.clipseg"),
])
def test_the_log_level_is_that_of_the_nodes_logger(given, pushed, name):
    assert load().logger(values_of(**given), pushed) == name


def test_an_argument_that_is_none_is_doubted_only_where_it_looks_like_one():
    doubts = load().doubts({"treshold": "0.2", "robot_name": "r2", "threshold": "0.4"})
    assert doubts == ["there is no argument 'treshold', so treshold:=0.2 has no effect; 'threshold' is meant?"]


@pytest.mark.parametrize("arguments, says, node_runs", [
    (["params_file:=/nowhere.yaml"], "there is no parameter file /nowhere.yaml", False),
    (["rviz:=true", "weights:=untrained"], "rviz2 is not installed", True),
])
def test_what_is_missing_is_said_before_the_node_starts(arguments, says, node_runs):
    output = run(arguments, says, "clipseg_node: starting")
    assert says in output
    assert ("clipseg_node" in output) == node_runs


@pytest.mark.parametrize("prompt", ["n", "yes", "1e3", "nan", "no; on"])
def test_a_prompt_is_a_text(prompt):
    texts = [text.strip() for text in prompt.split(";")]
    output = run([f"prompt:={prompt}", "weights:=untrained", "namespace:=texts"], "looking for ")
    assert "looking for " + ", ".join(f"{text!r} (0.5)" for text in texts) in output


@pytest.mark.parametrize("surroundings, argument, expected", [
    ({}, "/a/profile.xml", {"FASTDDS_DEFAULT_PROFILES_FILE": "/a/profile.xml",
                            "FASTRTPS_DEFAULT_PROFILES_FILE": "/a/profile.xml"}),
    ({}, "none", {}),
    ({"FASTDDS_DEFAULT_PROFILES_FILE": "/my/own.xml"}, "/a/profile.xml", {}),
    ({"FASTRTPS_DEFAULT_PROFILES_FILE": "/my/own.xml"}, "/a/profile.xml", {}),
])
def test_the_middleware_profile_is_the_users_own_where_there_is_one(monkeypatch, surroundings, argument, expected):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    assert load().environment({"fastdds_profile": argument}) == expected


def launched(arguments: list[str]) -> subprocess.Popen:
    # The node is found through its first line, which asks the PATH for python3.
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", PYTHONUNBUFFERED="1")
    return subprocess.Popen([sys.executable, "-c", RUN, str(FILE), *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True)


def run(arguments: list[str], *until: str) -> str:
    """All that is said by what is launched, which is ended once it has said everything in `until`."""
    process, said = launched(arguments), []
    for line in process.stdout:
        said.append(line)
        if all(words in "".join(said) for words in until):
            break
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    said.append(process.communicate(timeout=PATIENCE)[0])
    return "".join(said)


def test_the_node_runs_as_told():
    process = launched(["namespace:=kitchen", "image:=/head/image", "weights:=untrained", "prompt:=a mug"])
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
