# SPDX-License-Identifier: Apache-2.0
"""The views for RViz and Foxglove show what the node publishes, and publish what it listens to."""
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from geometry_msgs.msg import PoseArray  # noqa: E402
from rclpy.qos import (  # noqa: E402
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from sensor_msgs.msg import Image, PointCloud2  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from visualization_msgs.msg import MarkerArray  # noqa: E402

from clipseg_ros.clipseg.written import parse_prompts  # noqa: E402
from clipseg_ros.msg import SegmentedObject  # noqa: E402
from clipseg_ros.ros.diagnostics import TOPIC  # noqa: E402
from clipseg_ros.ros.outputs.table import OUTPUTS, Outputs  # noqa: E402

pytestmark = pytest.mark.ros

CONFIG = Path(__file__).resolve().parents[2] / "config"
ON_REQUEST = ("points", "scene_cloud")
"""Large clouds: in the views, but not shown until somebody asks for them."""
PUBLISHED = {f"/clipseg/{name}": output.message_type for name, output in OUTPUTS.items()}
EVERYTHING = {"overlay", "poses", "markers", "cloud", *ON_REQUEST}


def upright_behind_the_camera(eye: np.ndarray, distance: float, focus: float) -> bool:
    """Whether a view whose screen has z upwards is upright in an optical frame, whose y points down (REP 103).

    eye : unit vector from the focal point, which is at (0, 0, focus), to the eye
    """
    upwards = np.array([0, 0, 1]) - eye[2] * eye
    behind = distance * eye[2] + focus < 0 < focus
    return behind and upwards @ [0, -1, 0] > 0.98 * np.linalg.norm(upwards)


# ---- RViz

DRAWN_BY_RVIZ = {"Image": Image, "PoseArray": PoseArray, "MarkerArray": MarkerArray, "PointCloud2": PointCloud2}


def rviz() -> dict:
    return yaml.safe_load((CONFIG / "clipseg.rviz").read_text())["Visualization Manager"]


def test_rviz_has_a_display_of_the_right_kind_for_every_view():
    displays = {one["Topic"]["Value"]: one for one in rviz()["Displays"]}
    assert {f"/clipseg/{name}" for name in (*EVERYTHING, "mask")} == set(displays)
    for topic, display in displays.items():
        assert DRAWN_BY_RVIZ[display["Class"].removeprefix("rviz_default_plugins/")] is PUBLISHED[topic]
        shown = topic.removeprefix("/clipseg/") not in ON_REQUEST
        assert display["Enabled"] is display["Value"] is shown, topic


class Recorder:
    """Stands for the node: keeps the quality of service of the publishers that are made on it."""

    def __init__(self) -> None:
        self.offered: list[QoSProfile] = []

    def create_lifecycle_publisher(self, message_type, topic, qos, **kwargs) -> None:
        self.offered.append(qos)


def test_rviz_hears_what_the_node_offers():
    recorder = Recorder()
    Outputs(recorder, prefix="")
    for display in rviz()["Displays"]:
        asked = as_profile(display["Topic"])
        for offered in recorder.offered:
            assert qos_check_compatible(offered, asked)[0] != QoSCompatibility.ERROR, display["Name"]


def as_profile(topic: dict) -> QoSProfile:
    policies = {kind: topic[f"{kind.capitalize()} Policy"].upper().replace(" ", "_")
                for kind in ("history", "reliability", "durability")}
    return QoSProfile(depth=topic["Depth"], history=HistoryPolicy[policies["history"]],
                      reliability=ReliabilityPolicy[policies["reliability"]],
                      durability=DurabilityPolicy[policies["durability"]])


def test_rviz_starts_behind_the_camera_and_upright_in_its_optical_frame():
    view = rviz()["Views"]["Current"]
    yaw, pitch = view["Yaw"], view["Pitch"]
    eye = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    assert upright_behind_the_camera(eye, view["Distance"], view["Focal Point"]["Z"])


# ---- Foxglove

SETTINGS = {
    "Image": {"imageMode"},
    "3D": {"cameraState", "followMode", "layers", "scene", "topics", "transforms"},
    "Publish": {"topicName", "datatype", "value", "buttonText", "buttonTooltip", "buttonColor", "advancedView"},
    "DiagnosticSummary": {"topicToRender", "minLevel", "pinnedIds", "hardwareIdFilter", "sortByLevel"},
    "RawMessages": {"topicPath", "diffEnabled", "diffMethod", "diffTopicPath", "showFullMessageForDiff"},
}
"""The panels that are used, and what Foxglove stores of each."""
DRAWN_BY_FOXGLOVE = {PoseArray, MarkerArray, PointCloud2}


def foxglove() -> dict:
    return json.loads((CONFIG / "foxglove.json").read_text())


def panel(kind: str) -> dict:
    """The settings of the one panel of that kind."""
    (found,) = (value for name, value in foxglove()["configById"].items() if name.startswith(f"{kind}!"))
    return found


def leaves(tree: dict | str) -> Iterator[str]:
    """The panels of a layout; each division has a direction and two parts."""
    if isinstance(tree, str):
        yield tree
        return
    assert tree["direction"] in ("row", "column") and 0 < tree["splitPercentage"] < 100
    yield from leaves(tree["first"])
    yield from leaves(tree["second"])


def test_foxglove_lays_out_every_panel_once_and_knows_its_settings():
    layout = foxglove()
    assert sorted(leaves(layout["layout"])) == sorted(layout["configById"])
    assert set(layout) == {"configById", "globalVariables", "userNodes", "playbackConfig", "layout"}
    assert {name.partition("!")[0] for name in layout["configById"]} == set(SETTINGS)
    for name, settings in layout["configById"].items():
        assert set(settings) - {"foxglovePanelTitle"} == SETTINGS[name.partition("!")[0]], name


def test_foxglove_draws_topics_of_the_right_kind():
    assert PUBLISHED[panel("Image")["imageMode"]["imageTopic"]] is Image
    topics = panel("3D")["topics"]
    assert set(topics) == {f"/clipseg/{name}" for name in EVERYTHING - {"overlay"}}
    for topic, settings in topics.items():
        assert PUBLISHED[topic] in DRAWN_BY_FOXGLOVE
        assert settings["visible"] is (topic.removeprefix("/clipseg/") not in ON_REQUEST)


def test_foxglove_shows_diagnostics_and_the_fields_of_objects():
    assert panel("DiagnosticSummary")["topicToRender"] == TOPIC
    topic, _, field = panel("RawMessages")["topicPath"].partition(".")
    kind = PUBLISHED[topic].get_fields_and_field_types()[field.removesuffix("[:]")]
    assert kind == f"sequence<clipseg_ros/{SegmentedObject.__name__}>"


def test_foxglove_publishes_a_line_of_prompts():
    publish = panel("Publish")
    assert publish["datatype"] == "std_msgs/msg/String"
    line = String(**json.loads(publish["value"])).data
    assert [prompt.text for prompt in parse_prompts(line)] == ["mug", "something to sit on"]


def test_foxglove_starts_behind_the_camera_and_upright_in_its_optical_frame():
    view = panel("3D")["cameraState"]
    polar, azimuth = np.radians([view["phi"], view["thetaOffset"]])  # from +z, and from -y
    eye = np.array([-np.sin(polar) * np.sin(azimuth), -np.sin(polar) * np.cos(azimuth), np.cos(polar)])
    assert upright_behind_the_camera(eye, view["distance"], view["targetOffset"][2])
    assert panel("3D")["followMode"] == "follow-pose" and "followTf" not in panel("3D"), "the frame that there is"
