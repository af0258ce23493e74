# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from clipseg_ros.clipseg import Prompt
from clipseg_ros.clipseg.segmenter import Segmenter
from clipseg_ros.lab.datasets.folder import FolderWriter
from clipseg_ros.lab.evaluation.pictures import FolderPictures, Picture, Question
from clipseg_ros.lab.evaluation.run import evaluate, prompt_of, right_object
from clipseg_ros.perception.masks import threshold_mask

# A 2 x 5 picture: a cup (id 1) on the left, a plate (2) in the middle, a fork (3) on the right.
IDS = np.array([[1, 1, 0, 2, 3], [1, 1, 0, 2, 3]], np.uint8)
CUP, PLATE, FORK = (IDS == i for i in (1, 2, 3))
NOTHING = np.zeros_like(CUP)
RGB = np.arange(30, dtype=np.uint8).reshape(2, 5, 3)


class Fake:
    """Answers every phrase with a map given for it, and remembers what it was asked together."""

    def __init__(self, **maps):
        self.maps, self.calls = maps, []

    def segment(self, image, prompts):
        self.calls.append(list(prompts))
        names = [prompt if isinstance(prompt, str) else "visual" for prompt in prompts]
        return np.stack([np.float32(self.maps[name]) for name in names])


def picture(*questions, ids=IDS, objects=None, name="a.png"):
    return Picture(name, RGB, questions, ids, objects)


def test_figures_of_a_picture_worked_by_hand():
    fake = Fake(
        cup=0.9 * CUP, plate=0.6 * CUP + 0.7 * PLATE, fork=0.8 * PLATE + 0.4 * FORK, dog=0.1 * CUP, cat=CUP
    )
    result = evaluate(
        fake,
        [
            picture(
                Question("cup", "noun", CUP),
                Question("plate", "noun", PLATE),
                Question("fork", "colour", FORK),
                Question("dog", "absent", NOTHING),
                Question("cat", "absent", NOTHING),
            )
        ],
        threshold=0.5,
    )
    assert fake.calls == [["cup", "plate", "fork", "dog", "cat"]], "a picture's prompts are asked together"
    noun, colour, present = (result.figures[name] for name in ("noun", "colour", "present"))
    assert list(result.figures) == ["noun", "colour", "absent", "present"]
    # cup 4 of 4; plate TP 2 FP 4: 2/6; fork TP 0 FP 2 FN 2: 0
    assert noun["prompts"] == 2 and noun["miou"] == pytest.approx((1 + 2 / 6) / 2)
    assert noun["iou_fg"] == pytest.approx((4 + 2) / (4 + 6))
    assert colour["miou"] == 0 and present["miou"] == pytest.approx((1 + 2 / 6 + 0) / 3)
    # cup and plate are the highest objects of their maps, fork's highest is the plate
    assert (noun["right_object"], colour["right_object"]) == (1.0, 0.0)
    assert noun["right_object_chance"] == pytest.approx(1 / 3) and noun["right_object_prompts"] == 2
    assert result.figures["absent"] == {"prompts": 2, "empty": 0.5, "found_share": pytest.approx(0.2)}
    assert [case.iou for case in result.cases] == [1.0, pytest.approx(2 / 6), 0.0, None, None]
    assert "matting" not in noun


def test_figures_of_several_pictures_have_intervals():
    pictures = [picture(Question("cup", "noun", CUP), Question("dog", "absent", NOTHING), name="a.png"),
                picture(Question("plate", "noun", PLATE), Question("cup", "absent", NOTHING), name="b.png")]
    result = evaluate(Fake(cup=CUP, plate=CUP, dog=NOTHING), pictures)
    whole = {"low": 0.0, "high": 1.0}
    assert result.figures["noun"]["interval"] == {"miou": whole, "right_object": whole}
    assert result.figures["absent"]["interval"] == {"empty": whole}


def test_a_phrase_may_have_negatives():
    asked = [Question(phrase, "noun", CUP) for phrase in ("cup !fork", "hey! cup", "cup !")]
    assert [prompt_of(one) for one in asked] == [Prompt("cup", unlike="fork"), "hey! cup", "cup !"]


def test_a_missing_mask_counts_as_absent_whatever_the_type():
    result = evaluate(Fake(cup=CUP), [picture(Question("cup", "noun", NOTHING))])
    assert list(result.figures) == ["absent"] and result.figures["absent"]["empty"] == 0.0


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7])
def test_what_reaches_the_threshold_is_found_as_in_the_nodes_masks(threshold):
    case = evaluate(Fake(cup=threshold * CUP), [picture(Question("cup", "noun", CUP))], threshold=threshold).cases[0]
    shown = threshold_mask(np.float32(threshold * CUP), threshold) > 0
    assert case.iou == 1.0 and case.found_share == pytest.approx(shown.mean()) and (shown == CUP).all()


def test_matting_measures_take_the_opacity_where_there_is_one():
    most = np.float32(0.6 * CUP)
    questions = (Question("cup", "noun", CUP, alpha=most), Question("plate", "noun", PLATE))
    result = evaluate(Fake(cup=0.75 * CUP, plate=PLATE), [picture(*questions)], matting=True)
    whole = result.figures["noun"]["matting"]["whole"]
    assert whole["sad"] == pytest.approx((4 * 0.15 / 1000 + 0) / 2)
    assert whole["mad"] == pytest.approx((4 * 0.15 / 10 + 0) / 2)


@pytest.mark.parametrize(
    ("probability", "mask", "objects", "expected"),
    [
        (0.9 * CUP + 0.1 * PLATE, CUP, None, (True, 1 / 3)),
        (0.2 * CUP + 0.1 * PLATE, PLATE | FORK, None, (False, 2 / 3)),
        (0.2 * CUP + 0.3 * FORK, PLATE | FORK, None, (True, 2 / 3)),
        (np.full(CUP.shape, 0.5), CUP, None, (False, 1 / 3)),
        (0.9 * FORK, CUP, (1, 2), (False, 1 / 2)),
        (0.9 * FORK + 0.5 * CUP, CUP, (1, 2), (True, 1 / 2)),
        (0.1 * CUP, CUP, (1,), (True, 1.0)),
        (0.1 * CUP, np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], bool), None, (True, 1 / 3)),
        (0.1 * CUP, np.array([[1, 0, 0, 1, 0], [0, 0, 0, 1, 0]], bool), None, (False, 1 / 3)),
        (0.9 * CUP, IDS == 0, None, None),
        (0.9 * CUP, CUP, (7,), None),
    ],
)
def test_the_right_object_has_the_highest_mean(probability, mask, objects, expected):
    got = right_object(np.float32(probability), mask, IDS, objects)
    assert got == (expected if expected is None else (expected[0], pytest.approx(expected[1])))


def test_slivers_of_objects_do_not_take_part():
    ids = np.zeros((100, 100), np.uint8)
    ids[10:40, 10:40], ids[0, :4], ids[90, :5] = 1, 2, 3
    probability = np.float32(0.5 * (ids == 1) + 0.9 * (ids == 2))
    assert right_object(probability, ids == 1, ids) == (True, pytest.approx(1 / 2))
    assert right_object(probability, ids == 2, ids) is None


def test_folders_are_asked_picture_by_picture(tmp_path):
    with FolderWriter(tmp_path) as writer:
        first, second = writer.add_image(RGB), writer.add_image(255 - RGB)
        support = writer.add_visual(RGB, CUP)
        writer.add_prompt(first, "cup", "noun", mask=CUP, category="cup")
        writer.add_prompt(second, "plate", "noun", mask=PLATE, category="plate")
        writer.add_prompt(first, "cup", "visual", mask=CUP, visual=support)
        writer.add_prompt(first, "dog", "absent")
        writer.add_scene(first, ids=IDS, objects=[{"id": 1}, {"id": 2}, {"id": 3, "nameable": False}])
    fake = Fake(cup=0.9 * CUP, plate=0.3 * PLATE, visual=0.6 * CUP, dog=NOTHING)
    result = evaluate(fake, FolderPictures(tmp_path), threshold=0.5)
    assert [len(call) for call in fake.calls] == [3, 1] and result.pictures == 2
    visual = fake.calls[0][1]
    np.testing.assert_array_equal(visual.image, RGB)
    np.testing.assert_array_equal(visual.mask, CUP)
    assert visual.text is None
    assert result.figures["noun"]["miou"] == pytest.approx(1 / 2)
    assert result.figures["noun"]["class_miou"] == pytest.approx(1 / 2)
    assert result.figures["noun"]["right_object_prompts"] == 1, "the second picture has no instances"
    assert result.figures["noun"]["right_object_chance"] == pytest.approx(1 / 2), "the fork has no name"
    assert result.figures["visual"]["miou"] == 1.0 and result.figures["absent"]["empty"] == 1.0
    assert {case.picture for case in result.cases} == {"images/000000.png", "images/000001.png"}


def test_the_limit_counts_pictures(tmp_path):
    with FolderWriter(tmp_path) as writer:
        for _ in range(3):
            image = writer.add_image(RGB)
            writer.add_prompt(image, "cup", "noun", mask=CUP)
            writer.add_prompt(image, "dog", "absent")
    pictures = FolderPictures(tmp_path, limit=2)
    assert len(pictures) == 2 and [len(each.questions) for each in pictures] == [2, 2]
    with pytest.raises(ValueError, match="limit is 0"):
        FolderPictures(tmp_path, limit=0)


def test_instances_of_another_size_are_refused(tmp_path):
    with FolderWriter(tmp_path) as writer:
        image = writer.add_image(RGB)
        writer.add_prompt(image, "cup", "noun", mask=CUP)
        writer.add_scene(image, ids=IDS[:, :4])
    with pytest.raises(ValueError, match="ids/000000.png has the shape"):
        list(FolderPictures(tmp_path))


def test_errors_name_the_picture():
    class Refusing:
        def segment(self, image, prompts):
            raise ValueError("the prompt is too long")

    class Confused:
        def segment(self, image, prompts):
            return np.zeros((len(prompts), 3, 3), np.float32)

    cup = picture(Question("cup", "noun", CUP), name="images/7.png")
    with pytest.raises(ValueError, match="images/7.png: the prompt is too long"):
        evaluate(Refusing(), [cup])
    with pytest.raises(ValueError, match="images/7.png: the segmenter returned"):
        evaluate(Confused(), [cup])
    with pytest.raises(ValueError, match="images/7.png: the visual prompt 'cup' has no support"):
        evaluate(Confused(), [picture(Question("cup", "visual", CUP), name="images/7.png")])
    with pytest.raises(ValueError, match="multiple of 0.001"):
        evaluate(Confused(), [cup], threshold=1.5)


def test_the_real_segmenter_is_evaluated_end_to_end(tmp_path):
    rng = np.random.default_rng(8)
    image = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    mask = np.zeros((48, 64), bool)
    mask[10:30, 20:50] = True
    with FolderWriter(tmp_path) as writer:
        name = writer.add_image(image)
        writer.add_prompt(name, "the red cup", "colour", mask=mask, category="cup")
        writer.add_prompt(name, "cup", "visual", mask=mask, visual=writer.add_visual(image, mask))
        writer.add_prompt(name, "a banana", "absent")
        writer.add_scene(name, ids=mask.astype(np.uint8))
    segmenter = Segmenter.load("untrained", device="cpu")
    seen = []
    result = evaluate(segmenter, FolderPictures(tmp_path, alpha=True), matting=True)
    again = evaluate(segmenter, FolderPictures(tmp_path), on_case=lambda *args: seen.append(args))
    assert list(result.figures) == ["colour", "absent", "visual", "present"]
    assert again.cases == result.cases
    for case, _, question, probability in seen:
        found = probability >= 0.5
        union = (found | question.mask).sum()
        if case.type != "absent":
            assert case.iou == pytest.approx((found & question.mask).sum() / union)
            assert case.right is True and case.chance == 1.0
