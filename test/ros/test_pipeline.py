# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from rclpy.clock import Clock  # noqa: E402

from clipseg_ros.clipseg import Segmenter  # noqa: E402
from clipseg_ros.clipseg.model import SMALL, CLIPSeg  # noqa: E402
from clipseg_ros.ros.camera_input import Frame  # noqa: E402
from clipseg_ros.ros.parameters import SPECS  # noqa: E402
from clipseg_ros.ros.pipeline import Pipeline  # noqa: E402
from clipseg_ros.ros.prompt_store import PromptStore  # noqa: E402
from clipseg_ros.ros.prompt_text import parse_prompts  # noqa: E402
from clipseg_ros.ros.reports import Reports  # noqa: E402
from clipseg_ros.ros.segment_service import SegmentService  # noqa: E402
from clipseg_ros.ros.view import View  # noqa: E402
from clipseg_ros.srv import Segment  # noqa: E402
from pictures import noise  # noqa: E402

pytestmark = pytest.mark.ros

PARAMETERS = {**{name: spec.default for name, spec in SPECS.items()}, "cameras": ["front", "back"], "min_area": 1}


class Node:
    """Makes publishers to which nobody listens, and services that nobody calls."""

    def get_clock(self):
        return Clock()

    def create_lifecycle_publisher(self, *_, **__):
        return SimpleNamespace(get_subscription_count=lambda: 0)

    def create_service(self, *_, **__):
        return None


@pytest.fixture
def encoded(monkeypatch):
    """Grows by one entry with each batch that the network encodes: its number of images."""
    rows = []
    original = CLIPSeg.encode_image
    monkeypatch.setattr(CLIPSeg, "encode_image", lambda self, pixels: rows.append(len(pixels)) or original(self, pixels))
    return rows


def test_a_request_for_the_newest_frame_costs_no_second_encoding(encoded):
    store = PromptStore(threshold=0.5)
    segmenter = Segmenter(CLIPSeg(SMALL), device="cpu")
    pipeline = Pipeline(Node(), segmenter, store=store, parameters=PARAMETERS, reports=Reports(None))
    newest = {name: Frame(noise(stamp)) for stamp, name in enumerate(PARAMETERS["cameras"])}
    pipeline.set_inputs({name: SimpleNamespace(newest=frame, view=lambda *_: View()) for name, frame in newest.items()})
    service = SegmentService(Node(), store=store, parameters=PARAMETERS, running=None)
    store.replace(parse_prompts("mug"), segmenter)
    pipeline.process(list(newest.items()))
    assert encoded == [2]
    for fields in ({"camera": "front"}, {"camera": "back"}, {"prompts": ["chair", "lamp"]}, {"prompts": ["mug"]}):
        assert service._segment(Segment.Request(**fields), pipeline).masks
    assert encoded == [2]
    # An image that comes with a request takes no camera's place.
    service._segment(Segment.Request(prompts=["mug"], image=noise(9)), pipeline)
    assert encoded == [2, 1]
    for camera_and_frame in newest.items():
        pipeline.process([camera_and_frame])
    assert encoded == [2, 1]


def test_a_faulty_image_does_not_cost_the_others_their_result(encoded):
    warnings = []
    pipeline = Pipeline(Node(), Segmenter(CLIPSeg(SMALL), device="cpu"), store=PromptStore(threshold=0.5),
                        parameters=PARAMETERS, reports=SimpleNamespace(warn=warnings.append))
    pipeline.set_inputs({name: SimpleNamespace(topic=f"/{name}/image") for name in PARAMETERS["cameras"]})
    published = []
    pipeline._outputs["back"].publish = lambda result, header, find: published.append(header.stamp.sec)
    faulty = noise(1)
    faulty.encoding = "rgb7"
    pipeline.process([("front", Frame(faulty)), ("back", Frame(noise(2)))])
    assert published == [2]
    assert len(warnings) == 1
    assert "/front/image: the image has the encoding 'rgb7'" in warnings[0]


class GpuSegmenter:
    """Answers with empty maps, and notes what it was asked for."""

    device = torch.device("cuda")

    def __init__(self):
        self.asked, self.staged = [], []

    def segment(self, images, prompts, *, camera):
        self.asked.append("probabilities")
        return [np.zeros((len(prompts), *image.shape[:2]), np.float32) for image in images]

    def levels(self, images, prompts, thresholds, *, camera):
        self.asked.append("levels")
        return [np.zeros((len(prompts), *image.shape[:2]), np.uint8) for image in images]

    def stage(self, images):
        self.staged.append(images)

    def check(self, prompts):
        pass


@pytest.fixture
def on_gpu():
    """A pipeline with the prompt "mug" on a GPU."""
    store = PromptStore(threshold=0.5)
    segmenter = GpuSegmenter()
    pipeline = Pipeline(Node(), segmenter, store=store, parameters=PARAMETERS,
                        reports=SimpleNamespace(warn=lambda text: None))
    store.replace(parse_prompts("mug"), segmenter)
    pipeline.set_inputs({name: SimpleNamespace(topic=name, view=lambda *_: View()) for name in PARAMETERS["cameras"]})
    return pipeline


def test_a_gpu_sends_probabilities_only_to_those_who_listen(on_gpu):
    frames = [("front", Frame(noise(1))), ("back", Frame(noise(2)))]
    on_gpu.process(frames)
    on_gpu._outputs["back"]._pictures["probability"] = SimpleNamespace(get_subscription_count=lambda: 1,
                                                                       publish=lambda message: None)
    on_gpu.process(frames)
    on_gpu.process(frames[:1])
    assert on_gpu.segmenter.asked == ["levels", "probabilities", "levels"]


def test_waiting_frames_travel_to_a_gpu_while_results_are_published(on_gpu):
    faulty = noise(4)
    faulty.encoding = "rgb7"
    waiting = {"front": Frame(noise(3)), "back": Frame(faulty)}
    on_gpu.waiting = lambda: waiting
    warnings, staged_before = [], []
    on_gpu._reports = SimpleNamespace(warn=warnings.append)
    on_gpu._outputs["front"].publish = lambda *_: staged_before.extend(on_gpu.segmenter.staged)
    on_gpu.process([("front", Frame(noise(1)))])
    assert len(staged_before) == 1
    (image,) = staged_before[0]
    assert image is waiting["front"].rgb, "the same array, by which it is found again"
    assert not warnings, "before its turn"
    on_gpu.process([("back", waiting["back"])])
    assert len(warnings) == 1
