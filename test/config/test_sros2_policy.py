# SPDX-License-Identifier: Apache-2.0
"""The policy for SROS 2 allows what running nodes have, and nothing that none of them has."""
from __future__ import annotations

import contextlib
import importlib.util
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from rclpy.action import get_action_server_names_and_types_by_node  # noqa: E402

POLICY = Path(__file__).parents[2] / "config" / "sros2_policy.xml"
NODE = "clipseg"
CONFIGURATIONS = {
    "/policy/raw": {"memory_size": 10.0, "memory_frame": "map", "point": "top"},
    "/policy/compressed": {"image_transport": "compressed", "depth_transport": "compressed", "use_sim_time": True},
}
"""Parameters of nodes that together make use of everything, by the nodes' namespace."""
NEEDING = {
    "vision_msgs": {("publish", "~/label_info"), ("publish", "~/detections"), ("publish", "~/detections_3d")},
    "moveit_msgs": {("publish", "~/collision_objects")},
    "tf2_ros": {("subscribe", "/tf"), ("subscribe", "/tf_static")},
    "type_description_interfaces": {("reply", "~/get_type_description")},
}
"""What there is only where a package is installed."""
RULES = {"topics": {"publish", "subscribe"}, "services": {"reply"}, "actions": {"execute"}}
"""What the node may be allowed: it asks no other node for anything."""


def rules() -> list[tuple[str, str]]:
    """(kind of access, name as written) of everything that is allowed."""
    profile, = ElementTree.parse(POLICY).getroot().iter("profile")
    return [(access, entry.text) for group in profile for access in group.attrib for entry in group]


def access(peer, namespace: str) -> set[tuple[str, str]]:
    """(kind of access, full name) of everything that a running node has."""
    node = peer.node
    found = {
        "publish": node.get_publisher_names_and_types_by_node(NODE, namespace),
        "subscribe": node.get_subscriber_names_and_types_by_node(NODE, namespace),
        "reply": node.get_service_names_and_types_by_node(NODE, namespace),
        "request": node.get_client_names_and_types_by_node(NODE, namespace),
        "execute": get_action_server_names_and_types_by_node(node, NODE, namespace),
    }
    pairs = {(kind, name) for kind, entries in found.items() for name, _ in entries}
    actions = tuple(f"{name}/_action/" for kind, name in pairs if kind == "execute")
    return {(kind, name) for kind, name in pairs if not name.startswith(actions)}


def as_written(name: str, namespace: str) -> str:
    """A full name as the policy writes it."""
    private, relative = f"{namespace}/{NODE}/", f"{namespace}/"
    if name.startswith(private):
        return f"~/{name.removeprefix(private)}"
    return name.removeprefix(relative)


@pytest.mark.ros
def test_running_nodes_have_what_the_policy_allows_and_nothing_else(peer, start_node):
    for namespace, parameters in CONFIGURATIONS.items():
        start_node(namespace=namespace, parameters=parameters)
    missing = {rule for package, some in NEEDING.items() if importlib.util.find_spec(package) is None for rule in some}
    allowed = set(rules())

    def had() -> set[tuple[str, str]]:
        return {(kind, as_written(name, namespace)) for namespace in CONFIGURATIONS
                for kind, name in access(peer, namespace)}
    for namespace in CONFIGURATIONS:
        peer.wait(lambda: peer.state(f"{namespace}/{NODE}") == "active", f"{namespace} to be active")
    with contextlib.suppress(pytest.fail.Exception):  # the comparison below says what is missing
        peer.wait(lambda: had() >= allowed - missing, "all that is allowed to be known here")
    assert had() == allowed - missing


def test_the_policy_is_one_that_sros2_reads():
    root = ElementTree.parse(POLICY).getroot()
    assert (root.tag, root.attrib) == ("policy", {"version": "0.2.0"})
    assert [element.tag for element in root.iter()][1:5] == ["enclaves", "enclave", "profiles", "profile"]
    profile, = root.iter("profile")
    assert (profile.attrib, root.find("enclaves/enclave").get("path")) == ({"ns": "/", "node": NODE}, f"/{NODE}")
    for group in profile:
        assert set(group.attrib) <= RULES[group.tag] and set(group.attrib.values()) == {"ALLOW"}
        assert {entry.tag for entry in group} == {group.tag[:-1]}
    assert max(Counter(rules()).values()) == 1
