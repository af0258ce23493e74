# SPDX-License-Identifier: Apache-2.0
"""Other backends answer as PyTorch does, with the same caches, and say what they cannot do."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from networks import ALL_PARTS, SIDE, network, picture

from clipseg_ros.clipseg import Prompt, Segmenter
from clipseg_ros.clipseg.onnx import runtimes
from clipseg_ros.clipseg.weights.checkpoints import DEMO_FILE
from clipseg_ros.recorded import pictures

pytestmark = pytest.mark.usefixtures("one_thread")

TOLERANCE = 1e-4
"""Of float32 logits, in standard deviations of the logits."""

EXAMPLE = Prompt(image=picture(seed=9))


@pytest.fixture(params=["openvino", "onnxruntime"])
def backend(request):
    """The name of a backend whose packages are installed."""
    for package in (request.param, "onnx", "onnxscript"):
        pytest.importorskip(package)
    return request.param


def assert_equal_logits(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * (expected.std() if expected.size else 1))


def bytes_of_a_prompt(model) -> int:
    rows, columns = model.grid((SIDE, SIDE))
    return 4 * (1 + rows * columns) * model.config.decoder_intermediate


@pytest.mark.parametrize("parts", [{}, {"refined": True}, ALL_PARTS])
def test_logits_equal_those_of_torch(backend, parts, monkeypatch):
    model = network(**parts)
    monkeypatch.setattr("clipseg_ros.clipseg.model.HIDDEN_BYTES", 4 * bytes_of_a_prompt(model))
    reference, segmenter = Segmenter(model, device="cpu"), Segmenter(model, backend=backend)
    assert (segmenter.backend, segmenter.precision, segmenter.device.type) == (backend, "float32", "cpu")
    prompts = ["a mug", "the lamp", EXAMPLE]
    apart = reference.logits(picture(), prompts)
    assert np.abs(apart[0] - apart[1]).max() > apart.std() / 2, "the prompts must matter"
    for image in (picture(), [picture(), picture(33, 20, seed=1)]):
        for some in (prompts[:1], prompts[2:], prompts, [f"thing {i}" for i in range(9)], []):
            assert_equal_logits(segmenter.logits(image, some), reference.logits(image, some))
    np.testing.assert_allclose(segmenter.segment(picture(), prompts), reference.segment(picture(), prompts), atol=1e-4)
    segmenter.warm_up()
    kept = [one.features(picture()) for one in (segmenter, reference)]
    np.testing.assert_allclose(*kept, rtol=0, atol=0.01)
    maps, = segmenter.maps_of(kept[1:], prompts, [0.5] * len(prompts), sizes=[picture().shape[:2]])
    np.testing.assert_allclose(maps.values, reference.segment(picture(), prompts), atol=0.05)


def test_a_frame_is_encoded_once(backend, monkeypatch):
    segmenter, reference = Segmenter(network(), backend=backend), Segmenter(network(), device="cpu")
    encoded, encode = [], segmenter._backend.encode
    monkeypatch.setattr(segmenter._backend, "encode", lambda images: encoded.append(len(images)) or encode(images))
    frames, cameras = [picture(seed=1), picture(20, 30, seed=2)], ["left", "right"]
    segmenter.segment(frames, "a mug", camera=cameras)
    assert_equal_logits(segmenter.logits(frames[0], "the lamp", camera="left"), reference.logits(frames[0], "the lamp"))
    assert encoded == [2]
    frames[1] = picture(seed=3)
    assert_equal_logits(segmenter.logits(frames, ["a mug", EXAMPLE], camera=cameras),
                        reference.logits(frames, ["a mug", EXAMPLE]))
    assert encoded == [2, 1]
    for _, features in segmenter._frames.values():
        assert all(reduced.untyped_storage().nbytes() == reduced.nbytes for reduced in features.activations)


def test_earlier_results_do_not_change(backend):
    segmenter = Segmenter(network(), backend=backend)
    first = segmenter.logits(picture(), "a mug")
    kept = first.copy()
    segmenter.logits(picture(seed=1), "the lamp")
    np.testing.assert_array_equal(first, kept)


SIGNAL_AFTER_UNLOADING = """
import faulthandler, gc, os, signal, time
faulthandler.enable()
handled = []
signal.signal(signal.SIGUSR1, lambda number, frame: handled.append(number))
from clipseg_ros.clipseg import Segmenter
from networks import network, picture
first, second = (Segmenter(network(), backend="openvino") for _ in range(2))
for segmenter in (first, second):
    segmenter.logits(picture(), "a mug")
del first, segmenter
gc.collect()
del second
gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
for _ in range(6000):  # another thread may get it first
    if handled:
        break
    time.sleep(0.01)
assert handled == [signal.SIGUSR1]
"""


def test_signals_are_handled_after_networks_were_unloaded():
    for package in ("openvino", "onnx", "onnxscript"):
        pytest.importorskip(package)
    ended = subprocess.run([sys.executable, "-c", SIGNAL_AFTER_UNLOADING], capture_output=True, text=True,
                           env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", ["torch", "openvino", "onnxruntime"])
def test_input_size(name):
    if name != "torch":
        pytest.importorskip(name)
        pytest.importorskip("onnxscript")
    model = network()
    segmenter, own = Segmenter(model, device="cpu", backend=name, input_size=48), Segmenter(model, device="cpu")
    assert segmenter.input_size == (48, 48) and own.input_size == (SIDE, SIDE)
    found = segmenter.logits(picture(), ["a mug", "the lamp"])
    with torch.inference_mode():
        conditioning = own._embeddings.of([Prompt("a mug"), Prompt("the lamp")])
        examples = [one._embeddings.of([EXAMPLE]) for one in (segmenter, own)]
        assert torch.equal(*examples), "example pictures keep their size"
        by_hand = own._model.decode(own._model.encode_image(pixels_of(model, 48)), conditioning)
    assert_equal_logits(found, by_hand[0].numpy())
    assert segmenter.segment(picture(), "a mug").shape == (1, 48, 80)


def pixels_of(model, side):
    from clipseg_ros.clipseg.backend import input_pixels

    return input_pixels(model, [picture()], (side, side))


@pytest.mark.parametrize("size", [40, -16, 1.5, "64"])
def test_refuses_input_size(size):
    with pytest.raises(ValueError, match="must be a multiple of 16, the side of a patch, or 0 for the weights' own 64"):
        Segmenter(network(), device="cpu", input_size=size)


@pytest.fixture(scope="module")
def demo():
    if not DEMO_FILE.is_file():
        pytest.skip("the demo weights are not bundled")
    segmenter = Segmenter.load("demo", device="cpu")
    scenes = pictures()[3:5]
    prompts = ["a mug", "the chair", "something to sit on"]
    return scenes, prompts, segmenter.logits(scenes, prompts)


def test_demo_weights(backend, demo):
    scenes, prompts, expected = demo
    assert 0.001 < (expected > 0).mean() < 0.5, "there must be masks to compare"
    found = Segmenter.load("demo", backend=backend).logits(scenes, prompts)
    assert_equal_logits(found, expected)
    assert ((found > 0) != (expected > 0)).mean() < 1e-5


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_int8_masks_are_nearly_those_of_float32(demo, backend):
    for package in ("onnxruntime", "onnx", "onnxscript", backend):
        pytest.importorskip(package)
    scenes, prompts, expected = demo
    told = []
    segmenter = Segmenter.load("demo", backend=backend, precision="int8", progress=told.append)
    assert segmenter.precision == "int8"
    found = segmenter.logits(scenes, prompts)
    assert np.abs(found - expected).max() > 0.01, "it must really be int8"
    assert ((found > 0) != (expected > 0)).mean() < 0.002
    assert "int8 against PyTorch in float32: logits differ by at most" in told[-1]


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_missing_package_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    sentence = f"the backend {name} needs packages that are not installed: pip install {name} onnx onnxscript"
    with pytest.raises(ImportError, match=sentence):
        Segmenter.load("/no/such/file", backend=name)
    with pytest.raises(ImportError, match=sentence):
        Segmenter(network(), backend=name)


def test_what_the_processor_lacks(monkeypatch):
    pytest.importorskip("openvino")

    class Core:
        def get_property(self, device, name):
            return ["FP32", "INT8"]

    monkeypatch.setattr(runtimes, "openvino_core", Core)
    for precision in ("bfloat16", "float16"):
        with pytest.raises(ValueError, match=f"OpenVINO finds no {precision} arithmetic in this processor; float32"):
            Segmenter.load("/no/such/file", backend="openvino", precision=precision)
