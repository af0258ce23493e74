# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from array import array  # noqa: E402

from pictures import noise, pixels  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402

from clipseg_ros.msg import Prompts, SegmentedObjectArray  # noqa: E402
from clipseg_ros.srv import Segment  # noqa: E402

pytestmark = pytest.mark.ros

PICTURES = ("mask", "label", "probability", "overlay")


@pytest.fixture
def outputs(peer, node):
    """{topic: messages} of every output, once the node has found the listeners."""
    import contextlib

    with contextlib.ExitStack() as stack:
        found = {name: stack.enter_context(peer.listener(Image, f"/clipseg/{name}")) for name in PICTURES}
        found["objects"] = stack.enter_context(peer.listener(SegmentedObjectArray, "/clipseg/objects"))
        yield found


@pytest.fixture
def send(peer, node, outputs):
    """Publish an image (again and again) until every output of it has arrived; returns {topic: message}."""
    with peer.publisher(Image, "/image") as publisher:
        def send(image: Image) -> dict:
            def of_image():
                found = {name: [m for m in messages if m.header == image.header] for name, messages in outputs.items()}
                return all(found.values()) and {name: messages[-1] for name, messages in found.items()}
            return peer.repeat(lambda: publisher.publish(image), of_image, "all outputs of an image")
        send.publisher = publisher
        yield send


def test_a_prompt_gives_every_output_with_the_images_header(peer, send):
    prompts = peer.set_prompts("mug=0.4; something to sit on")
    assert list(prompts.thresholds) == pytest.approx([0.4, 0.5])
    image = noise(7, size=(60, 80))
    found = send(image)
    for output in found.values():
        assert output.header == image.header
    probability = pixels(found["probability"]).reshape(2, 60, 80)
    above = probability >= np.array([0.4, 0.5], np.float32)[:, None, None]
    assert (pixels(found["mask"]) == 255 * above.any(axis=0)).all()
    winner = np.where(above.any(axis=0), np.where(above, probability, -1).argmax(axis=0), 255)
    assert (pixels(found["label"]) == winner).all()
    assert pixels(found["overlay"]).shape == (60, 80, 3)
    objects = found["objects"]
    assert objects.prompts == ["mug", "something to sit on"]
    assert list(objects.scores) == pytest.approx(probability.max(axis=(1, 2)))
    for one in objects.objects:
        roi, region = one.roi, pixels(one.mask)
        box = above[one.prompt_index, roi.y_offset:roi.y_offset + roi.height, roi.x_offset:roi.x_offset + roi.width]
        assert region.shape == (roi.height, roi.width)
        assert one.area == (region == 255).sum() >= 64
        assert box[region == 255].all()
        assert not one.has_pose
        assert math.isnan(one.pose.pose.position.z)


def test_without_prompts_every_frame_still_gets_an_empty_answer(peer, send):
    peer.set_prompts(";")
    image = noise(8)
    found = send(image)
    assert not pixels(found["mask"]).any()
    assert (pixels(found["label"]) == 255).all()
    assert (found["probability"].height, found["probability"].width) == (0, 64)
    assert found["overlay"].data == image.data
    assert (found["objects"].prompts, found["objects"].objects) == ([], [])


def test_nothing_found_is_an_answer_too(peer, send):
    peer.set_prompts("mug=0.999")
    found = send(noise(9))
    assert not pixels(found["mask"]).any()
    assert found["objects"].prompts == ["mug"]
    assert found["objects"].objects == []


@pytest.mark.parametrize(("line", "says"), [
    ("mug=2", "must be greater than 0 and less than 1"),
    ("mug\x07", "control character"),
    ("word " * 100, "tokens; the network's context takes at most"),
    ("@nobody", "no visual prompt @nobody"),
])
def test_a_faulty_prompt_is_reported_and_the_last_good_ones_stay(peer, node, line, says):
    peer.set_prompts("good one")
    latched = QoSProfile(depth=5, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with peer.listener(Prompts, "/clipseg/prompts", latched) as prompts, \
            peer.publisher(String, "/clipseg/prompt") as publisher:
        peer.repeat(lambda: publisher.publish(String(data=line)), lambda: says in node.log, "a warning")
        assert "the earlier prompts stay" in node.log
        peer.wait(lambda: prompts, "the latched prompts")
        assert all(message.prompts == ["good one"] for message in prompts)


def test_bytes_that_are_no_text_are_refused(peer, node):
    encapsulation, length, text = b"\x00\x01\x00\x00", b"\x03\x00\x00\x00", b"\xff\xfe\x00\x00"
    with peer.publisher(String, "/clipseg/prompt") as publisher:
        peer.repeat(lambda: publisher.publish(encapsulation + length + text), lambda: "no UTF-8 text" in node.log,
                    "a warning")
    peer.set_prompts("still here")


@pytest.mark.parametrize(("change", "says"), [
    ({"step": 10}, "step of 10 bytes"),
    ({"data": array("B", b"123")}, "3 bytes of data"),
    ({"encoding": "rgb7"}, "encoding 'rgb7'"),
    ({"width": 0}, "the image is empty"),
])
def test_a_faulty_image_is_reported_and_the_next_good_one_is_processed(peer, node, send, change, says):
    faulty = noise(10)
    for name, value in change.items():
        setattr(faulty, name, value)
    peer.repeat(lambda: send.publisher.publish(faulty), lambda: "/image: the image" in node.log and says in node.log,
                "a warning")
    send(noise(11))


def test_of_many_frames_the_last_one_is_processed(peer, send, outputs):
    send(noise(20))
    burst = [noise(stamp) for stamp in range(21, 41)]
    for image in burst:
        send.publisher.publish(image)
    peer.wait(lambda: outputs["mask"][-1].header.stamp.sec == 40, "the last frame's mask")
    stamps = [output.header.stamp.sec for output in outputs["mask"]]
    assert stamps == sorted(stamps)


def test_while_disabled_no_frame_is_processed_but_requests_are(peer, send, outputs):
    peer.set_prompts("mug")
    send(noise(50))
    assert peer.call(SetBool, "/clipseg/enable", data=False).success
    try:
        def newest() -> int:
            return peer.call(Segment, "/clipseg/segment", prompts=["mug"]).header.stamp.sec
        peer.repeat(lambda: send.publisher.publish(noise(51)), lambda: newest() == 51, "the node to have the frame")
        assert all(output.header.stamp.sec != 51 for output in outputs["mask"])
    finally:
        assert peer.call(SetBool, "/clipseg/enable", data=True).success
    send(noise(52))
