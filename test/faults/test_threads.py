# SPDX-License-Identifier: Apache-2.0
"""What nobody foresaw in a thread of the node's: it goes on, or says that it does not; it is never silently alive."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from own_node import Room  # noqa: E402

from clipseg_ros.srv import Segment  # noqa: E402

pytestmark = pytest.mark.ros


class PanicException(BaseException):
    """As Rust's, which is no Exception either."""


UNFORESEEN = [SystemExit(3), MemoryError(), RecursionError("too deep"), PanicException("index out of bounds")]


def named(error) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


@pytest.fixture(scope="module")
def room():
    room = Room("/threads")
    room.start()
    room.again("a mask")
    yield room
    room.close()


def once(error, work):
    """Raises the error the first time, and does the work from then on."""
    left = [error]

    def broken(*args, **kwargs):
        if left:
            raise left.pop()
        return work(*args, **kwargs)
    return broken


def ask(room):
    """The answer of ~/segment about a picture of its own."""
    client = room.peer.create_client(Segment, "/threads/clipseg/segment")
    room.until(client.service_is_ready, "the service")
    answer = client.call_async(Segment.Request(prompts=["mug"]))
    room.until(answer.done, "an answer")
    return answer.result()


@pytest.mark.parametrize("error", UNFORESEEN, ids=named)
def test_the_worker_goes_on(room, error, monkeypatch, capfd, record_property):
    capfd.readouterr()
    monkeypatch.setattr(room.node._worker, "_process", once(error, room.node._pipeline.process))
    sentence = f"the network's thread goes on after an error: {named(error)}"
    room.until(lambda: sentence in capfd.readouterr().err, "a sentence")
    record_property("recovery_s", room.again("a mask"))
    monkeypatch.setattr(room.node._pipeline, "look", once(error, room.node._pipeline.look))
    room.node._worker.paused = True  # the request meets it, and no frame
    answer = ask(room)
    room.node._worker.paused = False
    assert not answer.success and named(error) in answer.message
    assert ask(room).success


@pytest.mark.parametrize("error", UNFORESEEN, ids=named)
def test_a_worker_that_ends_makes_the_node_inactive(room, error, monkeypatch, capfd, record_property):
    capfd.readouterr()
    monkeypatch.setattr(room.node._worker, "_next_frames", once(error, None))
    room.states.clear()
    noticed = room.until(lambda: room.states and room.states[-1].level == DiagnosticStatus.ERROR, "the node to notice")
    sentence = f"inactive: the network's thread has ended: {named(error)}"
    assert sentence in room.states[-1].message
    said = capfd.readouterr().err
    assert said.count(sentence) == 1 and "Traceback" not in said
    assert "inactive" in ask(room).message
    room.node.trigger_activate()
    record_property("noticed_s", noticed)
    record_property("recovery_s", room.again("a mask"))
