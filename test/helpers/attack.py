# SPDX-License-Identifier: Apache-2.0
"""Sends a running node hostile things and good ones in turns, and counts what becomes of them."""
from __future__ import annotations

import re
import time
from array import array
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import hostile_messages as hostile
import numpy as np
import pytest
from geometry_msgs.msg import Point, Pose, PoseStamped
from lifecycle_msgs.srv import ChangeState
from pictures import PICTURE, file_of, message
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.action import ActionClient
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from ros_peers import Peer, TestedNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from clipseg_ros.action import Find
from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.ros.settings import SPECS
from clipseg_ros.srv import Segment

PATIENCE = 20.0
"""Seconds after which a result or an answer counts as lost."""
MEMORY = {"memory_size": 2.0, "memory_frame": "map", "tf_timeout": 0.02}
"""Parameters of a node that remembers."""
EVERYTHING = "everything=0.001"
DOWN, UP = ("deactivate", "cleanup"), ("configure", "activate")
_UNFORESEEN = re.compile(r"Traceback|\b(?!RCLError)[a-z_.0-9]*[A-Za-z]*(?:Error|Exception)\b: |Fatal Python error")
_LONGEST = 10_000
"""Characters beyond which an answer or a line of the log is none for people."""
_SHOWN = 20


class Attack:
    """A hostile peer, whose every step follows from its seed.

    Parameters
    ----------
    name : of the node, with its namespace
    compressed : whether it takes compressed images and depth

    Attributes
    ----------
    sent : hostile messages and requests, by kind
    wordless : requests that were refused without a sentence, or not answered
    lost : good pictures without a result, and good requests whose answer was no longer that of the beginning
    doing : the step or the cycle that is being done
    busy : called with True before a transition of the lifecycle, and with False after it
    """

    def __init__(self, peer: Peer, process: TestedNode, *, name: str, seed: int, compressed: bool) -> None:
        self._peer, self._process, self._name, self._seed = peer, process, name, seed
        self._compressed = compressed
        self.sent: Counter[str] = Counter()
        self.wordless: list[str] = []
        self.lost: list[str] = []
        self.good = 0
        self.doing = "begin"
        self.busy: Callable[[bool], None] = lambda on: None
        self._made = ExitStack()
        root = name.rpartition("/")[0]
        kinds = {key: one for key, one in hostile.TOPICS.items() if not compressed or key not in ("image", "depth")}
        self._kinds = kinds | hostile.COMPRESSED if compressed else kinds
        self._publishers = {key: self._made.enter_context(peer.publisher(kind, f"{root}/{key}"))
                            for key, (kind, _) in self._kinds.items()}
        self._images = self._publishers["image/compressed" if compressed else "image"]
        self._masks = self._made.enter_context(peer.listener(Image, f"{name}/mask"))
        self._objects = self._made.enter_context(peer.listener(SegmentedObjectArray, f"{name}/objects"))
        self._find = ActionClient(peer.node, Find, f"{name}/find")
        self._made.callback(self._find.destroy)
        self._first: tuple | None = None

    def begin(self) -> None:
        """Wait until node and peer know each other, and remember a good answer."""
        self._peer.wait_until_active(self._process, self._name)
        self._know_each_other()
        self._first = self._good_answer()
        assert self._first and self._first[0], "the good request must be answered with an object"

    def close(self) -> None:
        """Stop listening."""
        self._made.close()

    def step(self, number: int) -> None:
        """The hostile things of this number, then a good picture and now and then a good request."""
        rng = np.random.default_rng([self._seed, number])
        kind = rng.choice(["messages", "request", "burst", "parameters", "find", "damaged"],
                          p=[0.4, 0.25, 0.1, 0.1, 0.05, 0.1])
        self.doing = f"{kind} {number}"
        {"messages": self._messages, "request": self._request, "burst": self._burst, "parameters": self._parameters,
         "find": self._goal, "damaged": self._damaged}[kind](rng, number)
        self._good_picture(self.doing)
        if number % 20 == 0:
            self._good_objects(str(number))
            if (answer := self._good_answer()) != self._first:
                self.lost.append(f"the good request after {number}: {answer} instead of {self._first}")

    def cycle(self, number: int) -> None:
        """Once through the lifecycle, with hostile requests and pictures in every state."""
        rng = np.random.default_rng([self._seed, 1, number])
        for label in DOWN + UP:
            self.doing = f"cycle {number} {label}"
            asked = [self._ask(name, rng) for name in rng.choice(list(hostile.SERVICES), 2)]
            self._send(rng, "image/compressed" if self._compressed else "image")
            self.busy(True)
            request = ChangeState.Request()
            request.transition.label = label
            done = self._call(ChangeState, "change_state", request)
            asked += [self._ask(name, rng) for name in rng.choice(list(hostile.SERVICES), 2)]
            self._collect(asked, f"cycle {number} {label}")
            if not self._until(done.done) or not done.result().success:
                self.wordless.append(f"the transition {label} of cycle {number} did not succeed")
            self.busy(False)
            self.sent["transitions"] += 1
        self._know_each_other()
        self._good_picture(f"cycle {number}")

    @property
    def unforeseen(self) -> list[str]:
        """Lines of the node's log that no sentence of its own explains, or that nobody reads to their end."""
        return [line[:200] for line in self._process.log.splitlines()
                if _UNFORESEEN.search(line) or len(line) > _LONGEST and "looking for" not in line]

    def faults(self) -> dict[str, list[str]]:
        """What must not be, by kind; all empty where the node is sound."""
        return {"crashes": [self._process.last_words] if self._process.ended else [],
                "answers without a sentence": self.wordless, "good results lost": self.lost,
                "errors that nobody foresaw": self.unforeseen[:_SHOWN]}

    def _know_each_other(self) -> None:
        """Until then the middleware may lose what is sent."""
        self._peer.wait(lambda: all(one.get_subscription_count() for one in self._publishers.values()), "subscriptions")
        self._peer.repeat(lambda: self._publish(self._picture()), lambda: self._masks and self._objects, "a mask")

    def _send(self, rng: np.random.Generator, key: str) -> None:
        self._publishers[key].publish(self._kinds[key][1](rng))
        self.sent[str(key)] += 1

    def _messages(self, rng: np.random.Generator, number: int) -> None:
        for key in rng.choice(list(self._kinds), int(rng.integers(1, 4)), replace=False):
            self._send(rng, key)

    def _damaged(self, rng: np.random.Generator, number: int) -> None:
        key = rng.choice(list(self._kinds))
        data = hostile.surrogates() if key.endswith("prompt") and rng.random() < 0.5 else hostile.damaged(
            rng, bytes(serialize_message(self._kinds[key][1](rng))))
        self._publishers[key].publish(data)
        self.sent[f"{key}, damaged"] += 1

    def _request(self, rng: np.random.Generator, number: int) -> None:
        self._collect([self._ask(rng.choice(list(hostile.SERVICES)), rng)], str(number))

    def _burst(self, rng: np.random.Generator, number: int) -> None:
        asked = [self._ask(name, rng) for name in rng.choice(list(hostile.SERVICES), 8)]
        self._messages(rng, number)
        self._collect(asked, str(number))

    def _parameters(self, rng: np.random.Generator, number: int) -> None:
        """A storm, and then what was before."""
        asked = []
        for _ in range(int(rng.integers(1, 6))):
            values = [_parameter(name, value) for name, value in hostile.parameters(rng).items()]
            together = bool(rng.integers(2))
            kind, name = ((SetParametersAtomically, "set_parameters_atomically") if together
                          else (SetParameters, "set_parameters"))
            asked.append((name, self._call(kind, name, kind.Request(parameters=values))))
            self.sent[name] += 1
        self._collect(asked, str(number))
        live = [_parameter(name, spec.default) for name, spec in SPECS.items() if spec.live]
        self._until(self._call(SetParameters, "set_parameters", SetParameters.Request(parameters=live)).done)

    def _goal(self, rng: np.random.Generator, number: int) -> None:
        self._peer.wait(self._find.server_is_ready, "the action")
        self.sent["find"] += 1
        accepted = self._find.send_goal_async(hostile.find(rng))
        result = None
        if self._until(accepted.done) and accepted.result().accepted:
            result = accepted.result().get_result_async()
        if result is None or not self._until(result.done):
            self.wordless.append(f"find {number} was not answered")
        elif fault := _wordless(result.result().result.message):
            self.wordless.append(f"find {number}: {fault}")

    def _ask(self, name: str, rng: np.random.Generator) -> tuple[str, Any]:
        kind, make = hostile.SERVICES[name]
        self.sent[str(name)] += 1
        return name, self._call(kind, name, make(rng))

    def _call(self, kind: type, name: str, request: Any) -> Any:
        client = self._peer._client(kind, f"{self._name}/{name}")
        self._peer.wait(client.service_is_ready, f"the service {name}")
        return client.call_async(request)

    def _collect(self, asked: list[tuple[str, Any]], when: str) -> None:
        self._until(lambda: all(future.done() for _, future in asked))
        for name, future in asked:
            if not future.done():
                self.wordless.append(f"{name} of {when} was not answered")
                continue
            answer = future.result()
            results = getattr(answer, "results", [getattr(answer, "result", answer)])
            for one in results:
                sentence = one.message if hasattr(one, "message") else one.reason
                fault = _wordless(sentence, needed=not getattr(one, "success", getattr(one, "successful", True)))
                if fault:
                    self.wordless.append(f"{name} of {when}: {fault}")

    def _until(self, condition: Callable[[], Any]) -> bool:
        """Receive until the condition holds; False where that is never."""
        try:
            self._peer.wait(lambda: self._process.ended or condition(), "an answer", PATIENCE)
        except pytest.fail.Exception:
            return False
        return not self._process.ended

    def _picture(self) -> Image | CompressedImage:
        """A good one, never the same twice; its stamp and frame are those of its depth, calibration and place."""
        self.good += 1
        pixels = np.roll(PICTURE, self.good, axis=1)
        made = (CompressedImage(format="jpeg", data=array("B", file_of(pixels))) if self._compressed
                else message(pixels, "rgb8"))
        made.header.stamp.sec, made.header.frame_id = 1_000_000 + self.good, "camera_optical"
        return made

    def _good_picture(self, after: str) -> None:
        picture = self._picture()
        self._publish(picture)

        def seen() -> bool:
            return all(any(one.header == picture.header for one in results) for results in (self._masks, self._objects))
        if not self._until(seen):
            self.lost.append(f"the picture after {after}")
        self._masks.clear()
        self._objects.clear()

    def _good_objects(self, after: str) -> None:
        """After anything, good prompts, depth and calibration soon give objects with places again."""
        self._publishers["clipseg/prompt"].publish(String(data=EVERYTHING))
        due = [0.0]

        def located() -> bool:
            if time.monotonic() >= due[0]:
                due[0] = time.monotonic() + 0.2
                self._publish(self._picture())
            return any(one.has_pose for array_ in self._objects for one in array_.objects)
        if not self._until(located):
            self.lost.append(f"the places of the objects after {after}")

    def _publish(self, picture: Image | CompressedImage) -> None:
        """A picture and all that belongs to it."""
        self._publishers["camera_info"].publish(_info(picture.header))
        self._publishers["camera_pose"].publish(_place(picture.header))
        depth = _depth(picture.header)
        self._publishers["depth/compressedDepth" if self._compressed else "depth"].publish(
            _compressed(depth) if self._compressed else depth)
        self._images.publish(picture)

    def _good_answer(self) -> tuple | None:
        """What a good request of its own is answered: prompts, scores and the objects' places, alike each time."""
        image = message(PICTURE, "rgb8")
        image.header.frame_id = "camera_optical"
        request = Segment.Request(prompts=[EVERYTHING], image=image, depth=_depth(image.header),
                                  camera_info=_info(image.header))
        future = self._call(Segment, "segment", request)
        if not self._until(future.done) or not future.result().success:
            return None
        answer = future.result()
        places = tuple((one.area, *(round(getattr(one.pose.pose.position, axis), 5) for axis in "xyz"))
                       for one in answer.objects)
        return places, tuple(answer.prompts), tuple(round(score, 5) for score in answer.scores)


def _wordless(sentence: str, *, needed: bool = True) -> str:
    """Why a refusal does not say in a sentence what is wrong; empty where it does."""
    if needed and not sentence.strip():
        return "refused without a word"
    if len(sentence) > _LONGEST:
        return f"answered with {len(sentence)} characters"
    return sentence[:200] if _UNFORESEEN.search(sentence) else ""


def _parameter(name: str, value: Any) -> Any:
    """The message; an empty list is one of texts, since it must be one of something."""
    kind = Parameter.Type.STRING_ARRAY if value == [] else None
    if isinstance(value, bytes):
        value, kind = [value[:1], value[1:]], Parameter.Type.BYTE_ARRAY
    return Parameter(name, kind, value).to_parameter_msg()


def _info(header: Any) -> CameraInfo:
    height, width = PICTURE.shape[:2]
    return CameraInfo(header=header, width=width, height=height, distortion_model="plumb_bob",
                      k=[60.0, 0.0, width / 2, 0.0, 60.0, height / 2, 0.0, 0.0, 1.0])


def _depth(header: Any) -> Image:
    made = message(np.full(PICTURE.shape[:2], 1.5, np.float32), "32FC1")
    made.header = header
    return made


def _compressed(depth: Image) -> CompressedImage:
    metres = np.frombuffer(depth.data, np.float32).reshape(depth.height, depth.width)
    millimetres = file_of((1000 * metres).astype(np.uint16), ".png")
    return CompressedImage(header=depth.header, format="16UC1; compressedDepth png",
                           data=array("B", bytes(12) + millimetres))


def _place(header: Any) -> PoseStamped:
    made = PoseStamped(pose=Pose(position=Point(x=float(header.stamp.sec % 50))))
    made.header.stamp, made.header.frame_id = header.stamp, "map"
    return made
