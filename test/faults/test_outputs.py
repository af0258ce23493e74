# SPDX-License-Identifier: Apache-2.0
"""An output that cannot be made costs no other one anything, and its name is said once."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from own_node import Room  # noqa: E402

from clipseg_ros.ros.outputs.table import OUTPUTS  # noqa: E402

pytestmark = pytest.mark.ros

SILENT = {"pose", "collision_objects"}
"""They say nothing of a picture in which nothing has a place."""


@pytest.fixture(scope="module")
def room():
    room = Room("/outputs")
    heard = {name: room.listen(OUTPUTS[name].message_type, name) for name in OUTPUTS.keys() - {"mask"}}
    room.start()
    yield room, heard | {"mask": room.masks}
    room.close()


def picture(message) -> int:
    """The seconds of its stamp."""
    return (message.markers[0] if hasattr(message, "markers") else message).header.stamp.sec


def impossible(seen):
    raise MemoryError


@pytest.mark.parametrize("broken", OUTPUTS)
def test_the_others_of_that_frame_and_of_the_next_come(room, broken, monkeypatch, capfd, record_property):
    room, heard = room
    camera = room.node._pipeline.cameras["camera"]
    speaking = OUTPUTS.keys() - SILENT - {broken}

    def of(names, since):
        """The later pictures of which all of these outputs came."""
        return set.intersection(*({picture(one) for one in heard[name]} for name in names)) - set(range(since + 1))

    capfd.readouterr()
    with monkeypatch.context() as patched:
        patched.setitem(camera.outputs._makers, broken, impossible)
        since = room.sent
        room.until(lambda: len(of(speaking, since)) >= 2, "every other output of two pictures")
        state = camera.tally.trouble
    sentence = f"~/{broken} could not be published: MemoryError"
    assert state == (sentence, False)
    assert not {picture(one) for one in heard[broken]} & of(speaking, since)
    if broken not in SILENT:
        repaired = room.sent
        record_property("recovery_s", room.until(lambda: of([broken], repaired), "the output itself"))
    said = capfd.readouterr().err
    assert said.count(sentence) == 1 and "Traceback" not in said


def test_what_many_outputs_are_made_of_costs_one_sentence(room, monkeypatch, capfd):
    room, heard = room
    states = []
    room.peer.create_subscription(DiagnosticArray, "/diagnostics", lambda told: states.extend(
        one for one in told.status if one.name == "outputs/clipseg: camera"), 10)
    with monkeypatch.context() as patched:
        patched.setattr("clipseg_ros.ros.seen.to_array", impossible)
        heard["mask"].clear()
        room.until(lambda: heard["mask"] and states and states[-1].level == DiagnosticStatus.WARN, "a warning")
    said = capfd.readouterr().err
    assert said.count("could not be published: MemoryError") == 1
    assert "~/objects, ~/poses, ~/pose, ~/markers" in said
    assert "~/objects, ~/poses, ~/pose, ~/markers" in states[-1].message
