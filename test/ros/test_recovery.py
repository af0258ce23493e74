# SPDX-License-Identifier: Apache-2.0
"""A GPU that fails costs a frame; the network is loaded anew once, and after the next error the node is inactive."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from own_node import Room  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402

from clipseg_ros.clipseg import Segmenter  # noqa: E402
from clipseg_ros.ros.recovery import Recovery  # noqa: E402

GPU = RuntimeError("CUDA error: an illegal memory access was encountered")
OTHER = RuntimeError("the size of tensor a must match")


@pytest.mark.parametrize("errors, renewed, given_up", [
    ([OTHER] * 4, 0, []),
    ([GPU, None, OTHER, None], 1, []),
    ([GPU, GPU, None, None], 1, ["failed again after the network was loaded anew: CUDA error: an illegal"]),
    ([GPU, None, None, GPU, None], 1, ["failed again"]),
])
def test_once_anew_and_then_the_end(errors, renewed, given_up):
    calls, ends = [], []
    recovery = Recovery(lambda error: (lambda: calls.append(error)) if error is GPU else None, give_up=ends.append)
    for error in errors:
        expected = ValueError if ends else RuntimeError
        try:
            with recovery.watch():
                assert not ends, "nothing is computed after the end"
                if error is not None:
                    raise error
        except expected as raised:
            assert raised is error or str(raised) == ends[0]
    assert calls == [GPU] * renewed
    assert len(ends) == len(given_up) and all(part in end for part, end in zip(given_up, ends))


def test_what_cannot_be_loaded_anew_is_the_end():
    def renew():
        raise ValueError("there is no such file")

    ends = []
    recovery = Recovery(lambda error: renew, give_up=ends.append)
    with pytest.raises(RuntimeError), recovery.watch():
        raise GPU
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot be loaded anew: there is no such file"), recovery.watch():
            pytest.fail("there is no network")
    assert len(ends) == 1


@pytest.fixture
def room():
    room = Room("/gpu")
    yield room
    room.close()


@pytest.fixture
def failing(monkeypatch):
    """How many of the next frames the GPU fails at."""
    left, work = [0], Segmenter.maps

    def maps(segmenter, *args, **kwargs):
        if left[0] > 0:
            left[0] -= 1
            raise GPU
        return work(segmenter, *args, **kwargs)

    monkeypatch.setattr(Segmenter, "maps", maps)
    return left


@pytest.mark.ros
def test_a_node_goes_on_after_one_error_and_is_inactive_after_the_next(room, failing, capfd):
    room.start()
    first = room.node._pipeline.segmenter
    room.until(lambda: room.masks, "a mask")
    failing[0] = 1
    room.until(lambda: room.node._pipeline.segmenter not in (first, None), "the network to be loaded anew")
    room.masks.clear()
    room.until(lambda: room.masks, "a mask of the network that was loaded anew")
    said = capfd.readouterr().err
    assert "a frame could not be processed: RuntimeError: CUDA error" in said
    assert said.count("the network is loaded anew, once") == 1

    failing[0] = 1000
    room.until(lambda: room.states and "inactive" in room.states[-1].message, "the node to be inactive")
    assert failing[0] == 999
    assert room.states[-1].level == DiagnosticStatus.ERROR
    assert "the GPU failed again after the network was loaded anew" in room.states[-1].message
    room.until(lambda: room.images.get_subscription_count() == 0, "the node to unsubscribe")
    said = capfd.readouterr().err
    assert said.count("inactive: the GPU failed again") == 1 and "Traceback" not in said

    failing[0] = 0
    assert room.node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
    room.start()
    room.masks.clear()
    room.until(lambda: room.masks, "a mask after configuring again")


@pytest.mark.ros
def test_a_node_whose_network_cannot_be_loaded_anew(room, failing, monkeypatch, capfd):
    room.start()
    monkeypatch.setattr(Segmenter, "load", lambda *args, **kwargs: (_ for _ in ()).throw(ValueError("no such weights")))
    failing[0] = 1
    room.until(lambda: room.states and "inactive" in room.states[-1].message, "the node to be inactive")
    assert "the network cannot be loaded anew: no such weights" in room.states[-1].message
    assert room.node.trigger_activate() == TransitionCallbackReturn.FAILURE
    assert "clean the node up and configure it again" in capfd.readouterr().err
    assert room.node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
