# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import PICTURE, encode, message, noise, pixels, stamped  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from clipseg_ros.messages.images import COLOUR_ENCODINGS  # noqa: E402
from clipseg_ros.srv import Segment, SetVisualPrompt  # noqa: E402

pytestmark = pytest.mark.ros

MASK = np.zeros((48, 64), np.uint8)
MASK[10:30, 10:40] = 255


@pytest.fixture
def segment(peer, node):
    """Call ~/segment with some fields."""
    return lambda **fields: peer.call(Segment, "/clipseg/segment", **fields)


def succeeded(response):
    assert response.success, response.message
    return response


def test_with_an_image(segment):
    image = noise(5, frame="arm_camera")
    response = succeeded(segment(prompts=["mug=0.3", "chair"], image=image))
    assert response.header == image.header
    assert response.prompts == ["mug", "chair"]
    assert len(response.scores) == len(response.masks) == 2
    assert 0 < response.duration < 60
    for mask, score, threshold in zip(response.masks, response.scores, (0.3, 0.5), strict=True):
        assert (mask.encoding, mask.header, pixels(mask).shape) == ("mono8", image.header, (48, 64))
        assert set(np.unique(pixels(mask))) <= {0, 255}
        assert pixels(mask).any() == (score >= threshold)
    covered = [sum(o.area for o in response.objects if o.prompt_index == index) for index in range(2)]
    assert all(area <= (pixels(mask) > 0).sum() for area, mask in zip(covered, response.masks, strict=True))


def test_without_an_image_it_takes_the_newest_frame(peer, segment):
    with peer.publisher(Image, "/image") as publisher:
        for stamp in (11, 12):
            def newest() -> bool:
                publisher.publish(noise(stamp))
                response = segment(prompts=["mug"])
                return response.success and response.header.stamp.sec == stamp and response
            response = peer.wait(newest, "the frame to arrive")
    alone = succeeded(segment(prompts=["mug"], image=noise(12)))
    assert list(response.scores) == list(alone.scores)
    assert response.masks[0].data == alone.masks[0].data
    named = succeeded(segment(prompts=["mug"], camera="camera"))
    assert named.header == response.header


@pytest.mark.parametrize("threshold", [0.001, 0.999])
def test_a_threshold_of_its_own(segment, threshold):
    response = succeeded(segment(prompts=["mug", "chair=0.001"], image=noise(5), threshold=threshold))
    assert (pixels(response.masks[0]) == (255 if threshold < 0.5 else 0)).all()
    assert (pixels(response.masks[1]) == 255).all()


def test_without_prompts_it_takes_the_nodes_own(peer, segment):
    peer.set_prompts("lamp=0.2; chair")
    assert succeeded(segment(image=noise(5))).prompts == ["lamp", "chair"]
    peer.set_prompts(";")
    response = segment(image=noise(5))
    assert not response.success
    assert "nothing to look for" in response.message


def test_a_visual_prompt_with_and_without_a_mask(segment):
    example, mask = message(PICTURE, "rgb8"), message(MASK, "mono8")
    whole = succeeded(segment(image=noise(5), visual_prompt=example))
    assert whole.prompts == ["visual prompt"]
    part = succeeded(segment(image=noise(5), prompts=["mug"], visual_prompt=example, visual_prompt_mask=mask))
    assert part.prompts == ["mug", "visual prompt"]
    assert part.scores[1] != whole.scores[0]


def test_a_named_visual_prompt_is_a_prompt_anywhere(peer, segment):
    example, mask = message(PICTURE, "rgb8"), message(MASK, "mono8")
    answer = peer.call(SetVisualPrompt, "/clipseg/set_visual_prompt", name="my_cup", image=example, mask=mask)
    assert answer.success, answer.message
    named = succeeded(segment(image=noise(5), prompts=["@my_cup=0.3"]))
    given = succeeded(segment(image=noise(5), visual_prompt=example, visual_prompt_mask=mask))
    assert named.prompts == ["@my_cup"]
    assert list(named.scores) == list(given.scores)
    assert list(peer.set_prompts("@my_cup; mug").prompts) == ["@my_cup", "mug"]
    assert peer.set_parameter("prompts", ["@my_cup=0.6"]).successful


@pytest.mark.parametrize("encoding", COLOUR_ENCODINGS)
def test_every_encoding_finds_the_same(segment, encoding):
    grey = encoding in ("mono8", "8UC1", "mono16", "16UC1")
    reference = segment(prompts=["mug"], image=message(encode(PICTURE, "mono8" if grey else "rgb8"),
                                                       "mono8" if grey else "rgb8"))
    response = succeeded(segment(prompts=["mug"], image=message(encode(PICTURE, encoding), encoding, padding=4)))
    assert response.scores[0] == pytest.approx(reference.scores[0], abs=0.01)


@pytest.mark.parametrize(("fields", "says"), [
    ({"prompts": [""]}, "no words"),
    ({"prompts": ["mug=3"]}, "must be greater than 0 and less than 1"),
    ({"prompts": ["mug", "mug"]}, "twice"),
    ({"prompts": ["a\x01b"]}, "control character"),
    ({"prompts": ["word " * 100]}, "tokens"),
    ({"prompts": ["@nobody"]}, "no visual prompt @nobody"),
    ({"prompts": ["mug"], "threshold": 1.5}, "the threshold is 1.5"),
    ({"prompts": ["mug"], "threshold": float("nan")}, "the threshold is nan"),
    ({"prompts": ["mug"], "camera": "kitchen", "image": Image()}, "no camera 'kitchen'; this node has camera"),
    ({"prompts": ["mug"], "image": Image(width=4, height=4, step=12, encoding="rgb8")}, "0 bytes of data"),
    ({"prompts": ["mug"], "image": message(PICTURE, "rgb7")}, "encoding 'rgb7'"),
    ({"prompts": ["mug"], "image": message(PICTURE, "rgba8")}, "a step of 192 bytes; 64 pixels of rgba8 need"),
    ({"prompts": ["mug"], "image": Image(width=4, height=0, step=12, encoding="rgb8")}, "the image is empty"),
    ({"prompts": ["mug"], "visual_prompt": Image(width=4, height=4, step=12, encoding="jpg")}, "visual prompt cannot"),
    ({"prompts": ["mug"], "visual_prompt_mask": message(MASK, "mono8")}, "a mask but no visual prompt"),
    ({"visual_prompt": message(PICTURE, "rgb8"),
      "visual_prompt_mask": message(MASK[:24], "mono8", height=24)}, "has the shape (24, 64)"),
    ({"visual_prompt": message(PICTURE, "rgb8"), "visual_prompt_mask": message(MASK * 0, "mono8")}, "empty"),
])
def test_a_faulty_request_is_refused_with_a_sentence(segment, fields, says):
    response = segment(**{"image": noise(5), **fields})
    assert not response.success
    assert says in response.message
    assert "\n" not in response.message
    assert response.masks == []


@pytest.mark.parametrize(("fields", "says"), [
    ({"name": "cup"}, "needs an image"),
    ({"name": "my cup", "image": message(PICTURE, "rgb8")}, "cannot be used"),
    ({"name": "cup", "image": message(PICTURE, "rgb7")}, "encoding 'rgb7'"),
    ({"name": "cup", "image": message(PICTURE, "rgb8"), "mask": message(PICTURE, "rgb8")}, "the mask has the encoding"),
])
def test_a_faulty_visual_prompt_is_refused_with_a_sentence(peer, node, fields, says):
    answer = peer.call(SetVisualPrompt, "/clipseg/set_visual_prompt", **fields)
    assert not answer.success
    assert says in answer.message


def test_while_requests_wait_the_node_answers_others(peer, node):
    client = peer._client(Segment, "/clipseg/segment")
    peer.wait(client.service_is_ready, "the service")
    large = stamped(message(np.zeros((720, 1280, 3), np.uint8), "rgb8", width=1280, height=720), 3)
    waiting = [client.call_async(Segment.Request(prompts=[f"thing {i}" for i in range(24)], image=large))
               for _ in range(2)]
    values = peer.call(GetParameters, "/clipseg/get_parameters", names=["min_area"]).values
    assert values[0].integer_value == 64
    assert not all(future.done() for future in waiting)
    peer.wait(lambda: all(future.done() for future in waiting), "all answers")
    assert all(future.result().success for future in waiting)
