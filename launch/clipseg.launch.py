# SPDX-License-Identifier: Apache-2.0
"""Start the node: `ros2 launch clipseg_ros clipseg.launch.py --show-args` lists the arguments."""

from __future__ import annotations

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch_ros.actions import Node

CONFIG = Path(get_package_share_directory("clipseg_ros")) / "config"

# name: (default, description, allowed values or None). Empty: as the parameter file says.
ARGUMENTS = {
    "image": ("image", "topic of the camera's images; for compressed ones without /compressed", None),
    "camera_info": ("camera_info", "topic of the camera's calibration (sensor_msgs/CameraInfo)", None),
    "depth": (
        "depth",
        "topic of the depth images registered to the images; for compressed ones without /compressedDepth",
        None,
    ),
    "prompt": ("", "what to look for; several with ';', thresholds with '=': 'mug=0.4; a chair'", None),
    "weights": ("", "weights of the network: demo, published, untrained or a path", None),
    "allow_download": ("", "whether weights that are not on this machine may be downloaded", ("", "true", "false")),
    "device": ("", "where the network runs: auto, cpu, cuda or cuda:N", None),
    "image_transport": ("", "how images arrive: raw or compressed", ("", "raw", "compressed")),
    "depth_transport": ("", "how depth arrives: raw or compressed", ("", "raw", "compressed")),
    "target_frame": ("", "frame of the poses, such as base_link; needs tf2_ros", None),
    "autostart": ("", "whether the node configures and activates itself", ("", "true", "false")),
    "namespace": ("", "namespace of the node and of its topics", None),
    "name": ("clipseg", "name of the node", None),
    "params_file": (str(CONFIG / "clipseg.yaml"), "file with the node's parameters; arguments win over it", None),
    "fastdds_profile": (
        str(CONFIG / "fastdds.xml"),
        "profile with which Fast DDS carries large images, used unless FASTDDS_DEFAULT_PROFILES_FILE is set; or none",
        None,
    ),
    "use_sim_time": ("false", "whether the clock comes from /clock", ("true", "false")),
    "log_level": ("info", "least severe messages that are shown", ("debug", "info", "warn", "error", "fatal")),
    "rviz": ("false", "whether RViz is started, showing the overlay", ("true", "false")),
    "rviz_config": (str(CONFIG / "clipseg.rviz"), "what RViz shows", None),
}


def given_parameters(values: dict[str, str]) -> dict[str, object]:
    """The parameters that were given as arguments; those of the file stand for the others."""
    parameters: dict[str, object] = {"use_sim_time": values["use_sim_time"] == "true"}
    for name in ("weights", "device", "image_transport", "depth_transport", "target_frame"):
        if values[name]:
            parameters[name] = values[name]
    for name in ("allow_download", "autostart"):
        if values[name]:
            parameters[name] = values[name] == "true"
    if values["prompt"]:
        parameters["prompts"] = [text.strip() for text in values["prompt"].split(";") if text.strip()] or [""]
    return parameters


def logger(values: dict[str, str]) -> str:
    """Name of the node's logger: the namespace's parts and the node's name."""
    return ".".join([*filter(None, values["namespace"].split("/")), values["name"]])


def environment(values: dict[str, str]) -> dict[str, str]:
    """What the node's process gets beside its surroundings; the user's own choice of a profile stays."""
    name = "FASTDDS_DEFAULT_PROFILES_FILE"
    return {} if name in os.environ or values["fastdds_profile"] == "none" else {name: values["fastdds_profile"]}


def start(context: LaunchContext) -> list:
    values = {name: context.launch_configurations[name] for name in ARGUMENTS}
    remappings = [(topic, values[topic]) for topic in ("image", "camera_info", "depth")]
    remappings.append(("image/compressed", f"{values['image']}/compressed"))
    remappings.append(("depth/compressedDepth", f"{values['depth']}/compressedDepth"))
    actions: list = [
        Node(
            package="clipseg_ros",
            executable="clipseg_node",
            name=values["name"],
            namespace=values["namespace"],
            parameters=[values["params_file"], given_parameters(values)],
            remappings=remappings,
            arguments=["--ros-args", "--log-level", f"{logger(values)}:={values['log_level']}"],
            additional_env=environment(values),
            output="screen",
            emulate_tty=True,
            # Freeing the network takes a while on a busy machine.
            sigterm_timeout="20",
            sigkill_timeout="20",
        )
    ]
    if values["rviz"] == "true":
        actions.append(LogInfo(msg="RViz's fixed frame is that of the camera's images; set it if nothing shows."))
        actions.append(Node(package="rviz2", executable="rviz2", arguments=["-d", values["rviz_config"]]))
    return actions


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, (default, description, choices) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
