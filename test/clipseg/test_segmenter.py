# SPDX-License-Identifier: Apache-2.0
"""The Python face: shapes, values, caches, precisions, and one sentence for everything that cannot be done."""

import weakref
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from networks import reactive

from clipseg_ros.clipseg import Prompt, Segmenter
from clipseg_ros.clipseg.cpu import packed
from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.clipseg.preprocessing import normalise, squash
from clipseg_ros.clipseg.prompts import engineer_visual_prompt
from clipseg_ros.clipseg.segmenter import FRAMES_KEPT
from clipseg_ros.clipseg.tokenizer import Tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 32
WORDS = ("red", "mug", "cup", "the", "lamp", "warm", "up", "thing", *"0123456789")


def small_model(seed=0):
    """A tiny network with a closed vocabulary that reacts strongly to its prompts."""
    known = sorted({i for row in Tokenizer()(WORDS).tolist() for i in row if i})
    text = {**SMALL.clip["text_cfg"], "vocab_size": len(known) + 2}
    config = replace(SMALL, clip={**SMALL.clip, "text_cfg": text}, image_size=SIDE, token_ids=tuple(known))
    torch.manual_seed(seed)
    return reactive(CLIPSeg(config).eval())


def picture(height=48, width=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture
def segmenter(model):
    return Segmenter(model, device="cpu")


@pytest.fixture
def calls(monkeypatch):
    """How often each half of the network ran, in rows."""
    counts = {"encode_image": 0, "encode_text": 0, "encode_visual_prompt": 0}

    def counted(name):
        original = getattr(CLIPSeg, name)

        def call(network, rows):
            counts[name] += len(rows)
            return original(network, rows)

        return call

    for name in counts:
        monkeypatch.setattr(CLIPSeg, name, counted(name))
    return counts


@torch.inference_mode()
def by_hand(model, image, texts):
    """Logits (n, h, w) without caches, batches or packed layers."""
    config = model.config
    pixels = normalise(squash(image, (SIDE, SIDE)), config.image_mean, config.image_std)[None]
    embeddings = model.encode_text(Tokenizer(token_ids=config.token_ids)(texts))
    return model.decode(model.encode_image(pixels), embeddings)[0].numpy()


@pytest.mark.parametrize(
    "prompts, count",
    [("mug", 1), (["mug"], 1), (["red mug", "cup"], 2), ([], 0), (Prompt("mug"), 1), (("mug", "mug"), 2),
     ([f"thing {i}" for i in range(17)], 17)],
)
def test_shapes(segmenter, prompts, count):
    probabilities = segmenter.segment(picture(), prompts)
    assert probabilities.shape == (count, 48, 64)
    assert probabilities.dtype == np.float32
    logits = segmenter.logits(picture(), prompts)
    assert logits.shape == (count, SIDE, SIDE)
    assert logits.dtype == np.float32


def test_shapes_of_lists(segmenter):
    images = [picture(48, 64), picture(20, 30, seed=1), picture(1, 1, seed=2)]
    assert [maps.shape for maps in segmenter.segment(images, ["mug", "cup"])] == [(2, 48, 64), (2, 20, 30), (2, 1, 1)]
    assert segmenter.logits(images, ["mug", "cup"]).shape == (3, 2, SIDE, SIDE)
    assert [maps.shape for maps in segmenter.segment(images[:1], "mug")] == [(1, 48, 64)]
    assert [maps.shape for maps in segmenter.segment(images, [])] == [(0, 48, 64), (0, 20, 30), (0, 1, 1)]
    assert segmenter.segment([], "mug") == []
    assert segmenter.logits([], "mug").shape == (0, 1, SIDE, SIDE)


def test_values_equal_the_network_by_hand(model, segmenter):
    texts = ["red mug", "cup", "the lamp"]
    expected = by_hand(model, picture(), texts)
    assert np.abs(expected[0] - expected[1]).max() > expected.std(), "the prompts must matter"
    logits = segmenter.logits(picture(), texts)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * expected.std())
    probabilities = segmenter.segment(picture(), texts)
    for maps, result in zip(1 / (1 + np.exp(-logits)), probabilities):
        np.testing.assert_allclose(result, cv2.resize(maps, (64, 48)), rtol=0, atol=1e-5)
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1


def test_resize_equals_torch(segmenter):
    probabilities = torch.from_numpy(segmenter.logits(picture(), ["mug", "cup"])).sigmoid()[None]
    expected = torch.nn.functional.interpolate(probabilities, (48, 64), mode="bilinear")[0].numpy()
    np.testing.assert_allclose(segmenter.segment(picture(), ["mug", "cup"]), expected, rtol=0, atol=1e-4)


def test_a_batch_equals_one_by_one(segmenter):
    images = [picture(48, 64), picture(20, 30, seed=1)]
    for alone, batched in zip(images, segmenter.segment(images, ["mug", "cup"])):
        np.testing.assert_allclose(segmenter.segment(alone, ["mug", "cup"]), batched, rtol=0, atol=1e-5)


def test_many_prompts_equal_one_by_one(segmenter, monkeypatch):
    monkeypatch.setattr("clipseg_ros.clipseg.model.HIDDEN_BYTES", 1)
    texts = [f"thing {i}" for i in range(10)]
    together = segmenter.logits(picture(), texts)
    for text, logits in zip(texts, together):
        np.testing.assert_allclose(segmenter.logits(picture(), text)[0], logits, rtol=0, atol=1e-4)


def test_nothing_is_encoded_twice(segmenter, calls):
    segmenter.segment(picture(), ["mug", "cup"])
    segmenter.segment(picture(), ["cup", "mug", "lamp", "lamp"])
    segmenter.logits(picture(), "mug")
    assert calls == {"encode_image": 1, "encode_text": 3, "encode_visual_prompt": 0}
    segmenter.segment(picture(seed=1), "mug")
    assert calls["encode_image"] == 2
    example = Prompt(image=picture(seed=3))
    segmenter.segment(picture(seed=1), [example, Prompt("mug", image=picture(seed=3))])
    segmenter.segment(picture(seed=1), Prompt(image=picture(seed=3)))
    assert calls["encode_visual_prompt"] == 2


def test_each_camera_has_its_own_frame(segmenter, calls):
    left, right = picture(seed=1), picture(seed=2)
    first = [segmenter.segment(left, "mug", camera="left"), segmenter.segment(right, "mug", camera="right")]
    again = [segmenter.segment(left, "mug", camera="left"), segmenter.segment(right, "mug", camera="right")]
    assert calls["encode_image"] == 2
    np.testing.assert_array_equal(first, again)
    for index in range(FRAMES_KEPT):
        segmenter.segment(left, "mug", camera=f"other {index}")
    segmenter.segment(left, "mug", camera="left")
    assert calls["encode_image"] == 2 + FRAMES_KEPT + 1


def test_frames_of_several_cameras_equal_single_calls(model, segmenter, calls):
    images = [picture(48, 64, seed=1), picture(20, 30, seed=2), picture(48, 64, seed=3)]
    cameras = ["front", "left", "right"]
    batched = segmenter.segment(images, ["mug", "cup"], camera=cameras)
    kept = [segmenter.segment(frame, ["mug", "cup"], camera=camera) for frame, camera in zip(images, cameras)]
    assert calls["encode_image"] == 3, "each camera's frame must have been kept"
    alone = Segmenter(model, device="cpu")
    for frame, maps, again in zip(images, batched, kept):
        np.testing.assert_allclose(maps, alone.segment(frame, ["mug", "cup"]), rtol=0, atol=1e-5)
        np.testing.assert_allclose(maps, again, rtol=0, atol=1e-5)


@pytest.mark.parametrize("changed", [(), (0,), (1,), (2,), (0, 2), (0, 1, 2)])
def test_only_new_frames_of_a_batch_are_encoded(model, segmenter, calls, changed):
    cameras = ("front", "left", "right")
    images = [picture(seed=index) for index in range(3)]
    segmenter.logits(images, "mug", camera=cameras)
    for index in changed:
        images[index] = picture(seed=10 + index)
    found = segmenter.logits(tuple(images), ["cup", "mug"], camera=cameras)
    assert calls["encode_image"] == 3 + len(changed)
    alone = Segmenter(model, device="cpu")
    for frame, logits in zip(images, found):
        expected = alone.logits(frame, ["cup", "mug"])
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * expected.std())


def test_new_frames_are_encoded_as_one_batch(segmenter, monkeypatch):
    sizes, encode = [], CLIPSeg.encode_image
    monkeypatch.setattr(CLIPSeg, "encode_image", lambda self, rows: sizes.append(len(rows)) or encode(self, rows))
    segmenter.segment([picture(seed=1), picture(seed=2)], "mug", camera=["left", "right"])
    segmenter.segment([picture(seed=3), picture(seed=2), picture(seed=4)], "mug", camera=["left", "right", "rear"])
    assert sizes == [2, 2]


def test_a_batch_finds_what_a_single_call_kept(segmenter, calls):
    segmenter.segment(picture(seed=1), "mug", camera="left")
    segmenter.segment([picture(seed=1), picture(seed=2)], "mug", camera=["left", "right"])
    segmenter.segment(picture(seed=1), "mug", camera="right")
    assert calls["encode_image"] == 3


def test_a_list_without_cameras_is_not_kept(segmenter, calls):
    segmenter.segment([picture(seed=1), picture(seed=2)], "mug")
    assert not segmenter._frames
    segmenter.segment([picture(seed=1), picture(seed=2)], "mug", camera="")
    assert calls["encode_image"] == 4


def test_a_kept_frame_keeps_no_other_in_memory(segmenter):
    segmenter.segment([picture(seed=1), picture(seed=2)], "mug", camera=["left", "right"])
    for _, features in segmenter._frames.values():
        for activation in features.activations:
            assert activation.untyped_storage().nbytes() == activation.nbytes


def test_more_cameras_than_are_kept(model, segmenter):
    images = [picture(seed=index) for index in range(FRAMES_KEPT + 2)]
    found = segmenter.segment(images, "mug", camera=[str(index) for index in range(len(images))])
    assert list(segmenter._frames) == [str(index) for index in range(2, len(images))]
    alone = Segmenter(model, device="cpu")
    for frame, maps in zip(images, found):
        np.testing.assert_allclose(maps, alone.segment(frame, "mug"), rtol=0, atol=1e-5)


def test_as_many_frames_are_kept_as_there_are_cameras(model, calls):
    names = [str(index) for index in range(FRAMES_KEPT + 1)]
    segmenter = Segmenter(model, device="cpu", frames_kept=len(names))
    for _ in range(2):
        for name in names:
            segmenter.segment(picture(seed=int(name)), "mug", camera=name)
    assert calls["encode_image"] == len(names)


@pytest.mark.parametrize(
    "image, camera, sentence",
    [([picture(), picture()], ["left"], r"camera is \['left'\]; a list of 2 images needs a list of as many names"),
     ([picture()], ["left", "right"], "a list of 1 images"), ([picture()], (), "a list of 1 images"),
     ([], ["left"], "a list of 0 images"), ([picture()], "left", "as many names"), ([picture()], None, "as many names"),
     (picture(), ["left"], "one name, a str"), (picture(), None, "one name, a str")],
)
def test_refuses_cameras(segmenter, image, camera, sentence):
    for call in (segmenter.segment, segmenter.logits):
        for prompts in ("mug", []):
            with pytest.raises(ValueError, match=sentence):
                call(image, prompts, camera=camera)


def test_a_frame_changed_in_place_is_a_new_frame(segmenter, calls):
    frame = picture()
    before = segmenter.logits(frame, "mug")
    frame[5, 5, 1] ^= 0x80
    after = segmenter.logits(frame, "mug")
    assert calls["encode_image"] == 2
    assert (before != after).any()


def test_a_frame_of_another_size_is_a_new_frame(segmenter):
    assert segmenter.segment(picture(48, 64), "mug").shape == (1, 48, 64)
    assert segmenter.segment(picture(64, 48), "mug").shape == (1, 64, 48)


def test_results_are_the_callers_own(segmenter):
    first = segmenter.segment(picture(), "mug")
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(segmenter.segment(picture(), "mug"), kept)


def test_the_frame_is_left_alone_and_may_be_read_only(segmenter):
    frame = picture()
    expected = segmenter.segment(frame, "mug")
    frozen = np.frombuffer(frame.tobytes(), np.uint8).reshape(frame.shape)
    np.testing.assert_array_equal(segmenter.segment(frozen, "mug", camera="frozen"), expected)
    np.testing.assert_array_equal(frame, picture())


def test_embedding_of_templates_and_blends(model, segmenter):
    tokenizer = Tokenizer(token_ids=model.config.token_ids)
    mask = np.zeros((48, 64), bool)
    mask[10:30, 20:50] = True
    with torch.inference_mode():
        texts = model.encode_text(tokenizer(["the mug", "red mug"])).mean(dim=0)
        example = squash(engineer_visual_prompt(picture(seed=5), mask), (SIDE, SIDE))
        pixels = normalise(example, model.config.image_mean, model.config.image_std)
        visual = model.encode_visual_prompt(pixels[None])[0]
        prompt = Prompt("mug", picture(seed=5), mask, text_weight=0.25, templates=("the {}", "red {}"))
        found = segmenter._embeddings.of([prompt, Prompt(image=picture(seed=5), mask=mask)])
    torch.testing.assert_close(found[0], 0.25 * texts + 0.75 * visual, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[1], visual, rtol=1e-4, atol=1e-4)


def test_example_pictures_may_have_a_size_of_their_own():
    model = small_model()
    model.config = replace(model.config, visual_prompt_size=SIDE // 2)
    with torch.inference_mode():
        pixels = normalise(squash(picture(seed=5), (SIDE // 2,) * 2), model.config.image_mean, model.config.image_std)
        expected = model.encode_visual_prompt(pixels[None])[0]
        segmenter = Segmenter(model, device="cpu")
        found = segmenter._embeddings.of([Prompt(image=picture(seed=5))])[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert segmenter.logits(picture(), "mug").shape == (1, SIDE, SIDE)


@pytest.mark.parametrize("precision, tolerance", [("bfloat16", 0.1), ("float16", 0.01)])
def test_reduced_precision_on_a_cpu(model, precision, tolerance):
    exact = Segmenter(model, device="cpu", precision="float32")
    reduced = Segmenter(model, device="cpu", precision=precision)
    assert (exact.precision, reduced.precision) == ("float32", precision)
    prompts = ["red mug", Prompt(image=picture(seed=4))]
    expected, found = exact.segment(picture(), prompts), reduced.segment(picture(), prompts)
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < tolerance
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_without_packed_layers(model, monkeypatch):
    with_them = Segmenter(model, device="cpu").logits(picture(), ["mug", "cup"])
    monkeypatch.setattr(packed, "is_available", lambda *_: False)
    plain = Segmenter(model, device="cpu")
    assert plain._model is model
    np.testing.assert_allclose(plain.logits(picture(), ["mug", "cup"]), with_them, rtol=0,
                               atol=1e-4 * with_them.std())


def test_warm_up_keeps_nothing(segmenter):
    segmenter.warm_up()
    assert not segmenter._frames
    assert not segmenter._embeddings


def test_warm_up_refuses_weights_that_overflow():
    broken = small_model()
    with torch.no_grad():
        broken.decoder.reduces[0].weight.mul_(1e7)
    with pytest.raises(ValueError, match="'big' overflow in float16"):
        Segmenter(broken, device="cpu", precision="float16", name="big").warm_up()
    Segmenter(broken, device="cpu", precision="float32").warm_up()


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Pretend that the maps come from a GPU, once frames and prompts are known."""
    return lambda: monkeypatch.setattr(Segmenter, "device", SimpleNamespace(type="cuda"))


@pytest.mark.parametrize("exact", [True, False])
def test_maps_are_the_probabilities_with_their_thresholds(segmenter, as_on_a_gpu, exact):
    images, prompts, thresholds = [picture(), picture(30, 20, seed=2)], ["mug", "cup"], [0.4, 0.5]
    expected = segmenter.segment(images, prompts, camera=["left", "right"])
    as_on_a_gpu()
    found = segmenter.maps(images, prompts, thresholds, camera=["left", "right"], exact=exact)
    for maps, probabilities in zip(found, expected, strict=True):
        assert (maps.values.dtype, maps.full_scale) == ((np.float32, 1.0) if exact else (np.uint8, 255))
        assert np.abs(maps.probabilities - probabilities).max() < (1e-6 if exact else 1.01 / 255)
        for mask, probability, threshold in zip(maps.masks, probabilities, thresholds, strict=True):
            np.testing.assert_array_equal(mask == 255, probability >= np.float32(threshold))
    assert segmenter.maps([], prompts, thresholds) == []
    assert segmenter.maps(images[:1], [], [])[0].values.shape == (0, *images[0].shape[:2])


def test_a_cpu_never_rounds(segmenter):
    maps, = segmenter.maps([picture()], ["mug"], [0.5], exact=False)
    assert maps.values.dtype == np.float32


def test_maps_need_a_threshold_for_each_prompt(segmenter):
    with pytest.raises(ValueError, match="there are 2 prompts but 1 thresholds; each prompt needs one"):
        segmenter.maps([picture()], ["mug", "cup"], [0.5])


def test_staging_changes_nothing(segmenter, as_on_a_gpu):
    images = [picture(), picture(30, 20, seed=2)]

    def unread():
        raise AssertionError("on a CPU an image need not even be converted")
        yield
    segmenter.stage(unread())
    found = segmenter.segment(images, "mug")
    np.testing.assert_allclose(found[1], segmenter.segment(images[1], "mug"), rtol=0, atol=1e-5)
    as_on_a_gpu()
    segmenter.stage(images)
    with pytest.raises(ValueError, match="image 0 of the list has the type float64"):
        segmenter.stage([picture() / 255.0])


def test_closing_lets_go_of_the_network():
    model = small_model()
    segmenter = Segmenter(model, device="cpu", precision="bfloat16")
    segmenter.segment(picture(), "mug")
    held = weakref.ref(segmenter._model)
    assert segmenter.gpu_memory == 0
    segmenter.close()
    assert held() is None
    assert (segmenter.precision, segmenter.device.type) == ("bfloat16", "cpu")


def test_what_it_says_of_itself(model):
    segmenter = Segmenter(model, device="cpu", name="tiny", trained=False)
    assert (segmenter.name, segmenter.trained, segmenter.precision) == ("tiny", False, "float32")
    assert segmenter.device == torch.device("cpu")
    assert segmenter.input_size == (SIDE, SIDE)


@pytest.mark.parametrize(
    "image, sentence",
    [(None, "the image is a NoneType"), (np.zeros((4, 4), np.uint8), r"shape \(4, 4\)"),
     (np.zeros((4, 4, 3)), "type float64"), (np.zeros((4, 0, 3), np.uint8), "empty, 0x4 pixels"),
     ([picture(), np.zeros((4, 4, 3), np.float32)], "image 1 of the list has the type float32")],
)
def test_refuses_image(segmenter, image, sentence):
    for call in (segmenter.segment, segmenter.logits):
        with pytest.raises(ValueError, match=sentence):
            call(image, "mug")


@pytest.mark.parametrize(
    "prompts, sentence",
    [("", "text of the prompt is empty"), (["mug", " "], "empty"), ("a\tb", "control character"),
     ("mug " * 76, "76 tokens; the network's context takes at most 75"), (None, "a str, a Prompt or a sequence"),
     ([None], "is a NoneType"), (Prompt("mug", unlike="mug " * 76), "76 tokens"), ("&nbsp;", "has no words"),
     (Prompt("mug " * 70, templates=("a very good and sharp photo of a {}",)), "78 tokens")],
)
def test_refuses_prompts_and_goes_on(segmenter, prompts, sentence):
    before = segmenter.segment(picture(), "mug")
    for call in (segmenter.check, lambda refused: segmenter.segment(picture(), refused)):
        with pytest.raises(ValueError, match=sentence):
            call(prompts)
    np.testing.assert_array_equal(segmenter.segment(picture(), "mug"), before)


def test_check_accepts(segmenter):
    assert segmenter.check(["mug " * 75, Prompt(image=picture()), "🍌"]) is None
    assert segmenter.check([]) is None


def test_unknown_words(segmenter):
    assert segmenter.unknown_words("the Red teapot") == ("teapot",)
    assert segmenter.unknown_words(Prompt(image=picture())) == ()
    assert segmenter.unknown_words(Prompt("red teapot", unlike=("mug", "big kettle"))) == ("teapot", "big", "kettle")
    assert "'kettle'" in segmenter.unknown_words_note(["mug", Prompt("mug", unlike="kettle")])


@pytest.mark.parametrize(
    "arguments, sentence",
    [({"device": "cuda:99"}, "PyTorch finds"), ({"device": "tpu"}, "device is 'tpu'"), ({"precision": "int8"}, "int8")],
)
def test_load_refuses_before_it_reads_weights(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Segmenter.load("/no/such/file", **arguments)


def test_load_untrained():
    segmenter = Segmenter.load("untrained", device="cpu")
    assert not segmenter.trained
    assert segmenter.segment(picture(), "mug").shape == (1, 48, 64)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision, tolerance", [("float32", 1e-3), ("bfloat16", 0.1), ("auto", 0.01)])
def test_cuda_equals_the_cpu(model, precision, tolerance):
    expected = Segmenter(model, device="cpu").segment(picture(), ["mug", Prompt(image=picture(seed=4))])
    segmenter = Segmenter(small_model(), device="cuda", precision=precision)
    segmenter.warm_up()
    found = segmenter.segment(picture(), ["mug", Prompt(image=picture(seed=4))])
    assert np.abs(found - expected).max() < tolerance


def test_kept_features_answer_prompts_of_later(model, segmenter, calls):
    images = [picture(seed=1), picture(20, 30, seed=2)]
    kept = [segmenter.features(image, camera=str(index)) for index, image in enumerate(images)]
    assert {(one.dtype, one.shape) for one in kept} == {(np.dtype(np.float16), segmenter.features_shape)}
    later = Segmenter(model, device="cpu")
    found = later.maps_of(kept, ["mug", "cup"], [0.4, 0.6], sizes=[(48, 64), (10, 15)])
    assert calls["encode_image"] == 2 and [maps.size for maps in found] == [(48, 64), (10, 15)]
    assert found[0].thresholds == (0.4, 0.6)
    np.testing.assert_allclose(found[0].values, segmenter.segment(images[0], ["mug", "cup"], camera="0"), atol=0.02)
    assert calls["encode_image"] == 2, "a camera's last frame is not encoded again"
    assert later.maps_of([], "mug", [0.5], sizes=[]) == []
    with pytest.raises(ValueError, match="kept features have the shape"):
        later.maps_of([kept[0][:, 1:]], "mug", [0.5], sizes=[(8, 8)])


def test_networks_have_fingerprints(model):
    again = Segmenter(small_model(), device="cpu", precision="bfloat16")
    assert again.fingerprint == Segmenter(model, device="cpu").fingerprint
    assert again.fingerprint != Segmenter(small_model(seed=1), device="cpu").fingerprint
