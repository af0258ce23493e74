# SPDX-License-Identifier: Apache-2.0
import json

import cv2
import numpy as np
import pytest

from clipseg_ros.lab.datasets.folder import FolderWriter, read_folder, read_scenes
from clipseg_ros.lab.datasets.image_files import write_png

RGB = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
MASK = np.zeros((4, 6), dtype=bool)
MASK[1:3, 2:5] = True


@pytest.fixture
def folder(tmp_path):
    """A folder with one image and one mask; returns a function that writes its lines and reads it."""
    write_png(tmp_path / "images/0.png", RGB)
    write_png(tmp_path / "masks/0.png", MASK)

    def read(*records):
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        (tmp_path / "prompts.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return read_folder(tmp_path)

    read.path = tmp_path
    return read


def record(**changes):
    return {"image": "images/0.png", "mask": "masks/0.png", "phrase": "cup", "type": "noun", **changes}


def test_what_is_written_is_read_back(tmp_path):
    with FolderWriter(tmp_path / "home") as writer:
        image = writer.add_image(RGB)
        support = writer.add_visual(RGB[::-1], MASK[::-1])
        writer.add_prompt(image, "die grüne Tasse", "colour", mask=MASK, category="cup")
        writer.add_prompt(image, "cup", "visual", mask=~MASK, visual=support)
        writer.add_prompt(image, "a banana", "absent")
    colour, visual, absent = read_folder(tmp_path / "home")
    assert (colour.phrase, colour.type, colour.category) == ("die grüne Tasse", "colour", "cup")
    np.testing.assert_array_equal(colour.load_image(), RGB)
    np.testing.assert_array_equal(colour.load_mask((4, 6)), MASK)
    assert colour.load_visual() is None
    np.testing.assert_array_equal(visual.load_mask((4, 6)), ~MASK)
    np.testing.assert_array_equal(visual.load_visual()[0], RGB[::-1])
    np.testing.assert_array_equal(visual.load_visual()[1], MASK[::-1])
    assert absent.mask_path is None and not absent.load_mask((4, 6)).any()


def test_scenes_keep_ids_depth_and_fields(tmp_path):
    depth = np.full((4, 6), 1.2344)
    depth[0, :3] = np.nan, np.inf, 70.0
    ids = MASK.astype(np.uint8) * 3
    with FolderWriter(tmp_path) as writer:
        image = writer.add_image(RGB)
        writer.add_scene(image, ids=ids, depth=depth, objects=[{"id": 3, "category": "cup"}], seed=7)
    (path, scene), *rest = read_scenes(tmp_path).items()
    assert not rest and path == scene["image"] == (tmp_path / image).resolve()
    assert scene["seed"] == 7 and scene["objects"] == [{"id": 3, "category": "cup"}]
    np.testing.assert_array_equal(cv2.imread(str(scene["ids"]), cv2.IMREAD_UNCHANGED), ids)
    stored = cv2.imread(str(scene["depth"]), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16 and stored[0].tolist() == [0, 0, 0, 1234, 1234, 1234]


def test_a_folder_without_scenes_has_none(folder):
    assert read_scenes(folder.path) == {}


def test_type_follows_from_the_mask_when_left_out(folder):
    lines = [record(), record(mask=None)]
    for line in lines:
        del line["type"]
    assert [sample.type for sample in folder(*lines)] == ["noun", "absent"]


def test_blank_lines_windows_line_ends_and_unknown_keys_are_fine(folder):
    assert len(folder("\ufeff" + json.dumps(record(note=1)) + "\r", "", json.dumps(record()) + "\r")) == 2


def test_an_empty_mask_is_written_as_absent(tmp_path):
    with FolderWriter(tmp_path) as writer:
        writer.add_prompt(writer.add_image(RGB), "cup", "noun", mask=np.zeros((4, 6), np.uint8))
    assert read_folder(tmp_path)[0].mask_path is None and not (tmp_path / "masks").exists()


def test_a_folder_with_prompts_is_not_written_over(tmp_path):
    with FolderWriter(tmp_path) as writer:
        writer.add_prompt(writer.add_image(RGB), "cup", "noun", mask=MASK)
    with pytest.raises(FileExistsError, match="prompts.jsonl exists already; choose an empty folder"):
        FolderWriter(tmp_path)
    assert len(read_folder(tmp_path)) == 1


def test_a_folder_can_be_added_to(tmp_path):
    for phrase in ("cup", "mug"):
        with FolderWriter(tmp_path, append=True) as writer:
            writer.add_prompt(writer.add_image(RGB), phrase, "noun", mask=MASK)
    samples = read_folder(tmp_path)
    assert [sample.phrase for sample in samples] == ["cup", "mug"]
    assert len({sample.image_path for sample in samples} | {sample.mask_path for sample in samples}) == 4


def test_pictures_that_are_there_already_stay(tmp_path):
    with FolderWriter(tmp_path) as writer:
        assert writer.add_image(RGB) == "images/000000.png"
    (tmp_path / "prompts.jsonl").unlink()
    with FolderWriter(tmp_path) as writer:
        assert writer.add_image(RGB) == "images/000001.png"


def test_pictures_can_be_stored_as_jpeg(tmp_path):
    with FolderWriter(tmp_path, jpeg_quality=95) as writer:
        image = writer.add_image(np.full((16, 16, 3), (200, 40, 40), np.uint8))
        writer.add_prompt(image, "red", "noun", mask=np.ones((16, 16)))
    assert image.endswith(".jpg")
    assert np.abs(read_folder(tmp_path)[0].load_image().astype(int) - (200, 40, 40)).max() <= 3


@pytest.mark.parametrize(
    ("line", "error", "says"),
    [
        ("{not json", ValueError, "line 2: this is not JSON"),
        ("[1]", ValueError, "line 2: a line must be a JSON object, not a list"),
        (record(type="nuon"), ValueError, "line 2: 'type' is 'nuon'.*noun, colour"),
        (record(phrase=" "), ValueError, "line 2: 'phrase' is ' '"),
        (record(phrase=3), ValueError, "line 2: 'phrase' is 3"),
        (record(category=3), ValueError, "line 2: 'category' is 3"),
        (record(type="absent"), ValueError, "line 2: an 'absent' phrase has a mask"),
        (record(type="visual"), ValueError, "line 2: a 'visual' prompt needs a 'visual_image'"),
        (record(visual_mask="masks/0.png"), ValueError, "line 2: 'visual_mask' is given without"),
        ({"image": "images/0.png", "phrase": "cup"}, ValueError, "line 2: 'mask' is missing"),
        (record(image=None), ValueError, "line 2: 'image' is None"),
        (record(image="images/9.png"), FileNotFoundError, "line 2: 'image' is 'images/9.png'"),
        (record(mask="masks"), FileNotFoundError, "line 2: 'mask' is 'masks'"),
        (record(mask="../secret.png"), ValueError, "line 2: 'mask' is '../secret.png', which leads out of"),
        (record(mask="masks/../../secret.png"), ValueError, "leads out of"),
        (record(image="/etc/hostname"), ValueError, "line 2: 'image' is '/etc/hostname', which leads out of"),
        (record(mask="masks/link.png"), ValueError, "line 2: 'mask' is 'masks/link.png', which leads out of"),
        (record(mask="masks/0.png\0"), ValueError, "line 2: 'mask' is"),
    ],
)
def test_a_wrong_line_is_named(folder, line, error, says):
    write_png(folder.path.parent / "secret.png", MASK)
    (folder.path / "masks/link.png").symlink_to(folder.path.parent / "secret.png")
    with pytest.raises(error, match=f"prompts.jsonl, {says}" if says.startswith("line") else says):
        folder(record(), line)


def test_missing_folder_and_missing_or_empty_prompts(folder):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        read_folder(folder.path / "nowhere")
    with pytest.raises(FileNotFoundError, match="There is no prompts.jsonl"):
        read_folder(folder.path)
    with pytest.raises(ValueError, match="holds no prompts"):
        folder("")
    (folder.path / "prompts.jsonl").write_bytes(b"\xff\xfe{")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_folder(folder.path)


def test_a_mask_of_another_size_is_refused(folder):
    write_png(folder.path / "masks/small.png", MASK[:3])
    (sample,) = folder(record(mask="masks/small.png"))
    with pytest.raises(ValueError, match="small.png is 6 x 3 pixels, but its image is 6 x 4"):
        sample.load_mask((4, 6))


@pytest.mark.parametrize(
    ("pixels", "mask", "alpha"),
    [
        (np.array([[0, 1]], np.uint8), [[False, True]], [[0, 1]]),
        (np.array([[0, 51]], np.uint8), [[False, True]], [[0, 0.2]]),
        (np.array([[0, 255]], np.uint8), [[False, True]], [[0, 1]]),
        (np.array([[0, 13107]], np.uint16), [[False, True]], [[0, 0.2]]),
        (np.array([[[0, 0, 0], [0, 0, 255]]], np.uint8), [[False, True]], [[0, 1]]),
        (np.array([[[0, 0, 0, 9], [0, 255, 0, 9]]], np.uint8), [[False, True]], [[0, 1]]),
        (np.array([[[9, 9, 9, 51], [0, 0, 0, 255]]], np.uint8), [[False, True]], [[0.2, 1]]),
    ],
)
def test_masks_of_other_kinds(folder, pixels, mask, alpha):
    cv2.imwrite(str(folder.path / "masks/kind.png"), pixels)
    (sample,) = folder(record(mask="masks/kind.png"))
    np.testing.assert_array_equal(sample.load_mask((1, 2)), mask)
    np.testing.assert_allclose(sample.load_alpha((1, 2)), alpha)


def test_a_broken_picture_is_named(folder):
    (folder.path / "images/broken.png").write_bytes(b"\x89PNG no")
    (folder.path / "images/empty.png").write_bytes(b"")
    for name in ("broken.png", "empty.png"):
        with pytest.raises(ValueError, match=f"{name} is not a picture"):
            folder(record(image=f"images/{name}"))[0].load_image()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda w: w.add_image(RGB[..., 0]), "must be .* uint8 RGB"),
        (lambda w: w.add_image(RGB.astype(float)), "must be .* uint8 RGB"),
        (lambda w: w.add_prompt("images/000009.png", "cup", "noun"), "not an image that this writer stored"),
        (lambda w: w.add_scene("images/000009.png"), "not an image that this writer stored"),
        (lambda w: w.add_prompt(w.add_image(RGB), "cup", "noun", mask=MASK[:2]), "must have its image's"),
        (lambda w: w.add_prompt(w.add_image(RGB), "cup", "thing", mask=MASK), "'type' is 'thing'"),
        (lambda w: w.add_scene(w.add_image(RGB), ids=MASK.astype(int)), "can be stored as PNG"),
    ],
)
def test_the_writer_refuses_what_cannot_be_read_back(tmp_path, call, says):
    with FolderWriter(tmp_path) as writer, pytest.raises(ValueError, match=says):
        call(writer)
    assert (tmp_path / "prompts.jsonl").read_text() == ""
    assert not (tmp_path / "masks").exists()
