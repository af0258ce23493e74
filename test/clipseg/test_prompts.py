# SPDX-License-Identifier: Apache-2.0
"""What a prompt may be, when two are the same, and the picture made of an example and its mask."""

import numpy as np
import pytest

from clipseg_ros.clipseg.prompts import MEAN_COLOUR, TEMPLATES, Prompt, as_prompts, engineer_visual_prompt

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
MASK = np.zeros((40, 60), bool)
MASK[10:20, 20:40] = True
GREY = np.rint(np.array(MEAN_COLOUR) * 255).astype(int)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({}, "needs a text, a picture or both"),
        ({"text": ""}, "text of the prompt is empty"),
        ({"text": "  "}, "text of the prompt is empty"),
        ({"text": "a\x07b"}, r"control character '\\x07'"),
        ({"text": "a\nb"}, "control character"),
        ({"text": "a\ud800b"}, "control character"),
        ({"text": 3}, "is a int; a str"),
        ({"text": "x" * 1001}, r"'x{60}\.\.\.' has 1001 characters; at most 1000 are taken"),
        ({"text": "\x07" * 16384}, "has 16384 characters; at most 1000 are taken"),
        ({"text": " " * 1001, "image": PICTURE}, "has 1001 characters"),
        ({"image": PICTURE.astype(float)}, "visual prompt has the type float64"),
        ({"image": PICTURE[:0]}, "visual prompt is empty"),
        ({"text": "mug", "mask": MASK}, "a mask but no picture"),
        ({"image": PICTURE, "mask": MASK[:5]}, r"shape \(5, 60\); its picture's \(40, 60\)"),
        ({"image": PICTURE, "mask": MASK.astype(float)}, "mask of the visual prompt is float64"),
        ({"image": PICTURE, "mask": ~MASK & MASK}, "mask of the visual prompt is empty"),
        ({"text": "mug", "text_weight": 1.5}, "text_weight is 1.5"),
        ({"text": "mug", "text_weight": float("nan")}, "text_weight is nan"),
        ({"text": "mug", "text_weight": "much"}, "text_weight is 'much'"),
        ({"text": "mug", "templates": ("a photo",)}, "template 'a photo'"),
        ({"text": "mug", "templates": ("{} {}",)}, "template '{} {}'"),
        ({"text": "mug", "unlike": ("",)}, "text of the prompt is empty"),
        ({"text": "mug", "unlike": 3}, "prompts is a int"),
        ({"text": "mug", "unlike": (Prompt("cup", unlike="bowl"),)}, "negatives of its own, 'cup !bowl'; it must have"),
    ],
)
def test_refuses(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Prompt(**arguments)


@pytest.mark.parametrize("text", ["mug", "🍌", "crème brûlée", "👩‍🍳 hat", "x" * 1000])
def test_takes_any_printable_text(text):
    assert Prompt(text).phrases == (text,)


@pytest.mark.parametrize(
    "prompts, count", [("mug", 1), (Prompt("mug"), 1), (["a", Prompt("b")], 2), ((), 0), (iter("ab"), 2)]
)
def test_as_prompts(prompts, count):
    result = as_prompts(prompts)
    assert len(result) == count
    assert all(isinstance(prompt, Prompt) for prompt in result)


@pytest.mark.parametrize("prompts", [None, 3, [None], [["mug"]], [b"mug"]])
def test_as_prompts_refuses(prompts):
    with pytest.raises(ValueError):
        as_prompts(prompts)


def test_templates():
    assert Prompt("mug", templates=("a {}.", "the {}!")).phrases == ("a mug.", "the mug!")
    assert Prompt("{x} %s", templates="a {}.").phrases == ("a {x} %s.",)
    assert len(Prompt("mug", templates=TEMPLATES).phrases) == len(TEMPLATES)
    assert Prompt(image=PICTURE, templates=TEMPLATES).phrases == ()


def test_equal_when_the_network_sees_the_same():
    other = PICTURE.copy()
    other[0, 0, 0] ^= 1
    groups = [
        [Prompt("mug"), Prompt.of("mug"), Prompt("mug", text_weight=0.1)],
        [Prompt("cup")],
        [Prompt("mug", templates=("a {}",)), Prompt("a mug")],
        [Prompt(image=PICTURE), Prompt(image=np.asfortranarray(PICTURE), text_weight=0.2)],
        [Prompt(image=other)],
        [Prompt(image=PICTURE, mask=MASK), Prompt(image=PICTURE, mask=MASK.astype(np.uint8) * 255)],
        [Prompt(image=PICTURE, mask=~MASK)],
        [Prompt("mug", image=PICTURE)],
        [Prompt("mug", image=PICTURE, text_weight=0.2)],
        [Prompt("mug", unlike="cup"), Prompt("mug", unlike=(Prompt("cup"),))],
        [Prompt("mug", unlike=("cup", "bowl")), Prompt("mug", unlike=("bowl", "cup"))],
    ]
    for group in groups:
        assert len(set(group)) == 1
    assert len({prompt for group in groups for prompt in group}) == len(groups)


def test_negatives_change_the_name_and_not_the_embedding():
    prompt = Prompt("mug", unlike=("cup", Prompt(image=PICTURE)))
    assert prompt.label == "mug !cup !visual prompt"
    assert prompt.key == Prompt("mug").key


def test_keeps_a_copy():
    picture, mask = PICTURE.copy(), MASK.copy()
    prompt = Prompt(image=picture, mask=mask)
    picture[:], mask[:] = 0, True
    np.testing.assert_array_equal(prompt.image, PICTURE)
    np.testing.assert_array_equal(prompt.mask, MASK)
    with pytest.raises(ValueError):
        prompt.image[0] = 0


def test_engineered_prompt_is_the_crop_with_context_in_a_square():
    result = engineer_visual_prompt(PICTURE, MASK)
    # Object 10 x 20 with 10 % on each side: 12 x 24, rows 9 to 20 and columns 18 to 41, centred in a 24 x 24 square.
    assert result.shape == (24, 24, 3)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result[7:17, 2:22], PICTURE[10:20, 20:40])
    np.testing.assert_array_equal(result[:6], np.broadcast_to(GREY, (6, 24, 3)))
    np.testing.assert_array_equal(result[18:], np.broadcast_to(GREY, (6, 24, 3)))


def test_engineered_background_is_faint():
    result = engineer_visual_prompt(PICTURE, MASK)
    border = result[6:18][[0, -1]].astype(int)
    assert np.abs(border - GREY).max() <= 13 + 1
    assert (border != GREY).any()


def test_engineered_background_is_blurred():
    sharp = engineer_visual_prompt(PICTURE, MASK, blur=0, intensity=1, context=1)
    blurred = engineer_visual_prompt(PICTURE, MASK, blur=0.05, intensity=1, context=1)
    np.testing.assert_array_equal(sharp, _square(PICTURE[:30]))
    outside = ~MASK[:30]
    assert blurred[15:45][outside].std() < 0.6 * sharp[15:45][outside].std()
    np.testing.assert_array_equal(blurred[15:45][~outside], sharp[15:45][~outside])


def _square(picture):
    square = np.broadcast_to(GREY, (60, 60, 3)).astype(picture.dtype)
    square[15:45] = picture
    return square


@pytest.mark.parametrize("corner", [(0, 0), (39, 59)])
def test_engineered_prompt_of_one_pixel_in_the_corner(corner):
    mask = np.zeros((40, 60), np.uint8)
    mask[corner] = 1
    result = engineer_visual_prompt(PICTURE, mask)
    np.testing.assert_array_equal(result, PICTURE[corner].reshape(1, 1, 3))


def test_without_a_mask_the_picture_is_the_prompt():
    np.testing.assert_array_equal(engineer_visual_prompt(PICTURE), PICTURE)
