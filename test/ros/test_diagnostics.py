# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from clipseg_ros.ros.diagnostics import Diagnostics, FrameTimes  # noqa: E402
from clipseg_ros.ros.worker import Counts  # noqa: E402
from pictures import noise  # noqa: E402

pytestmark = pytest.mark.ros


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {value.key: value.value for value in status.values}


def test_a_status_per_camera(peer):
    front, back = FrameTimes(), FrameTimes()
    for age in (0.1, 0.2, 0.6):
        front.record(age=age, network=age / 2)
    sent = []
    diagnostics = Diagnostics(peer.node, hardware="cpu")
    diagnostics._publisher.publish, original = sent.append, diagnostics._publisher
    try:
        for processed in (3, 8):
            diagnostics.publish({"front": Counts(processed, 2)}, {"front": front, "back": back},
                                lambda camera: "" if camera == "front" else "nothing publishes images there")
    finally:
        peer.node.destroy_publisher(original)
    good, silent = sent[-1].status
    assert (good.level, good.message, good.hardware_id, good.name) == (
        DiagnosticStatus.OK, "images arrive", "cpu", "peer: front")
    assert values(good) == {"frames processed": "8", "frames overtaken": "2", "frames per second": "5.0",
                            "age of results [ms]": "200.0", "network [ms]": "100.0"}
    assert (silent.level, silent.message) == (DiagnosticStatus.WARN, "nothing publishes images there")
    assert values(silent)["network [ms]"] == "-"


def test_dropped_frames_are_counted_over_the_middleware(peer, node):
    peer.set_prompts("mug")
    with peer.listener(DiagnosticArray, "/diagnostics") as found, peer.listener(Image, "/clipseg/mask"), \
            peer.publisher(Image, "/image") as publisher:
        def counted() -> bool:
            for stamp in range(100, 120):
                publisher.publish(noise(stamp))
            ours = [status for array in found for status in array.status if status.name == "clipseg: camera"]
            return bool(ours) and int(values(ours[-1])["frames overtaken"]) > 0 and values(ours[-1])
        last = peer.wait(counted, "a report of overtaken frames")
    assert int(last["frames processed"]) > 0
