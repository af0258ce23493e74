# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import noise  # noqa: E402
from rcl_interfaces.srv import DescribeParameters  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from clipseg_ros.msg import SegmentedObjectArray  # noqa: E402
from clipseg_ros.ros.settings import SPECS  # noqa: E402
from clipseg_ros.srv import Segment  # noqa: E402

pytestmark = pytest.mark.ros


def test_every_parameter_has_a_description_and_numbers_have_a_range(peer, node):
    names = list(SPECS)
    found = peer.call(DescribeParameters, "/clipseg/describe_parameters", names=names).descriptors
    for name, descriptor in zip(names, found, strict=True):
        assert descriptor.description.endswith(("Can be changed while running.", "Read when the node is configured."))
        ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
        number = isinstance(SPECS[name].default, (int, float)) and not isinstance(SPECS[name].default, bool)
        assert len(ranges) == number, name


@pytest.mark.parametrize(("name", "value", "says"), [
    ("threshold", 1.0, "must be greater than 0 and less than 1"),
    ("threshold", 1.5, "range"),
    ("threshold", "high", "type"),
    ("min_area", 0, "range"),
    ("max_regions", 1000, "range"),
    ("max_rate", -1.0, "range"),
    ("depth_slop", 2.0, "range"),
    ("prompts", ["mug=2"], "must be greater than 0 and less than 1"),
    ("prompts", ["mug", "mug"], "twice"),
    ("prompts", ["a\x01b"], "control character"),
    ("prompts", ["word " * 100], "tokens"),
    ("prompts", ["@nobody"], "no visual prompt @nobody"),
    ("image_transport", "theora", "it must be one of raw, compressed"),
    ("precision", "int4", "it must be one of auto, float32"),
    ("on_oom", "ignore", "it must be one of error, cpu"),
    ("gpu_graphs", "on", "it must be one of auto, off"),
    ("backend", "tensorrt", "it must be one of torch, openvino, onnxruntime"),
    ("input_size", -16, "range"),
    ("device", "tpu", "it must be auto, cpu, cuda or cuda:N"),
    ("cameras", ["front door"], "cannot be part of a topic"),
    ("cameras", ["a", "a"], "named twice"),
    ("weights", "published", "weights is in use: clean the node up first"),
    ("target_frame", "map", "target_frame is in use: clean the node up first"),
    ("depth_transport", "theora", "it must be one of raw, compressed"),
    ("point", "middle", "it must be one of centroid, interior, top"),
    ("max_area", 10, "min_area is 64 and max_area 10 pixels; the first must not be the larger one"),
    ("min_depth", 30.0, "min_depth is 30 m and max_depth 20 m; the first must be the smaller one"),
    ("max_rates", [5.0, 5.0], "max_rates has 2 rates for 1 cameras"),
    ("max_rates", [-5.0], "a rate is -5; it must be 0 to 1000"),
    ("smoothing_weight", 0.0, "range"),
])
def test_a_refused_value_says_why_and_changes_nothing(peer, node, name, value, says):
    peer.set_prompts("mug=0.4")
    result = peer.set_parameter(name, value)
    assert not result.successful
    assert says in result.reason
    assert list(peer.set_prompts("mug=0.4").prompts) == ["mug"]


def test_prompts_and_threshold_change_live(peer, node):
    assert peer.set_parameter("prompts", ["lamp=0.3", "", "chair"]).successful
    assert peer.set_parameter("threshold", 0.6).successful
    try:
        response = peer.call(Segment, "/clipseg/segment", image=noise(1))
        assert response.prompts == ["lamp", "chair"]
        prompts = peer.set_prompts("lamp=0.3; chair")
        assert list(prompts.thresholds) == pytest.approx([0.3, 0.6])
    finally:
        assert peer.set_parameter("threshold", 0.0).successful
    assert list(peer.set_prompts("lamp=0.3; chair").thresholds) == pytest.approx([0.3, 0.5]), "the weights' own"


def test_what_belongs_together_is_judged_together(peer, start_node):
    name = "/together/clipseg"
    node = start_node(namespace="/together", parameters={"autostart": "false"})
    peer.wait(lambda: "autostart is false" in node.log, "the node")
    both = {"cameras": ["a", "b"], "max_rates": [1.0, 2.0]}
    for one, value in both.items():
        assert peer.set_parameter(one, value, name).successful
    refused = peer.set_parameter("cameras", ["a"], name)
    assert not refused.successful
    assert "max_rates has 2 rates for 1 cameras; give at most one each" in refused.reason
    assert peer.set_parameters_atomically({"cameras": ["a"], "max_rates": [3.0]}, name).successful
    assert peer.set_parameters_atomically(both, name).successful
    refused = peer.set_parameters_atomically({"cameras": ["c"], "min_area": 9}, name)
    assert not refused.successful
    assert peer.change_state("configure", name), node.log
    assert peer.change_state("activate", name), node.log
    assert "listening to /together/a/image, /together/b/image" in node.log


@pytest.fixture
def objects_of(peer, node):
    """Send images with ever new stamps until one's objects have arrived, and return those."""
    with peer.publisher(Image, "/image") as image, \
            peer.listener(SegmentedObjectArray, "/clipseg/objects") as found:
        stamps = iter(range(100, 10_000))

        def objects_of(condition):
            sent = set()

            def publish():
                stamp = next(stamps)
                sent.add(stamp)
                image.publish(noise(stamp, size=(120, 160)))
            return peer.repeat(publish, lambda: next(
                (m for m in found if m.header.stamp.sec in sent and condition(m.objects)), None), "the objects")
        yield objects_of


def test_area_and_number_of_regions_change_live(peer, objects_of):
    peer.set_prompts("everything=0.001; all=0.001")
    assert len(objects_of(lambda objects: objects).objects) == 2
    assert peer.set_parameter("min_area", 120 * 160 + 1).successful
    try:
        objects_of(lambda objects: not objects)
    finally:
        assert peer.set_parameter("min_area", 64).successful
    assert peer.set_parameter("max_regions", 1).successful
    objects_of(lambda objects: len(objects) == 2)


def test_the_rate_limit_holds(peer, node):
    with peer.publisher(Image, "/image") as image, \
            peer.listener(SegmentedObjectArray, "/clipseg/objects") as found:
        peer.repeat(lambda: image.publish(noise(20_000)), lambda: found, "the first objects")
        assert peer.set_parameter("max_rate", 4.0).successful
        try:
            before, start = len(found), time.monotonic()
            for stamp in range(20_001, 20_061):
                image.publish(noise(stamp))
                peer.spin_for(0.02)
            peer.wait(lambda: found[-1].header.stamp.sec == 20_060, "the last frame")
            assert 2 <= len(found) - before <= 4 * (time.monotonic() - start) + 2
        finally:
            peer.set_parameter("max_rate", 0.0)
