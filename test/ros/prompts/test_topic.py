# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from std_msgs.msg import String  # noqa: E402

from clipseg_ros.msg import Prompts  # noqa: E402
from clipseg_ros.ros.prompts.topic import PromptTopic  # noqa: E402

pytestmark = pytest.mark.ros

ORDINARY = QoSProfile(depth=5)
LATCHED = QoSProfile(depth=5, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


class Node:
    """Keeps the callback of each subscription by what it asks for, as long as it is there."""

    def __init__(self, *offers: QoSProfile) -> None:
        self.offers = offers
        self.heard: dict[tuple, object] = {}

    def get_publishers_info_by_topic(self, topic):
        return [SimpleNamespace(qos_profile=offer) for offer in self.offers]

    def create_subscription(self, kind, topic, callback, qos, **_):
        key = (qos.durability, qos.reliability)
        self.heard[key] = callback
        return key

    def destroy_subscription(self, key):
        del self.heard[key]


@pytest.fixture
def topic_of():
    """A started topic with publishers of some kinds: what was taken, and how to send on each subscription."""
    def make(*offers: QoSProfile):
        node, taken = Node(*offers), []
        topic = PromptTopic(node, "prompt", taken.append)
        topic.start()

        def send(qos: QoSProfile, text: str, at: int) -> None:
            node.heard[qos.durability, qos.reliability](String(data=text), {"source_timestamp": at})
        return topic, node, taken, send
    return make


def test_each_message_counts_once_whoever_delivers_it(topic_of):
    _, _, taken, send = topic_of(LATCHED)
    send(ORDINARY, "mug", 1)
    send(LATCHED, "mug", 1)
    send(LATCHED, "chair", 2)
    send(ORDINARY, "chair", 2)
    assert taken == ["mug", "chair"]


@pytest.mark.parametrize("order", ["AB", "BA", "BBA", "ABA"])
def test_of_what_was_kept_the_newest_wins_in_any_order(topic_of, order):
    _, _, taken, send = topic_of(LATCHED)
    for letter in order:
        send(LATCHED, letter, ord(letter))
    assert taken[-1] == "B"


def test_what_was_kept_does_not_win_over_a_newer_one_that_was_heard_live(topic_of):
    _, _, taken, send = topic_of(LATCHED)
    send(ORDINARY, "B", 2)
    send(LATCHED, "A", 1)
    send(LATCHED, "B", 2)
    assert taken == ["B"]


def test_a_computer_whose_clock_is_behind_is_heard_live(topic_of):
    _, _, taken, send = topic_of(ORDINARY)
    send(ORDINARY, "ahead", 1000)
    send(ORDINARY, "behind", 10)
    assert taken == ["ahead", "behind"]


def test_subscriptions_come_and_go_with_their_publishers(topic_of):
    topic, node, _, _ = topic_of(LATCHED, BEST_EFFORT)
    assert len(node.heard) == 3
    node.offers = (ORDINARY,)
    topic.check()
    assert list(node.heard) == [(ORDINARY.durability, ORDINARY.reliability)]
    topic.stop()
    assert not node.heard


@pytest.mark.parametrize("qos", [ORDINARY, LATCHED, BEST_EFFORT])
def test_every_kind_of_publisher_is_heard_by_the_node(peer, node, qos):
    peer.set_prompts("before")
    with peer.listener(Prompts, "/clipseg/prompts", LATCHED) as prompts, \
            peer.publisher(String, "/clipseg/prompt", qos) as publisher:
        peer.repeat(lambda: publisher.publish(String(data="after")),
                    lambda: prompts and prompts[-1].prompts == ["after"], "the prompt")


def test_a_latched_publisher_that_sent_two_before_is_heard_with_its_last(peer, start_node):
    with peer.publisher(String, "/late/clipseg/prompt", LATCHED) as publisher, \
            peer.listener(Prompts, "/late/clipseg/prompts", LATCHED) as prompts:
        for text in ("first", "second"):
            publisher.publish(String(data=text))
        node = start_node(namespace="/late")
        peer.wait_until_active(node, "/late/clipseg")
        peer.wait(lambda: prompts and prompts[-1].prompts == ["second"], "the last prompt")
        peer.spin_for(1.0)
        assert prompts[-1].prompts == ["second"]


@pytest.mark.parametrize("length", [8_000, 16_000, 1_000_000])
def test_an_endless_word_is_refused_and_blocks_nobody(peer, node, length):
    peer.set_prompts("good one")
    seen = node.log.count("the earlier prompts stay")
    with peer.publisher(String, "/clipseg/prompt") as publisher:
        peer.repeat(lambda: publisher.publish(String(data="x" * length + f" {length}")),
                    lambda: f"{length + len(str(length)) + 1} characters" in node.log, "a warning")
    assert node.log.count("the earlier prompts stay") >= seen
    assert peer.state() == "active"
