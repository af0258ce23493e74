# SPDX-License-Identifier: Apache-2.0
"""Start the node: `ros2 launch clipseg_ros clipseg.launch.py --show-args` lists the arguments."""

from __future__ import annotations

import difflib
import os
import tempfile
from pathlib import Path
from typing import List

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from clipseg_ros.ros.middleware import VARIABLES
from launch import LaunchContext, LaunchDescription

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
    "imu": ("imu", "topic of the camera's accelerometer (sensor_msgs/Imu), for point: top", None),
    "camera_pose": ("camera_pose", "topic of the camera's poses in memory_frame (geometry_msgs/PoseStamped), where tf2 "
                    "does not have them", None),
    "cameras": (
        "",
        "names of several cameras that share the network, 'front,rear'; each then has topics of its own, set by "
        "front/image:=TOPIC and so on instead of image:=TOPIC",
        None,
    ),
    "prompt": ("", "what to look for; several with ';', thresholds with '=': 'mug=0.4; a chair'", None),
    "weights": ("", "weights of the network: demo, published, untrained or a path", None),
    "allow_download": ("", "whether weights that are not on this machine may be downloaded", ("", "true", "false")),
    "threshold": (
        "",
        "probability, 0 to 1, from which on a pixel belongs to a prompt: lower finds more, higher errs less; 0 is that "
        "of the weights; 'mug=0.4' in a prompt wins over it",
        None,
    ),
    "precision": (
        "",
        "number format of the network: auto (float16 on a GPU with tensor cores, else float32), float32, bfloat16, "
        "float16, or int8 (faster and a little coarser) with the backend openvino or onnxruntime",
        None,
    ),
    "backend": (
        "",
        "what runs the network: torch, or on a CPU openvino or onnxruntime, which can be faster (pip install openvino "
        "onnx onnxscript)",
        None,
    ),
    "device": ("", "where the network runs: auto, cpu, cuda or cuda:N", None),
    "image_transport": ("", "how images arrive: raw or compressed", ("", "raw", "compressed")),
    "depth_transport": ("", "how depth arrives: raw or compressed", ("", "raw", "compressed")),
    "target_frame": ("", "frame of the poses, such as base_link; needs tf2_ros", None),
    "memory_size": ("", "megabytes in which frames are remembered, for ~/recall; needs memory_frame", None),
    "memory_frame": ("", "fixed frame of the memory, map or odom", None),
    "memory_file": ("", "file that keeps the memory over restarts", None),
    "autostart": ("", "whether the node configures and activates itself", ("", "true", "false")),
    "namespace": ("", "namespace of the node and of its topics", None),
    "name": ("clipseg", "name of the node", None),
    "params_file": (str(CONFIG / "clipseg.yaml"), "file with the node's parameters; arguments win over it", None),
    "fastdds_profile": (
        str(CONFIG / "fastdds.xml"),
        "profile with which Fast DDS carries large images, used unless the environment names one; or none",
        None,
    ),
    "use_sim_time": ("false", "whether the clock comes from /clock", ("true", "false")),
    "log_level": ("info", "least severe messages that are shown", ("debug", "info", "warn", "error", "fatal")),
    "rviz": ("false", "whether RViz is started, showing the overlay, the poses and the points", ("true", "false")),
    "web": ("false", "whether a page is served on which prompts are tried in a browser", ("true", "false")),
    "web_address": ("127.0.0.1", "where it listens; 0.0.0.0 lets others in, with the token that is printed", None),
    "web_port": ("8642", "port of the page", None),
    "web_save_to": ("", "folder in which the page keeps frames as training data; empty: the browser gets them", None),
    "rviz_config": (str(CONFIG / "clipseg.rviz"), "what RViz shows", None),
}


TOPICS = ("image", "camera_info", "depth", "imu", "camera_pose")
TEXTS = ("weights", "device", "precision", "backend", "image_transport", "depth_transport", "target_frame",
         "memory_frame", "memory_file")


def given_parameters(values: dict[str, str]) -> dict[str, object]:
    """The parameters that were given as arguments; those of the file stand for the others."""
    parameters: dict[str, object] = {"use_sim_time": values["use_sim_time"] == "true"}
    parameters |= {name: values[name] for name in TEXTS if values[name]}
    parameters |= {name: values[name] == "true" for name in ("allow_download", "autostart") if values[name]}
    parameters |= {name: number(name, values[name]) for name in ("threshold", "memory_size") if values[name]}
    if values["cameras"]:
        parameters["cameras"] = camera_names(values)
    if values["prompt"]:
        parameters["prompts"] = [text.strip() for text in values["prompt"].split(";") if text.strip()] or [""]
    return parameters


def number(name: str, text: str) -> float:
    """What an argument says; RuntimeError for what is no number."""
    try:
        return float(text)
    except ValueError:
        raise RuntimeError(f"{name}:={text} is no number; write, for example, {name}:=0.4") from None


def as_they_are(parameters: dict[str, object]) -> dict[str, object]:
    """The same for launch, which would otherwise read texts as YAML: the prompt "no" as False, "1e3" as a number.

    It writes them into a file without quotation marks; what ends in `;`, which the node takes for the end of a prompt, is
    a text for whoever reads that.
    """
    kinds = {str: str, list: List[str]}
    if "prompts" in parameters:
        parameters = {**parameters, "prompts": [f"{text};" for text in parameters["prompts"]]}
    return {name: ParameterValue(value, value_type=kinds[type(value)]) if type(value) in kinds else value
            for name, value in parameters.items()}


def camera_names(values: dict[str, str]) -> list[str]:
    """The names in the argument `cameras`; none where there is one camera without a name."""
    return [name.strip() for name in values["cameras"].split(",") if name.strip()]


def remappings(values: dict[str, str], given: dict[str, str]) -> list[tuple[str, str]]:
    """From the node's topics to those of the arguments; `given` holds all arguments, those of cameras too."""
    names = camera_names(values)
    if len(names) > 1:
        lost = [topic for topic in TOPICS if values[topic] != topic]
        if lost:
            raise RuntimeError(f"{lost[0]}:={values[lost[0]]} names the topic of one camera, but there are "
                               f"{len(names)}; write {names[0]}/{lost[0]}:=TOPIC and so on")
        pairs = [(f"{name}/{topic}", given.get(f"{name}/{topic}", f"{name}/{topic}")) for name in names
                 for topic in TOPICS]
    else:
        pairs = [(topic, values[topic]) for topic in TOPICS]
    compressed = {"image": "compressed", "depth": "compressedDepth"}
    return pairs + [(f"{source}/{ending}", f"{target}/{ending}") for source, target in pairs
                    for ending in (compressed.get(source.rpartition("/")[2]),) if ending]


def logger(values: dict[str, str], pushed: str = "") -> str:
    """Name of the node's logger: the parts of the namespaces, those pushed from outside first, and the node's name."""
    namespace = values["namespace"] if values["namespace"].startswith("/") else f"{pushed}/{values['namespace']}"
    return ".".join([*filter(None, namespace.split("/")), values["name"]])


def doubts(given: dict[str, str]) -> list[str]:
    """A sentence for each argument that is none but looks like one; others may be of the file that includes this."""
    sentences = []
    for name in given:
        nearest = difflib.get_close_matches(name, ARGUMENTS, n=1, cutoff=0.8)
        if name not in ARGUMENTS and nearest:
            sentences.append(f"there is no argument {name!r}, so {name}:={given[name]} has no effect; {nearest[0]!r} "
                             "is meant?")
    return sentences


def environment(values: dict[str, str]) -> dict[str, str]:
    """What the node's process gets beside its surroundings; the user's own choice of a profile stays."""
    own = any(name in os.environ for name in VARIABLES) or values["fastdds_profile"] == "none"
    return {} if own else dict.fromkeys(VARIABLES, values["fastdds_profile"])


def rviz(values: dict[str, str], pushed: str) -> list:
    """RViz for this node's topics; a sentence where it is not installed."""
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        return [LogInfo(msg="rviz:=true, but rviz2 is not installed (sudo apt install ros-$ROS_DISTRO-rviz2); the node "
                        "runs without it.")]
    node = "/" + logger(values, pushed).replace(".", "/")
    camera = f"{camera_names(values)[0]}/" if len(camera_names(values)) > 1 else ""
    shown = Path(values["rviz_config"]).read_text(encoding="utf-8").replace("/clipseg/", f"{node}/{camera}")
    with tempfile.NamedTemporaryFile("w", prefix="clipseg_", suffix=".rviz", delete=False, encoding="utf-8") as file:
        file.write(shown)
    return [LogInfo(msg="RViz's fixed frame is that of the camera's images; set it if nothing shows."),
            Node(package="rviz2", executable="rviz2", arguments=["-d", file.name],
                 parameters=[{"use_sim_time": values["use_sim_time"] == "true"}])]


def page(values: dict[str, str], given: dict[str, str]) -> list:
    """The page of this node, in a process of its own, so that it never slows the network."""
    parameters = {"node": values["name"], "address": values["web_address"], "port": int(values["web_port"]),
                  "save_to": values["web_save_to"], "use_sim_time": values["use_sim_time"] == "true"}
    return [Node(package="clipseg_ros", executable="clipseg_web", name=f"{values['name']}_web",
                 namespace=values["namespace"], parameters=[as_they_are(parameters)],
                 remappings=remappings(values, given), additional_env=environment(values), output="screen",
                 emulate_tty=True)]


def start(context: LaunchContext) -> list:
    given = dict(context.launch_configurations)
    values = {name: given[name] for name in ARGUMENTS}
    pushed = given.get("ros_namespace", "")
    if not Path(values["params_file"]).is_file():
        raise RuntimeError(f"there is no parameter file {values['params_file']}; params_file:= must name one")
    # RViz first: what is missing must not leave a node behind.
    return [
        *(LogInfo(msg=sentence) for sentence in doubts(given)),
        *(rviz(values, pushed) if values["rviz"] == "true" else []),
        *(page(values, given) if values["web"] == "true" else []),
        Node(
            package="clipseg_ros",
            executable="clipseg_node",
            name=values["name"],
            namespace=values["namespace"],
            parameters=[values["params_file"], as_they_are(given_parameters(values))],
            remappings=remappings(values, given),
            arguments=["--ros-args", "--log-level", f"{logger(values, pushed)}:={values['log_level']}"],
            additional_env=environment(values),
            output="screen",
            emulate_tty=True,
            # Freeing the network takes a while on a busy machine.
            sigterm_timeout="20",
            sigkill_timeout="20",
        ),
    ]


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, choices=choices, description=description + (
            "" if default or name == "namespace" else "; empty: as params_file says"))
        for name, (default, description, choices) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
