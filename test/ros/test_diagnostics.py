# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from pictures import noise  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402

from clipseg_ros.ros.camera import NO_RESULT, Tally  # noqa: E402
from clipseg_ros.ros.diagnostics import Diagnostics  # noqa: E402
from clipseg_ros.ros.worker import Counts  # noqa: E402

pytestmark = pytest.mark.ros


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {value.key: value.value for value in status.values}


def camera(name: str, *, silence: str = "", trouble: str = "", clock=lambda: 0.0) -> SimpleNamespace:
    return SimpleNamespace(name=name, tally=Tally(clock=clock),
                           input=SimpleNamespace(silence=silence, trouble=trouble, without_depth=3))


@pytest.fixture
def report(peer):
    """Make a status for each of some cameras."""
    sent = []
    diagnostics = Diagnostics(peer.node)
    diagnostics._publisher.publish, original = sent.append, diagnostics._publisher

    def report(*cameras, counts=None):
        diagnostics.publish("active", cameras=cameras, counts=counts, hardware="cpu")
        node, *status = sent[-1].status
        assert (node.name, node.level, node.message) == ("peer: node", DiagnosticStatus.OK, "active")
        return status
    yield report
    peer.node.destroy_publisher(original)


def test_a_status_per_camera(report):
    front, back = camera("front"), camera("back", silence="nothing publishes images there")
    for age in (0.1, 0.2, 0.6):
        front.tally.publish(age=age, network=age / 2)
    report(front, back)
    for _ in range(5):
        front.tally.publish(age=0.2, network=0.1)
    good, silent = report(front, back, counts={"front": Counts(9, 2)})
    assert (good.level, good.message, good.hardware_id, good.name) == (
        DiagnosticStatus.OK, "images arrive", "cpu", "peer: front")
    assert values(good) == {"frames taken": "9", "frames published": "8", "frames failed": "0", "frames overtaken": "2",
                            "frames without depth": "3",
                            "frames per second": "5.0", "age of results [ms]": "200.0", "network [ms]": "100.0"}
    blind, = report(camera("blind", trouble="objects have no pose"))
    assert (blind.level, blind.message) == (DiagnosticStatus.WARN, "objects have no pose")
    assert (silent.level, silent.message) == (DiagnosticStatus.WARN, "nothing publishes images there")
    assert values(silent)["network [ms]"] == "-"


def test_frames_without_a_result_are_a_warning_and_then_an_error(report):
    now = [0.0]
    broken = camera("broken", clock=lambda: now[0])
    broken.tally.took()
    broken.tally.fail("the image has the encoding 'rgb7'")
    first, = report(broken)
    now[0] = NO_RESULT + 1
    later, = report(broken)
    assert (first.level, first.message) == (DiagnosticStatus.WARN, "the image has the encoding 'rgb7'")
    assert (later.level, later.message) == (DiagnosticStatus.ERROR, "no result for 6 s: the image has the encoding 'rgb7'")
    assert values(later)["frames failed"] == "1"


def ours(found: list[DiagnosticArray]) -> list[DiagnosticStatus]:
    return [status for array in found for status in array.status if status.name == "clipseg: camera"]


def test_dropped_frames_are_counted_over_the_middleware(peer, node):
    peer.set_prompts("mug")
    with peer.listener(DiagnosticArray, "/diagnostics") as found, peer.listener(Image, "/clipseg/mask"), \
            peer.publisher(Image, "/image") as publisher:
        def counted() -> bool:
            for stamp in range(100, 120):
                publisher.publish(noise(stamp))
            return bool(ours(found)) and int(values(ours(found)[-1])["frames overtaken"]) > 0 and values(ours(found)[-1])
        last = peer.wait(counted, "a report of overtaken frames")
    assert int(last["frames published"]) > 0
    assert int(last["frames taken"]) >= int(last["frames published"])


def test_a_camera_whose_images_cannot_be_read_is_not_ok(peer, node):
    faulty = noise(1)
    faulty.encoding = "rgb7"
    with peer.listener(DiagnosticArray, "/diagnostics") as found, peer.listener(Image, "/clipseg/mask") as masks, \
            peer.publisher(Image, "/image") as publisher:
        def level(wanted: bytes):
            return lambda: ours(found)[-1:] and ours(found)[-1].level == wanted and ours(found)[-1]
        error = peer.repeat(lambda: publisher.publish(faulty), level(DiagnosticStatus.ERROR), "an error")
        assert error.message.startswith("no result for ") and "encoding 'rgb7'" in error.message
        assert int(values(error)["frames failed"]) > 0
        peer.repeat(lambda: publisher.publish(noise(2)), lambda: masks, "a mask")
        peer.repeat(lambda: publisher.publish(noise(3)), level(DiagnosticStatus.OK), "a camera that is well again")


def test_the_nodes_own_state_is_told(peer, start_node):
    name = "/state/clipseg"
    node = start_node(namespace="/state", parameters={"weights": "/nowhere/weights"})
    with peer.listener(DiagnosticArray, "/diagnostics") as found:
        def state() -> tuple[bytes, str]:
            ours = [status for array in found for status in array.status if status.name == "state/clipseg: node"]
            return (ours[-1].level, ours[-1].message) if ours else (b"", "")
        peer.wait(lambda: state()[0] == DiagnosticStatus.ERROR and state()[1].startswith("cannot be configured: "), "why")
        assert peer.set_parameter("weights", "untrained", name).successful
        assert peer.change_state("configure", name), node.log
        peer.wait(lambda: state() == (DiagnosticStatus.OK, "inactive"), "the state inactive")
        assert peer.change_state("activate", name)
        peer.wait(lambda: state() == (DiagnosticStatus.OK, "active"), "the state active")
        assert peer.call(SetBool, f"{name}/enable", data=False).success
        peer.wait(lambda: state() == (DiagnosticStatus.WARN, "paused by ~/enable"), "the state paused")
