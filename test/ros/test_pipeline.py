# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from clipseg_ros.clipseg import Segmenter  # noqa: E402
from clipseg_ros.clipseg.model import SMALL, CLIPSeg  # noqa: E402
from clipseg_ros.ros.camera_input import Frame  # noqa: E402
from clipseg_ros.ros.pipeline import Pipeline  # noqa: E402
from clipseg_ros.ros.prompt_store import PromptStore  # noqa: E402
from clipseg_ros.ros.prompt_text import parse_prompts  # noqa: E402
from clipseg_ros.ros.reports import Reports  # noqa: E402
from clipseg_ros.ros.segment_service import SegmentService  # noqa: E402
from clipseg_ros.srv import Segment  # noqa: E402
from pictures import noise  # noqa: E402

pytestmark = pytest.mark.ros

PARAMETERS = {"cameras": ["front", "back"], "min_area": 1, "max_regions": 5, "depth_slop": 0.1}


class Node:
    """Makes publishers to which nobody listens, and services that nobody calls."""

    def create_lifecycle_publisher(self, *_, **__):
        return SimpleNamespace(get_subscription_count=lambda: 0)

    def create_service(self, *_, **__):
        return None


@pytest.fixture
def encoded(monkeypatch):
    """Grows by one entry with each image that the network encodes."""
    rows = []
    original = CLIPSeg.encode_image
    monkeypatch.setattr(CLIPSeg, "encode_image", lambda self, pixels: rows.append(1) or original(self, pixels))
    return rows


def test_a_request_for_the_newest_frame_costs_no_second_encoding(encoded):
    store = PromptStore(threshold=0.5)
    segmenter = Segmenter(CLIPSeg(SMALL), device="cpu")
    pipeline = Pipeline(Node(), segmenter, store=store, parameters=PARAMETERS, reports=Reports(None))
    newest = {name: Frame(noise(stamp)) for stamp, name in enumerate(PARAMETERS["cameras"])}
    pipeline.set_inputs({name: SimpleNamespace(newest=frame, has_depth=False) for name, frame in newest.items()})
    service = SegmentService(Node(), store=store, running=None)
    store.replace(parse_prompts("mug"), segmenter)
    for name, frame in newest.items():
        pipeline.process(name, frame)
    assert len(encoded) == 2
    for fields in ({"camera": "front"}, {"camera": "back"}, {"prompts": ["chair", "lamp"]}, {"prompts": ["mug"]}):
        assert service._segment(Segment.Request(**fields), pipeline).masks
    assert len(encoded) == 2
    # An image that comes with a request takes no camera's place.
    service._segment(Segment.Request(prompts=["mug"], image=noise(9)), pipeline)
    assert len(encoded) == 3
    for name, frame in newest.items():
        pipeline.process(name, frame)
    assert len(encoded) == 3
