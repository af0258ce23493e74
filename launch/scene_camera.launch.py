# SPDX-License-Identifier: Apache-2.0
"""Start a simulated RGB-D camera: `ros2 launch clipseg_ros scene_camera.launch.py --show-args` lists the
arguments."""

from __future__ import annotations

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

from clipseg_ros.ros.middleware import VARIABLES
from launch import LaunchContext, LaunchDescription

# name: (default, description, allowed values or None). Empty: as the parameter file or the node says.
ARGUMENTS = {
    "mode": (
        "",
        "what is filmed: recorded scenes, a rendered one (static), or one from a moving camera (orbit)",
        ("", "recorded", "static", "orbit"),
    ),
    "scene": ("", "number of the first recorded scene, or seed of the rendered one", None),
    "kind": ("", "what a rendered scene shows", ("", "table", "floor", "small")),
    "dwell": ("", "seconds for which each recorded scene is shown; 0 stays with the first", None),
    "rate": ("", "frames per second", None),
    "reliability": ("", "reliability that the publishers offer", ("", "reliable", "best_effort")),
    "frame_id": ("", "frame of the images", None),
    "image": ("image", "topic of the images", None),
    "depth": ("depth", "topic of the depth images", None),
    "camera_info": ("camera_info", "topic of the calibration", None),
    "namespace": ("", "namespace of the node and of its topics", None),
    "use_sim_time": ("false", "whether the clock comes from /clock", ("true", "false")),
    "name": ("scene_camera", "name of the node", None),
    "params_file": ("", "file with the node's parameters; arguments win over it", None),
}

NUMBERS = {"scene": int, "dwell": float, "rate": float}


def given_parameters(values: dict[str, str]) -> dict[str, object]:
    """The parameters that were given as arguments; those of the file stand for the others."""
    given: dict[str, object] = {"use_sim_time": values["use_sim_time"] == "true"}
    given |= {name: values[name] for name in ("mode", "kind", "reliability", "frame_id") if values[name]}
    given |= {name: read(values[name]) for name, read in NUMBERS.items() if values[name]}
    return given


def environment() -> dict[str, str]:
    """The Fast DDS profile that carries large images, as for the node, unless the user has named one."""
    profile = Path(get_package_share_directory("clipseg_ros")) / "config" / "fastdds.xml"
    return {} if any(name in os.environ for name in VARIABLES) else dict.fromkeys(VARIABLES, str(profile))


def start(context: LaunchContext) -> list:
    values = {name: context.launch_configurations[name] for name in ARGUMENTS}
    return [
        Node(
            package="clipseg_ros",
            executable="scene_camera",
            name=values["name"],
            namespace=values["namespace"],
            parameters=[*filter(None, [values["params_file"]]), given_parameters(values)],
            remappings=[(topic, values[topic]) for topic in ("image", "depth", "camera_info")],
            additional_env=environment(),
            output="screen",
            emulate_tty=True,
        )
    ]


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, (default, description, choices) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
