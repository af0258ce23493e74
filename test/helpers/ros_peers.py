# SPDX-License-Identifier: Apache-2.0
"""The real node as a process, and a peer that talks to it over the real middleware."""
from __future__ import annotations

import contextlib
import gc
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from clipseg_ros.demo.process import NodeProcess

TIMEOUT = 120.0
"""Seconds until a condition counts as never met; generous, since test machines are slow and busy."""
UNANSWERED = 20.0
"""Seconds until a service request counts as lost; more than an answer takes."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Show what the nodes that still run have said, below the test that failed."""
    report = yield
    if report.failed:
        report.sections += [("Output of a node", process.log) for process in TestedNode.running]
    return report


class TestedNode(NodeProcess):
    """One `clipseg_node` with random weights; texts that are parameters are read as YAML, as on a command line."""

    running: set[TestedNode] = set()

    def __init__(self, log: Path, *, namespace: str = "/", parameters: dict | None = None,
                 remap: dict | None = None) -> None:
        values = {"weights": "untrained", "device": "cpu", **(parameters or {})}
        values = {name: yaml.safe_load(value) if isinstance(value, str) else value for name, value in values.items()}
        super().__init__(values, remappings=remap, namespace=namespace, log=log,
                         environment={"OMP_NUM_THREADS": "2", "PYTHONUNBUFFERED": "1"})

    def start(self) -> TestedNode:
        self.running.add(self)
        return super().start()

    def stop(self, request: signal.Signals = signal.SIGINT, *, patience: float = TIMEOUT) -> int:
        self.running.discard(self)
        return super().stop(request, patience=patience)


class Peer:
    """A node of the test's own: publishes, listens, calls; every wait is for a condition."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.context import Context
        from rclpy.executors import SingleThreadedExecutor

        self.context = Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("peer", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._clients: dict = {}

    def close(self) -> None:
        self.node.destroy_node()
        self._executor.shutdown()
        self.context.try_shutdown()

    def wait(self, condition: Callable[[], object], what: str, timeout: float = TIMEOUT) -> object:
        """Spin until the condition is true and return its value; fail the test if that never happens."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            self._executor.spin_once(timeout_sec=0.05)
        return pytest.fail(f"waited {timeout:.0f} s in vain for {what}")

    def spin_for(self, seconds: float) -> None:
        """Receive what arrives for a while; only to show that something does not arrive."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)

    def repeat(self, send: Callable[[], object], condition: Callable[[], object], what: str, *,
               period: float = 0.5) -> object:
        """Send again and again, `period` seconds apart, until the condition is true and return its value.

        A single message may be lost while publisher and subscription still get to know each other.
        """
        due = 0.0

        def sent() -> object:
            nonlocal due
            if time.monotonic() >= due:
                send()
                due = time.monotonic() + period
            return condition()
        return self.wait(sent, what)

    def set_prompts(self, line: str, node: str = "/clipseg"):
        """Send a line on the prompt topic and return the Prompts message that confirms it."""
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from std_msgs.msg import String

        from clipseg_ros.msg import Prompts

        expected = [part.split("=")[0].strip() for part in line.split(";") if part.strip()]
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        with self.publisher(String, f"{node}/prompt") as prompt, \
                self.listener(Prompts, f"{node}/prompts", latched) as got:
            return self.repeat(lambda: prompt.publish(String(data=line)),
                               lambda: got and got[-1].prompts == expected and got[-1], f"the prompts {line!r}")

    @contextlib.contextmanager
    def publisher(self, message_type: type, topic: str, qos=10) -> Iterator:
        """A publisher that is gone afterwards."""
        publisher = self.node.create_publisher(message_type, topic, qos)
        try:
            yield publisher
        finally:
            self.node.destroy_publisher(publisher)

    @contextlib.contextmanager
    def listener(self, message_type: type, topic: str, qos=10) -> Iterator[list]:
        """The list of the messages that arrive on a topic."""
        messages: list = []
        subscription = self.node.create_subscription(message_type, topic, messages.append, qos)
        try:
            yield messages
        finally:
            self.node.destroy_subscription(subscription)

    def call(self, service_type: type, name: str, /, **fields):
        """Call a service and return its response; ask again where a response got lost (rmw_fastrtps issue 842)."""
        client = self._client(service_type, name)
        self.wait(client.service_is_ready, f"the service {name}")
        asked: list = []
        answered = self.repeat(lambda: asked.append(client.call_async(service_type.Request(**fields))),
                               lambda: next((future for future in asked if future.done()), None),
                               f"an answer of {name}", period=UNANSWERED)
        return answered.result()

    def state(self, node: str = "/clipseg") -> str:
        """Label of the node's lifecycle state."""
        from lifecycle_msgs.srv import GetState

        return self.call(GetState, f"{node}/get_state").current_state.label

    def change_state(self, label: str, node: str = "/clipseg") -> bool:
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState

        return self.call(ChangeState, f"{node}/change_state", transition=Transition(label=label)).success

    def wait_until_active(self, process: TestedNode, node: str = "/clipseg") -> None:
        """Wait for a node that configures and activates itself; its output is shown if it ends instead."""
        def active() -> bool:
            if process.ended:
                pytest.fail(f"the node ended:\n{process.log}")
            client = self._client(GetState, f"{node}/get_state")
            return client.service_is_ready() and self.state(node) == "active"

        from lifecycle_msgs.srv import GetState

        self.wait(active, f"{node} to be active")

    def _client(self, service_type: type, name: str):
        key = (service_type, name)
        if key not in self._clients:
            self._clients[key] = self.node.create_client(service_type, name)
        return self._clients[key]

    def set_parameter(self, name: str, value, node: str = "/clipseg"):
        """Set a parameter of the node; returns the SetParametersResult."""
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        message = Parameter(name, value=value).to_parameter_msg()
        return self.call(SetParameters, f"{node}/set_parameters", parameters=[message]).results[0]


    def set_parameters_atomically(self, values: dict, node: str = "/clipseg"):
        """Set parameters of the node together; returns the SetParametersResult."""
        from rcl_interfaces.srv import SetParametersAtomically
        from rclpy.parameter import Parameter

        messages = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        return self.call(SetParametersAtomically, f"{node}/set_parameters_atomically", parameters=messages).result


@pytest.fixture
def no_node_left() -> Iterator[None]:
    """For tests that start a node in their own process: what is left of it would seem to offer services to others."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    pytest.importorskip("rclpy")
    peer = Peer()
    yield peer
    peer.close()


@contextlib.contextmanager
def starter(folder: Path) -> Iterator[Callable[..., TestedNode]]:
    """A function that starts nodes, which end with the context; their logs go to the folder."""
    with contextlib.ExitStack() as stack:
        def start(**arguments) -> TestedNode:
            node = TestedNode(folder / f"node{len(list(folder.iterdir()))}.log", **arguments).start()
            stack.callback(node.stop)
            return node
        yield start


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., TestedNode]]:
    """Start nodes that end with the test."""
    with starter(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def start_shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., TestedNode]]:
    """Start nodes that end with the module."""
    with starter(tmp_path_factory.mktemp("nodes")) as start:
        yield start


@pytest.fixture(scope="session")
def node(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestedNode]:
    """One active node with the default topics for all tests that start none of their own."""
    process = TestedNode(tmp_path_factory.mktemp("node") / "log").start()
    try:
        peer.wait_until_active(process)
        yield process
    finally:
        process.stop()
