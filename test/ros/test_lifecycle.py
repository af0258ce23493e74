# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import signal
import weakref

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
import rclpy  # noqa: E402
from pictures import noise  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import String  # noqa: E402

from clipseg_ros.msg import Prompts  # noqa: E402
from clipseg_ros.ros.node import ClipsegNode  # noqa: E402
from clipseg_ros.srv import Segment  # noqa: E402

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def refusal(peer, **fields) -> str:
    response = peer.call(Segment, "/life/clipseg/segment", **fields)
    assert not response.success
    return response.message


def test_one_life_of_a_node_step_by_step(peer, start_node):
    name = "/life/clipseg"
    node = start_node(namespace="/life", parameters={"autostart": "false", "weights": "/nowhere/weights"})
    with peer.publisher(String, f"{name}/prompt", LATCHED) as latched, \
            peer.publisher(Image, "/life/image") as image, \
            peer.listener(Prompts, f"{name}/prompts", LATCHED) as prompts, \
            peer.listener(Image, f"{name}/mask") as masks:
        latched.publish(String(data="sent before"))
        assert peer.state(name) == "unconfigured"
        assert "the node is unconfigured" in refusal(peer, prompts=["mug"])

        # weights that do not exist: a sentence, and the node is as before
        assert not peer.change_state("configure", name)
        assert peer.state(name) == "unconfigured"
        assert "cannot be configured" in node.log and "/nowhere/weights" in node.log
        assert "Traceback" not in node.log

        assert peer.set_parameter("weights", "untrained", name).successful
        assert peer.change_state("configure", name)
        assert peer.state(name) == "inactive"
        assert "the node is inactive" in refusal(peer, prompts=["mug"])
        assert not peer.set_parameter("weights", "published", name).successful
        assert image.get_subscription_count() == 0

        # active: subscribed; the latched prompt arrives, once
        assert peer.change_state("activate", name)
        peer.wait(lambda: prompts and prompts[-1].prompts == ["sent before"], "the latched prompt")
        assert "no image has arrived on /life/image yet" in refusal(peer, prompts=["mug"])
        peer.repeat(lambda: image.publish(noise(1)), lambda: masks, "a mask")

        # an ordinary prompt afterwards stays, although the latched publisher is still there
        peer.set_prompts("sent after", name)
        assert peer.change_state("deactivate", name)
        peer.wait(lambda: image.get_subscription_count() == 0, "the node to unsubscribe")
        assert "the node is inactive" in refusal(peer, prompts=["mug"])
        seen = len(prompts)
        assert peer.change_state("activate", name)
        peer.wait(lambda: len(prompts) > seen, "the prompts of the active node")
        masks.clear()
        peer.repeat(lambda: image.publish(noise(2)), lambda: masks, "a mask")
        assert prompts[-1].prompts == ["sent after"]

        # from cleanup on it is as new
        assert peer.change_state("deactivate", name)
        assert peer.change_state("cleanup", name)
        assert peer.state(name) == "unconfigured"
        assert peer.set_parameter("prompts", ["lamp"], name).successful
        assert peer.change_state("configure", name)
        assert peer.change_state("activate", name)
        peer.wait(lambda: prompts[-1].prompts == ["sent before"], "the latched prompt again")
        assert peer.change_state("shutdown", name)
        assert peer.state(name) == "finalized"
    assert node.stop(signal.SIGTERM) == 0
    assert "Traceback" not in node.log


def test_a_working_node_ends_cleanly(peer, start_node):
    node = start_node(namespace="/ending", parameters={"prompts": "[mug, chair]"})
    peer.wait_until_active(node, "/ending/clipseg")
    with peer.publisher(Image, "/ending/image") as image, peer.listener(Image, "/ending/clipseg/overlay") as overlays:
        peer.repeat(lambda: image.publish(noise(1)), lambda: overlays, "an overlay")
        image.publish(noise(2, size=(480, 640)))
    assert node.stop(signal.SIGINT) == 0
    assert "Traceback" not in node.log


@pytest.mark.parametrize(("parameter", "says"), [
    ("threshold:=1.0", "threshold cannot be set: the threshold is 1; it must be greater than 0 and less than 1"),
    ("prompts:=['mug=5']", "prompts cannot be set"),
    ("min_area:=0", "min_area"),
    ("threshold:=high", "threshold"),
])
@pytest.mark.usefixtures("no_node_left")
def test_a_bad_value_at_the_start_ends_in_a_sentence(capfd, parameter, says):
    from clipseg_ros.ros.node import main

    assert main(["--ros-args", "-p", parameter]) == 1
    said = capfd.readouterr().err
    assert says in said
    assert "Traceback" not in said


def test_what_costs_little_is_checked_before_the_weights_are_loaded(peer, start_node):
    node = start_node(namespace="/cheap", parameters={"weights": "/nowhere/weights", "target_frame": "/map"})
    says = "the target frame is '/map'; it must be the name of a frame, without a slash in front"
    peer.wait(lambda: says in node.log, "the reason")
    assert "loading the weights" not in node.log
    assert peer.state("/cheap/clipseg") == "unconfigured"


def test_what_was_subscribed_to_before_activating_failed_is_undone(peer, start_node):
    node = start_node(namespace="/half", parameters={
        "cameras": "[front, back]", "autostart": "false",
        "qos_overrides./half/back/image.subscription.reliability": "maybe"})
    assert peer.change_state("configure", "/half/clipseg")
    for attempt in (1, 2):
        assert not peer.change_state("activate", "/half/clipseg")
        assert node.log.count("cannot be activated") == attempt
        assert peer.state("/half/clipseg") == "inactive"
        for topic in ("front/image", "front/depth", "front/camera_info", "back/image", "clipseg/prompt"):
            peer.wait(lambda topic=topic: not peer.node.get_subscriptions_info_by_topic(f"/half/{topic}"),
                      f"no subscription on {topic}")
    assert node.stop() == 0


@pytest.mark.parametrize(("on_oom", "configured"), [("error", False), ("cpu", True)])
def test_short_of_the_gpus_memory(monkeypatch, capfd, on_oom, configured):
    """The parameter decides; the node's log says it in one sentence. The GPU is pretended."""
    from clipseg_ros.clipseg import Segmenter
    from clipseg_ros.clipseg.cuda import OutOfMemoryError

    warm_up, load = Segmenter.warm_up, Segmenter.load.__func__
    asked = []

    def pretend(cls, weights, *, device, **settings):
        asked.append(device)
        return load(cls, weights, device="cpu", **settings)

    def run_out(segmenter, cameras):
        if asked[-1] != "cpu":
            raise OutOfMemoryError("CUDA out of memory")
        warm_up(segmenter, cameras)

    monkeypatch.setattr(Segmenter, "load", classmethod(pretend))
    monkeypatch.setattr(Segmenter, "warm_up", run_out)
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        values = {"on_oom": on_oom, "autostart": False, "weights": "untrained"}
        node = ClipsegNode(context=context, parameter_overrides=[Parameter(name, value=value)
                                                                 for name, value in values.items()])
        assert (node.trigger_configure() == TransitionCallbackReturn.SUCCESS) == configured
        node.destroy_node()
    finally:
        rclpy.try_shutdown(context=context)
    said = capfd.readouterr().err
    assert "the GPU's memory does not suffice for the weights 'untrained' and one frame" in said
    assert ("the CPU runs the network instead" in said) == configured
    assert ("set on_oom to cpu" in said) == (not configured)
    assert "Traceback" not in said
    assert asked == (["auto", "cpu"] if configured else ["auto"])


def test_a_deactivated_node_keeps_no_images(no_node_left):
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node = ClipsegNode(context=context, namespace="/kept", parameter_overrides=[
            Parameter("autostart", value=False), Parameter("weights", value="untrained")])
        node.trigger_configure(), node.trigger_activate()
        kept = weakref.ref(node._pipeline.cameras["camera"].input)
        node.trigger_deactivate()
        assert kept() is None
        node.destroy_node()
    finally:
        rclpy.try_shutdown(context=context)
