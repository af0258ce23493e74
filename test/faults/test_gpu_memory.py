# SPDX-License-Identifier: Apache-2.0
"""A GPU that runs out of memory while the node works costs the frames that met it; `on_oom` says what then."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from own_node import Room  # noqa: E402

from clipseg_ros.clipseg import Segmenter, startup  # noqa: E402
from clipseg_ros.clipseg.cuda import OutOfMemoryError  # noqa: E402

pytestmark = pytest.mark.ros

SENTENCE = "a frame could not be processed: OutOfMemoryError: CUDA out of memory"


@pytest.fixture
def gpu(monkeypatch):
    """What nodes load is a GPU's as long as its device is not "cpu"; at `left[0]` frames its memory does not suffice."""
    left, loaded = [0], []

    class Short(Segmenter):
        @classmethod
        def load(cls, weights, *, device, **settings):
            loaded.append(device)
            return (Segmenter if device == "cpu" else super()).load(weights, device="cpu", **settings)

        def maps(self, *args, **kwargs):
            if left[0] > 0:
                left[0] -= 1
                raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return super().maps(*args, **kwargs)

    monkeypatch.setattr(startup, "Segmenter", Short)
    return left, loaded


@pytest.fixture(params=["error", "cpu"])
def room(request):
    room = Room(f"/short_{request.param}", on_oom=request.param)
    yield request.param, room
    room.close()


def test_the_node_goes_on(room, gpu, capfd, record_property):
    (on_oom, room), (left, loaded) = room, gpu
    room.start()
    room.again("a mask")
    left[0] = 3
    room.until(lambda: left[0] == (0 if on_oom == "error" else 2), "frames that meet the shortage")
    record_property("recovery_s", room.again("a mask after it"))
    said = capfd.readouterr().err
    assert said.count(SENTENCE) == 1 and "Traceback" not in said
    assert said.count("the GPU's memory does not suffice any more; the CPU runs the network") == (on_oom == "cpu")
    assert loaded == (["auto", "cpu"] if on_oom == "cpu" else ["auto"])
    assert room.node._pipeline.cameras["camera"].tally.failed == (1 if on_oom == "cpu" else 3)
    room.until(lambda: room.states and room.states[-1].message == "active", "a node that says that it is well")
