# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from array import array

import cv2
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import noise, pixels, stamped  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from clipseg_ros.srv import Segment  # noqa: E402

pytestmark = pytest.mark.ros


def compressed(image: Image) -> CompressedImage:
    data = cv2.imencode(".png", pixels(image)[..., ::-1])[1].tobytes()
    return stamped(CompressedImage(format="rgb8; png compressed", data=array("B", data)), image.header.stamp.sec)


def test_two_nodes_in_two_namespaces_and_one_with_two_compressed_cameras(peer, node, start_node):
    left = start_node(namespace="/left", parameters={"prompts": "[mug]"}, remap={"image": "camera/color"})
    both = start_node(namespace="/both", parameters={
        "prompts": "[lamp]", "cameras": "[front, back]", "image_transport": "compressed"},
        remap={"back/image": "/rear/raw"})
    peer.wait_until_active(left, "/left/clipseg")
    peer.wait_until_active(both, "/both/clipseg")
    peer.set_prompts("chair")
    cameras = {
        "/left/clipseg": (Image, "/left/camera/color", noise(1)),
        "/clipseg": (Image, "/image", noise(2)),
        "/both/clipseg/front": (CompressedImage, "/both/front/image/compressed", compressed(noise(3))),
        "/both/clipseg/back": (CompressedImage, "/rear/raw/compressed", compressed(noise(4))),
    }
    scores = {}
    for index, (outputs, (kind, topic, image)) in enumerate(cameras.items(), start=1):
        with peer.publisher(kind, topic) as publisher, peer.listener(Image, f"{outputs}/probability") as found:
            peer.repeat(lambda: publisher.publish(image), lambda: found, f"a probability image of {outputs}")
            assert [output.header.stamp.sec for output in found] == [index] * len(found)
            scores[outputs] = pixels(found[0]).max()

    # each node has its own prompts, each camera its own newest frame, and png loses nothing
    for name, prompt in (("/left/clipseg", "mug"), ("/clipseg", "chair")):
        response = peer.call(Segment, f"{name}/segment")
        assert (response.prompts, list(response.scores)) == ([prompt], [scores[name]])
    for camera, stamp in (("front", 3), ("back", 4), ("", 3)):
        response = peer.call(Segment, "/both/clipseg/segment", camera=camera)
        assert response.header.stamp.sec == stamp
        assert list(response.scores) == [scores[f"/both/clipseg/{camera or 'front'}"]]
        raw = peer.call(Segment, "/both/clipseg/segment", image=noise(stamp))
        assert raw.scores == response.scores
    unknown = peer.call(Segment, "/both/clipseg/segment", camera="camera")
    assert "there is no camera 'camera'; this node has front, back" in unknown.message

    # a compressed image that is none is reported, and the node goes on
    with peer.publisher(CompressedImage, "/both/front/image/compressed") as publisher, \
            peer.listener(Image, "/both/clipseg/front/mask") as masks:
        peer.repeat(lambda: publisher.publish(CompressedImage(format="jpeg", data=array("B", b"nothing"))),
                    lambda: "/both/front/image/compressed: the compressed image" in both.log, "a warning")
        peer.repeat(lambda: publisher.publish(compressed(noise(5))), lambda: masks, "a mask")
    assert [process.stop() for process in (left, both)] == [0, 0]
