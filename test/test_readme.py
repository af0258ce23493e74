# SPDX-License-Identifier: Apache-2.0
"""The README's tables say what the code says."""
import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table(heading: str) -> dict[str, list[str]]:
    """Rows of the first table whose header starts with ``heading``, by their first cell without backticks."""
    lines = README.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = {}
    for line in lines[start + 2:]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[cells[0].strip("`")] = cells[1:]
    return rows


def test_parameters_are_those_of_the_node() -> None:
    pytest.importorskip("rclpy")
    from clipseg_ros.ros.settings import SPECS

    rows = table("parameter")
    assert set(rows) == set(SPECS)
    for name, (default, live, _) in rows.items():
        spec = SPECS[name]
        text = default.strip("`")
        value = text == "true" if isinstance(spec.default, bool) else text
        if isinstance(spec.default, (float, int, list)) and not isinstance(spec.default, bool):
            value = ast.literal_eval(text)
        assert value == spec.default, name
        assert (live == "yes") == spec.live, name


@pytest.mark.ros
def test_topics_and_services_are_those_of_the_node() -> None:
    rclpy = pytest.importorskip("rclpy")
    pytest.importorskip("clipseg_ros.srv")
    from rclpy.action import get_action_server_names_and_types_by_node
    from rclpy.lifecycle import TransitionCallbackReturn

    from clipseg_ros.ros.node import ClipsegNode
    from clipseg_ros.ros.outputs import collision, detections

    installed = {"moveit_msgs": collision.available(), "vision_msgs": detections.available()}
    rclpy.init()
    try:
        # In a namespace of its own, as the graph takes nodes of one name for one.
        node = ClipsegNode(namespace="readme", parameter_overrides=[
            rclpy.parameter.Parameter("autostart", value=False), rclpy.parameter.Parameter("weights", value="untrained")])
        try:
            assert [node.trigger_configure(), node.trigger_activate()] == [TransitionCallbackReturn.SUCCESS] * 2
            for heading, found in (
                ("subscribed", node.get_subscriber_names_and_types_by_node("clipseg", "/readme")),
                ("published", node.get_publisher_names_and_types_by_node("clipseg", "/readme")),
                ("service", node.get_service_names_and_types_by_node("clipseg", "/readme")),
                ("action", get_action_server_names_and_types_by_node(node, "clipseg", "/readme")),
            ):
                types = {name: re.sub("/(msg|srv|action)/", "/", kinds[0]) for name, kinds in found}
                for name, cells in table(heading).items():
                    if name in ("image/compressed", "depth/compressedDepth", "imu", "camera_pose", "~/memory", "~/keyframes"):
                        continue  # only with the transport compressed, with point: top, and with a memory
                    optional = cells[0].split("/")[0]
                    if optional in installed and not installed[optional]:
                        continue
                    topic = name if name.startswith("/") else f"/readme/{name.replace('~', 'clipseg')}"
                    assert types.get(topic) == cells[0], f"{heading} {topic}"
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def test_names_in_the_text_exist() -> None:
    for path in re.findall(r"`((?:config|docs|benchmarks|examples|clipseg_ros|launch)/[\w./-]*)`", README):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"\]\(((?!http)[\w./-]+)\)", README):
        assert (ROOT / path).exists(), path


def test_commands_of_the_text_exist() -> None:
    from clipseg_ros.cli import COMMANDS

    used = set(re.findall(r"(?:^|`)clipseg (\w+)", README, flags=re.MULTILINE))
    assert used and used <= set(COMMANDS)


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.findall(r"^[A-Z]+(?:_[A-Z]+)+$", README, flags=re.MULTILINE)


def test_sentences_that_troubleshooting_quotes_are_those_of_the_code() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "clipseg_ros").rglob("*.py"))
    code = code.replace("{self.name!r}", "'demo'")
    quoted = [quote for symptom in table("symptom") for quote in re.findall(r'"([^"]+)"', symptom)]
    assert quoted
    for quote in quoted:
        assert quote.removesuffix(" ...") in code, quote


def test_launch_files_of_the_text_exist() -> None:
    for name in re.findall(r"ros2 launch clipseg_ros (\S+\.launch\.py)", README):
        assert (ROOT / "launch" / name).is_file(), name
