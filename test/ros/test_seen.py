# SPDX-License-Identifier: Apache-2.0
"""A frame's pictures and scores are the same whether the network's maps are probabilities or levels of a byte."""
from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.clipseg import Prompt  # noqa: E402
from clipseg_ros.clipseg.logits import LEVELS, first_level, to_levels, to_probabilities  # noqa: E402
from clipseg_ros.perception.camera import Pinhole  # noqa: E402
from clipseg_ros.perception.maps import Maps  # noqa: E402
from clipseg_ros.perception.transforms import Transform  # noqa: E402
from clipseg_ros.ros.inputs.frame import Space  # noqa: E402
from clipseg_ros.ros.prompts.store import ActivePrompts  # noqa: E402
from clipseg_ros.ros.seen import Seen  # noqa: E402
from clipseg_ros.ros.settings import Settings  # noqa: E402

pytestmark = pytest.mark.ros

SIZE = (60, 80)
ACTIVE = ActivePrompts(("mug", "lamp", "chair"), tuple(map(Prompt, ("mug", "lamp", "chair"))), (0.5, 0.3, 0.999))
SETTINGS = Settings(min_area=10, max_regions=5, refine="none")


class StillFrame:
    """A picture of a wall a metre away."""

    header = Header(frame_id="camera")

    def __init__(self) -> None:
        self.rgb = np.full((*SIZE, 3), 120, np.uint8)
        self.asked = 0

    def space(self, settings: Settings) -> Space:
        self.asked += 1
        return Space(Pinhole(50.0, 50.0, 40.0, 30.0, SIZE[::-1]), np.ones(SIZE, np.float32))


@pytest.fixture(scope="module")
def maps() -> tuple[Maps, Maps]:
    """By probabilities, and by levels."""
    torch.manual_seed(1)
    logits = torch.nn.functional.interpolate(4 * torch.randn(1, 3, 5, 5), size=(32, 32), mode="bicubic")
    logits[:, 2] = logits[:, 2].clamp(max=6)  # never reaches its threshold
    return (Maps(to_probabilities(logits, [SIZE])[0], ACTIVE.thresholds),
            Maps(to_levels(logits, [SIZE], ACTIVE.thresholds)[0], tuple(map(first_level, ACTIVE.thresholds)), LEVELS))


@pytest.fixture
def results(maps) -> list[Seen]:
    return [Seen(StillFrame(), ACTIVE, one, settings=SETTINGS, reports=None) for one in maps]


def test_masks_are_the_same(results):
    probabilities, levels = (result.maps for result in results)
    assert 0 < np.count_nonzero(probabilities.mask) < probabilities.mask.size
    np.testing.assert_array_equal(levels.mask, probabilities.mask)
    np.testing.assert_array_equal(levels.masks, probabilities.masks)
    # Where two prompts are within a step of each other, either may win.
    assert (levels.labels != probabilities.labels).mean() < 0.01


def test_scores_are_the_same_within_a_step(results):
    probabilities, levels = (result.maps for result in results)
    np.testing.assert_allclose(levels.scores, probabilities.scores, rtol=0, atol=1.01 / LEVELS)
    assert 0.9 < levels.scores[2] < 0.999, "what was not found has its score too"


def test_objects_are_the_same(results):
    found = [result.objects for result in results]
    assert len(found[0]) == len(found[1]) > 1
    for one, other in zip(*found):
        assert one.prompt == other.prompt
        assert one.region.area == pytest.approx(other.region.area, rel=0.02)
        assert one.region.score == pytest.approx(other.region.score, abs=0.05)


@pytest.mark.parametrize("refine", ["none", "edges", "objects"])
def test_pictures_show_what_the_settings_say(maps, refine):
    seen = Seen(StillFrame(), ACTIVE, maps[0], settings=replace(SETTINGS, refine=refine), reports=None)
    same = np.array_equal(seen.maps.mask, maps[0].mask)
    assert same == (refine == "none")
    assert seen.scores == maps[0].scores, "as the network said, whatever is shown"
    if refine == "objects":
        for index, mask in enumerate(seen.maps.masks):
            drawn = np.zeros(SIZE, np.uint8)
            for one in seen.objects:
                if one.prompt_index == index:
                    x, y, width, height = one.region.roi
                    drawn[y:y + height, x:x + width] |= one.region.mask
            np.testing.assert_array_equal(mask, drawn)


def test_stacked_probabilities(results):
    probabilities, levels = (result.probability for result in results)
    assert levels.dtype == probabilities.dtype == np.float32
    assert levels.shape == (3 * SIZE[0], SIZE[1])
    np.testing.assert_allclose(levels, probabilities, rtol=0, atol=1.01 / LEVELS)


def test_the_overlay_shows_the_same(results):
    probabilities, levels = (result.overlay for result in results)
    assert (levels != probabilities).mean() < 0.1, "but for outlines that lie a pixel apart"


@pytest.mark.parametrize(("share", "asked"), [(1.0, 1), (0.1, 0)])
def test_depth_is_looked_at_once_and_only_where_there_is_a_region(maps, share, asked):
    frame = StillFrame()
    one = Maps(maps[0].values * np.float32(share), ACTIVE.thresholds)
    seen = Seen(frame, ACTIVE, one, settings=SETTINGS, reports=None)
    seen.maps.mask, seen.overlay, seen.probability
    assert all(one.pose.position[2] == pytest.approx(1.0) for one in seen.objects)
    assert len(seen.array.objects) == len(seen.objects)
    assert frame.asked == asked


class Elsewhere:
    """A target frame above the camera's, if it is known where."""

    frame = "map"

    def __init__(self, known: bool, turn=(0.0, 0.0, 0.0, 1.0)) -> None:
        self.known = known
        self.turn = turn
        self.asked = 0

    def lookup(self, header: Header) -> Transform:
        self.asked += 1
        if not self.known:
            raise ValueError("camera cannot be transformed to map: who knows")
        return Transform.from_quaternion((0.0, 0.0, 5.0), self.turn)


@pytest.mark.parametrize("known", [True, False])
def test_poses_are_in_the_target_frame_or_not_there(maps, known):
    said = []
    seen = Seen(StillFrame(), ACTIVE, maps[0], settings=SETTINGS, reports=SimpleNamespace(warn=said.append),
                target=Elsewhere(known))
    array = seen.array
    assert (array.header.frame_id, array.pose_frame_id) == ("camera", "map")
    assert array.objects and {one.has_pose for one in array.objects} == {known}
    assert said == ([] if known else ["objects have no pose: camera cannot be transformed to map: who knows"])
    if known:
        assert array.objects[0].pose.pose.position.z == pytest.approx(6.0)


@pytest.mark.parametrize("known", [True, False])
def test_the_top_is_along_z_of_the_target_frame(maps, known):
    """Seen by a camera that looks along x of the map."""
    said, target = [], Elsewhere(known, turn=(-0.5, 0.5, -0.5, 0.5))
    settings = replace(SETTINGS, point="top", target_frame="map")
    tops, centres = (Seen(StillFrame(), ACTIVE, maps[0], settings=replace(settings, point=point), target=target,
                          reports=SimpleNamespace(warn=said.append)).objects for point in ("top", "centroid"))
    assert target.asked == 2, "once for each frame"
    assert len(tops) == len(centres) > 1
    if not known:
        assert all(one.pose is None and one.location.bearing is not None for one in tops)
        assert set(said) == {"objects have no pose: camera cannot be transformed to map: who knows"}
        return
    for top, centre in zip(tops, centres):
        assert top.location.pixel[1] < top.region.roi[1] + 0.35 * top.region.roi[3]
        assert top.pose.position[2] > centre.pose.position[2]
        assert top.pose.position[0] == pytest.approx(1.0)


def test_without_anything_that_says_where_up_is_tops_have_no_pose(maps):
    said = []
    seen = Seen(StillFrame(), ACTIVE, maps[0], settings=replace(SETTINGS, point="top"),
                reports=SimpleNamespace(warn=said.append))
    assert seen.objects and all(one.pose is None for one in seen.objects)
    assert ["nothing says where up is; set target_frame" in one for one in said] == [True]
