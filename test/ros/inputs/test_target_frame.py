# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import math
import sys
import threading
import time
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
from geometry_msgs.msg import TransformStamped  # noqa: E402
from rclpy.clock import ROSClock  # noqa: E402
from rclpy.duration import Duration  # noqa: E402
from rclpy.time import Time  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.ros.inputs.target_frame import TargetFrame  # noqa: E402

pytestmark = pytest.mark.ros

WAIT = 60.0
"""Seconds after which a wait that should have ended counts as endless."""


def stand_in() -> ModuleType:
    """Stands for the module tf2_ros of geometry2, which no package index offers: the same calls, and the behaviour that
    is needed here, for one frame with one parent. Where the real one is installed, the same tests run on that one too.
    """
    module = ModuleType("tf2_ros")
    module.TransformException = type("TransformException", (Exception,), {})
    for name in ("LookupException", "ExtrapolationException", "InvalidArgumentException"):
        setattr(module, name, type(name, (module.TransformException,), {}))

    class Buffer:
        def __init__(self, cache_time=None, node=None):
            self._moving: dict[int, TransformStamped] = {}

        def set_transform(self, transform, authority):
            self._moving[Time.from_msg(transform.header.stamp).nanoseconds] = transform

        def clear(self):
            self._moving.clear()

        def lookup_transform(self, target_frame, source_frame, time, timeout=Duration()):
            if source_frame.startswith("/"):
                raise module.InvalidArgumentException("frame_ids cannot start with a '/'")
            known = [(stamp, transform) for stamp, transform in sorted(self._moving.items())
                     if (transform.header.frame_id, transform.child_frame_id) == (target_frame, source_frame)]
            if not known:
                raise module.LookupException(f'"{target_frame}" does not exist. ')
            if time.nanoseconds > known[-1][0]:
                raise module.ExtrapolationException("Lookup would require extrapolation into the future.  Sorry")
            if time.nanoseconds < known[0][0]:
                raise module.ExtrapolationException("Lookup would require extrapolation into the past.  Sorry")
            return [transform for stamp, transform in known if stamp <= time.nanoseconds][-1]

    class TransformListener:
        def __init__(self, buffer, node, *, spin_thread=False, qos=None, static_qos=None):
            assert not spin_thread, "the node's executor receives the transforms"
            self._buffer, self._node = buffer, node
            self._subscriptions = [node.create_subscription(object, topic, self._receive, 100)
                                   for topic in ("/tf", "/tf_static")]

        def unregister(self):
            for subscription in self._subscriptions:
                self._node.destroy_subscription(subscription)

        def _receive(self, message):
            for transform in message.transforms:
                self._buffer.set_transform(transform, "somebody")

    module.Buffer, module.TransformListener = Buffer, TransformListener
    return module


class Robot:
    """What `TargetFrame` needs of a node, with a clock that the test sets; sends transforms without a middleware."""

    def __init__(self) -> None:
        self.clock = ROSClock()
        self.clock._set_ros_time_is_active(True)
        self.subscriptions: dict[str, object] = {}

    def get_clock(self):
        return self.clock

    def create_subscription(self, message_type, topic, callback, qos, **options):
        self.subscriptions[topic] = callback
        return topic

    def destroy_subscription(self, topic):
        return self.subscriptions.pop(topic, None) is not None

    def set_clock(self, seconds: float) -> None:
        self.clock.set_ros_time_override(Time(seconds=seconds))

    def send(self, seconds: float, x: float) -> None:
        """The camera is at `x` metres in the base's frame at this time, turned by 90 degrees about z."""
        transform = TransformStamped(header=header("base", seconds), child_frame_id="camera")
        transform.transform.translation.x = x
        transform.transform.rotation.z = transform.transform.rotation.w = math.sqrt(0.5)
        self.subscriptions["/tf"](SimpleNamespace(transforms=[transform]))


def header(frame: str, seconds: float) -> Header:
    return Header(frame_id=frame, stamp=Time(seconds=seconds).to_msg())


@pytest.fixture(params=["stand-in", "real"])
def tf2(request, monkeypatch) -> ModuleType:
    module = pytest.importorskip("tf2_ros") if request.param == "real" else stand_in()
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    return module


@pytest.fixture
def robot() -> Robot:
    return Robot()


@pytest.fixture
def asked(tf2, monkeypatch) -> threading.Event:
    """Set once a lookup has been refused."""
    event = threading.Event()

    class Watched(tf2.Buffer):
        def lookup_transform(self, *arguments, **options):
            try:
                return super().lookup_transform(*arguments, **options)
            except tf2.TransformException:
                event.set()
                raise

    monkeypatch.setattr(tf2, "Buffer", Watched)
    return event


def test_the_transform_is_that_of_the_images_stamp_not_the_latest(tf2, robot):
    target = TargetFrame(robot, "base", timeout=0.0)
    for seconds, x in ((10.0, 1.0), (11.0, 2.0), (12.0, 5.0)):
        robot.send(seconds, x)
    found = target.lookup(header("camera", 11.0))
    assert found.translation == pytest.approx((2, 0, 0))
    assert found.apply(np.array([[1.0, 0.0, 0.0]]))[0] == pytest.approx((2, 1, 0))
    target.destroy()


@pytest.mark.parametrize(("frame", "seconds", "says"), [
    ("camera", 20.0, "camera cannot be transformed to base: .*extrapolation into the future"),
    ("camera", 9.0, "camera cannot be transformed to base: .*extrapolation into the past"),
    ("hand", 11.0, "hand cannot be transformed to base: .*does not exist"),
])
def test_a_lookup_that_fails_gives_the_reason_of_tf2(tf2, robot, frame, seconds, says):
    target = TargetFrame(robot, "base", timeout=0.01)
    robot.send(10.0, 1.0)
    robot.send(12.0, 1.0)
    with pytest.raises(ValueError, match=says) as caught:
        target.lookup(header(frame, seconds))
    assert str(caught.value) == str(caught.value).strip() and "  " not in str(caught.value)
    target.destroy()


def test_a_transform_that_arrives_in_time_is_waited_for(tf2, robot, asked):
    target = TargetFrame(robot, "base", timeout=WAIT)

    def send_late():
        asked.wait(WAIT)
        robot.send(11.0, 3.0)

    sender = threading.Thread(target=send_late)
    sender.start()
    found = target.lookup(header("camera", 11.0))
    sender.join()
    assert found.translation == pytest.approx((3, 0, 0))
    target.destroy()


def test_the_wait_ends_while_a_simulated_clock_stands_still(tf2, robot):
    robot.set_clock(11.0)
    target = TargetFrame(robot, "base", timeout=0.05)
    began = time.monotonic()
    with pytest.raises(ValueError, match="camera cannot be transformed to base"):
        target.lookup(header("camera", 11.0))
    assert time.monotonic() - began >= 0.05
    target.destroy()


def test_a_slash_in_front_of_a_frame_is_no_part_of_its_name(tf2, robot):
    target = TargetFrame(robot, "base", timeout=10 * WAIT)
    robot.send(11.0, 1.0)
    assert target.lookup(header("/camera", 11.0)).translation == pytest.approx((1, 0, 0))
    assert target.lookup(header("/base", 11.0)).translation == pytest.approx((0, 0, 0))
    target.destroy()


def test_destroying_ends_the_wait_and_the_subscriptions(tf2, robot, asked):
    target = TargetFrame(robot, "base", timeout=10 * WAIT)
    assert sorted(robot.subscriptions) == ["/tf", "/tf_static"]
    refused = []

    def look():
        with pytest.raises(ValueError, match="camera cannot be transformed to base"):
            target.lookup(header("camera", 11.0))
        refused.append(True)

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    assert asked.wait(WAIT)
    target.destroy()
    looker.join(WAIT)
    assert refused and not robot.subscriptions
    target.destroy()


def test_a_clock_that_starts_anew_starts_the_transforms_anew(tf2, robot):
    robot.set_clock(100.0)
    target = TargetFrame(robot, "base", timeout=0.0)
    robot.send(100.0, 1.0)
    robot.set_clock(99.5)
    assert target.lookup(header("camera", 100.0)).translation == pytest.approx((1, 0, 0))
    robot.set_clock(5.0)
    robot.send(5.0, 2.0)
    assert target.lookup(header("camera", 5.0)).translation == pytest.approx((2, 0, 0))
    with pytest.raises(ValueError, match="would require extrapolation"):
        target.lookup(header("camera", 100.0))
    target.destroy()


@pytest.mark.parametrize("forget", [True, False])
def test_the_clock_calls_nothing_that_is_gone(tf2, robot, forget):
    robot.set_clock(100.0)
    target = TargetFrame(robot, "base", timeout=0.0)
    robot.send(100.0, 1.0)
    if forget:
        del target
        gc.collect()
        robot.set_clock(5.0)
    else:
        target.destroy()
        robot.set_clock(5.0)
        assert target.lookup(header("camera", 100.0)).translation == pytest.approx((1, 0, 0))


def test_the_target_frame_itself_needs_no_lookup(tf2, robot, asked):
    target = TargetFrame(robot, "base", timeout=10 * WAIT)
    found = target.lookup(header("base", 0.0))
    assert (found.translation.tolist(), found.rotation.tolist()) == ([0, 0, 0], [0, 0, 0, 1])
    assert not asked.is_set()
    target.destroy()


@pytest.mark.parametrize(("frame", "seconds", "says"), [
    ("", 11.0, "the image has no frame_id.*its camera must name its optical frame"),
    ("camera", 0.0, r"the stamp 0\.000000000, .*its camera must stamp it"),
])
def test_a_header_without_a_frame_or_a_stamp_is_refused(tf2, robot, frame, seconds, says):
    target = TargetFrame(robot, "base", timeout=0.0)
    robot.send(10.0, 1.0)
    with pytest.raises(ValueError, match=says):
        target.lookup(header(frame, seconds))
    target.destroy()


def test_a_missing_tf2_is_named_with_its_package(robot, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(ValueError, match=r"tf2_ros cannot be imported .*apt install ros-\$ROS_DISTRO-tf2-ros-py`"):
        TargetFrame(robot, "base", timeout=0.1)
    assert not robot.subscriptions


@pytest.mark.parametrize(("frame", "timeout", "says"), [
    ("", 0.1, "the target frame is ''; it must be the name of a frame"),
    ("/base", 0.1, "the target frame is '/base'; .*without a slash"),
    ("base", -0.1, "the timeout .* is -0.1 s; it must be 0 or more"),
    ("base", math.inf, "is inf s; it must be 0 or more, and finite"),
    ("base", math.nan, "is nan s"),
])
def test_wrong_settings_are_refused(tf2, robot, frame, timeout, says):
    with pytest.raises(ValueError, match=says):
        TargetFrame(robot, frame, timeout=timeout)


def test_a_worker_finds_what_arrives_while_the_node_spins(peer):
    """With the real tf2 over the real middleware."""
    pytest.importorskip("tf2_ros")
    from tf2_msgs.msg import TFMessage

    target = TargetFrame(peer.node, "base", timeout=2 * WAIT)
    found = []
    worker = threading.Thread(target=lambda: found.append(target.lookup(header("camera", 11.0))), daemon=True)
    worker.start()
    transforms = [TransformStamped(header=header("base", seconds), child_frame_id="camera") for seconds in (10.0, 12.0)]
    transforms[1].transform.translation.x = 4.0
    with peer.publisher(TFMessage, "/tf") as publisher:
        peer.repeat(lambda: publisher.publish(TFMessage(transforms=transforms)), lambda: found, "the transform")
    worker.join(WAIT)
    assert found[0].translation == pytest.approx((2, 0, 0))
    target.destroy()
