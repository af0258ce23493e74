# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import noise  # noqa: E402
from rclpy.clock import Clock  # noqa: E402

from clipseg_ros.clipseg import Segmenter  # noqa: E402
from clipseg_ros.clipseg.model import SMALL, CLIPSeg  # noqa: E402
from clipseg_ros.clipseg.written import parse_prompts  # noqa: E402
from clipseg_ros.perception.maps import Maps  # noqa: E402
from clipseg_ros.ros.inputs.frame import Frame  # noqa: E402
from clipseg_ros.ros.pipeline import Pipeline  # noqa: E402
from clipseg_ros.ros.prompts.services import Services  # noqa: E402
from clipseg_ros.ros.prompts.store import PromptStore  # noqa: E402
from clipseg_ros.ros.settings import Settings  # noqa: E402
from clipseg_ros.srv import Segment  # noqa: E402

pytestmark = pytest.mark.ros

SETTINGS = Settings(cameras=("front", "back"), min_area=1)


class Publisher:
    """One to whom somebody listens where `heard` says so."""

    def __init__(self, topic: str, heard: set[str]) -> None:
        self.topic = topic
        self.heard = heard
        self.published: list = []

    def get_subscription_count(self) -> int:
        return int(self.topic in self.heard)

    def publish(self, message) -> None:
        self.published.append(message)


class Node:
    """Makes publishers by topic, and services that nobody calls."""

    context = SimpleNamespace(ok=lambda: True)

    def __init__(self) -> None:
        self.heard: set[str] = set()
        self.publishers: dict[str, Publisher] = {}

    def get_clock(self):
        return Clock()

    def create_lifecycle_publisher(self, message_type, topic, *_, **__):
        self.publishers[topic] = Publisher(topic, self.heard)
        return self.publishers[topic]

    def create_service(self, *_, **__):
        return None


class Said(list):
    """Reports that are only collected."""

    def warn(self, sentence: str) -> None:
        self.append(sentence)

    error = warn


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def said() -> Said:
    return Said()


def pipeline_of(node, segmenter, said, line: str = "mug", settings: Settings = SETTINGS) -> Pipeline:
    store = PromptStore(threshold=0.5)
    store.replace(parse_prompts(line), None)
    pipeline = Pipeline(node, segmenter, store=store, parameters=SimpleNamespace(settings=settings), target=None,
                        reports=said)
    for name, camera in pipeline.cameras.items():
        camera.input = SimpleNamespace(topic=f"/{name}/image", newest=None, age=0.1)
    return pipeline


@pytest.fixture
def encoded(monkeypatch):
    """Grows by one entry with each batch that the network encodes: its number of images."""
    rows = []
    original = CLIPSeg.encode_image
    monkeypatch.setattr(CLIPSeg, "encode_image", lambda self, pixels: rows.append(len(pixels)) or original(self, pixels))
    return rows


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(CLIPSeg(SMALL), device="cpu")


def test_a_request_for_the_newest_frame_costs_no_second_encoding(node, said, encoded):
    pipeline = pipeline_of(node, Segmenter(CLIPSeg(SMALL), device="cpu"), said)
    newest = {name: Frame(noise(stamp)) for stamp, name in enumerate(SETTINGS.cameras)}
    for name, frame in newest.items():
        pipeline.cameras[name].input.newest = frame
    service = Services(node, store=pipeline._store, parameters=SimpleNamespace(settings=SETTINGS), running=None, arrived=None)
    pipeline.process(list(newest.items()))
    assert encoded == [2]
    for fields in ({"camera": "front"}, {"camera": "back"}, {"prompts": ["chair", "lamp"]}, {"prompts": ["mug"]}):
        assert service.segment(Segment.Request(**fields), pipeline).masks
    assert encoded == [2]
    # An image that comes with a request takes no camera's place.
    service.segment(Segment.Request(prompts=["mug"], image=noise(9)), pipeline)
    assert encoded == [2, 1]
    for camera_and_frame in newest.items():
        pipeline.process([camera_and_frame])
    assert encoded == [2, 1]


@pytest.mark.parametrize(("age", "limit", "message"), [
    (0.5, 0.0, ""), (12.34, 0.0, "the image arrived 12.3 s ago"), (0.9, 1.0, ""), (1.5, 2.0, "the image arrived 1.5 s ago"),
])
def test_an_answer_tells_the_age_of_an_old_frame(node, said, segmenter, age, limit, message):
    settings = replace(SETTINGS, segment_max_age=limit)
    pipeline = pipeline_of(node, segmenter, said)
    pipeline.cameras["front"].input = SimpleNamespace(topic="/front/image", newest=Frame(noise(1)), age=age)
    service = Services(node, store=pipeline._store, parameters=SimpleNamespace(settings=settings), running=None, arrived=None)
    assert service.segment(Segment.Request(), pipeline).message == message


def test_a_frame_that_is_too_old_is_refused(node, said, segmenter):
    settings = replace(SETTINGS, segment_max_age=1.0)
    pipeline = pipeline_of(node, segmenter, said)
    pipeline.cameras["front"].input = SimpleNamespace(topic="/front/image", newest=Frame(noise(1)), age=1.25)
    service = Services(node, store=pipeline._store, parameters=SimpleNamespace(settings=settings), running=None, arrived=None)
    with pytest.raises(ValueError, match=r"the newest image of /front/image arrived 1.2 s ago, .* segment_max_age \(1 s\)"):
        service.segment(Segment.Request(), pipeline)
    assert service.segment(Segment.Request(image=noise(2)), pipeline).masks


def test_a_faulty_image_does_not_cost_the_others_their_result(node, said, segmenter):
    pipeline = pipeline_of(node, segmenter, said)
    node.heard |= {"~/front/mask", "~/back/mask"}
    faulty = noise(1)
    faulty.encoding = "rgb7"
    pipeline.process([("front", Frame(faulty)), ("back", Frame(noise(2)))])
    assert [message.header.stamp.sec for message in node.publishers["~/back/mask"].published] == [2]
    assert not node.publishers["~/front/mask"].published
    assert len(said) == 1
    assert "/front/image: the image has the encoding 'rgb7'" in said[0]
    assert [(camera.tally.published, camera.tally.failed) for camera in pipeline.cameras.values()] == [(0, 1), (1, 0)]


def test_one_cameras_trouble_costs_no_other_its_result_and_is_named(node, said, segmenter):
    pipeline = pipeline_of(node, segmenter, said)
    node.heard |= {"~/front/mask", "~/back/mask"}

    def broken(message):
        raise RuntimeError("no memory")
    node.publishers["~/front/mask"].publish = broken
    pipeline.process([("front", Frame(noise(1))), ("back", Frame(noise(2)))])
    assert len(node.publishers["~/back/mask"].published) == 1
    sentence = "~/front/mask could not be published: RuntimeError: no memory"
    assert said == [f"/front/image: {sentence}"]
    assert pipeline.cameras["front"].tally.trouble == (sentence, False)
    assert pipeline.cameras["back"].tally.trouble == ("", False)


def test_a_network_that_fails_is_each_cameras_trouble(node, said):
    class Broken:
        def maps(self, *_, **__):
            raise RuntimeError("the network\nbroke")
    pipeline = pipeline_of(node, Broken(), said)
    pipeline.process([("front", Frame(noise(1))), ("back", Frame(noise(2)))])
    assert said == [f"/{name}/image: a frame could not be processed: RuntimeError: the network broke"
                    for name in ("front", "back")]
    assert [camera.tally.failed for camera in pipeline.cameras.values()] == [1, 1]


class FarSegmenter:
    """Answers with empty maps, and notes what it was asked for."""

    def __init__(self):
        self.exact, self.staged = [], []

    def maps(self, images, prompts, thresholds, *, camera, exact):
        self.exact.append(exact)
        return [Maps(np.zeros((len(prompts), *image.shape[:2]), np.float32), tuple(thresholds)) for image in images]

    def stage(self, images):
        self.staged.append(list(images))


def test_exact_probabilities_are_only_for_those_who_listen(node, said):
    pipeline = pipeline_of(node, FarSegmenter(), said)
    frames = [("front", Frame(noise(1))), ("back", Frame(noise(2)))]
    pipeline.process(frames)
    node.heard.add("~/back/probability")
    pipeline.process(frames)
    pipeline.process(frames[:1])
    assert pipeline.segmenter.exact == [False, True, False]


def test_waiting_frames_travel_while_results_are_published(node, said):
    pipeline = pipeline_of(node, FarSegmenter(), said)
    node.heard.add("~/front/mask")
    faulty = noise(4)
    faulty.encoding = "rgb7"
    waiting = {"front": Frame(noise(3)), "back": Frame(faulty)}
    pipeline.waiting = lambda: waiting
    staged_before = []
    node.publishers["~/front/mask"].publish = lambda message: staged_before.extend(pipeline.segmenter.staged)
    pipeline.process([("front", Frame(noise(1)))])
    assert len(staged_before) == 1
    (image,) = staged_before[0]
    assert image is waiting["front"].rgb, "the same array, by which it is found again"
    assert not said, "before its turn"
    pipeline.process([("back", waiting["back"])])
    assert len(said) == 1
