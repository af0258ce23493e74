# SPDX-License-Identifier: Apache-2.0
"""`clipseg ask`: what it prints of an answer, and a node that gives none."""

from types import SimpleNamespace as Message

import pytest

from clipseg_ros.commands import ask


def answer(*objects, remark=""):
    return Message(prompts=["mug", "chair"], scores=[0.25, 0.75], objects=list(objects), message=remark,
                   pose_frame_id="", header=Message(frame_id="camera"))


def thing(*, has_pose):
    return Message(prompt_index=1, track_id=0, score=0.75, area=9, centroid_u=3.0, centroid_v=4.0, has_pose=has_pose,
                   pose=Message(pose=Message(position=Message(x=0.5, y=0.0, z=2.0))))


def test_an_answer_is_a_table(capsys):
    ask._show(answer(thing(has_pose=True), remark="the image arrived 2.0 s ago"))
    output = capsys.readouterr()
    assert output.out.splitlines() == [
        "PROMPT  SCORE  AREA px   AT px    METRES x y z",
        "mug      0.25        -       -               -",
        "chair    0.75        9  (3, 4)  0.50 0.00 2.00",
        "metres in camera"]
    assert output.err == "clipseg ask: the image arrived 2.0 s ago\n"


def test_without_a_pose_no_frame_is_named(capsys):
    ask._show(answer(thing(has_pose=False)))
    output = capsys.readouterr()
    assert output.out.splitlines()[-1].split() == ["chair", "0.75", "9", "(3,", "4)", "-"]
    assert output.err == ""


class Client:
    """Of the service; `answers` tells which of the requests is answered, from 1, 0 for none."""

    def __init__(self, answers):
        self.requests, self._answers = [], answers

    def service_is_ready(self):
        return True

    def call_async(self, request):
        self.requests.append(request)
        number = len(self.requests)
        return Message(done=lambda: number == self._answers, result=lambda: f"answer {number}")


def ask_of(client):
    visitor = Message(node=Message(create_client=lambda kind, name: client),
                      wait=lambda condition, seconds: condition())
    return ask._ask(visitor, Message(node="/clipseg", camera="", prompts=["mug"], wait=1.0))


@pytest.mark.ros
def test_a_lost_answer_is_asked_for_again():
    client = Client(answers=2)
    assert ask_of(client) == "answer 2"
    assert [list(request.prompts) for request in client.requests] == [["mug"]] * 2


@pytest.mark.ros
def test_a_node_that_never_answers_is_given_up(monkeypatch):
    now = iter(range(0, 1000, 10))
    monkeypatch.setattr(ask.time, "monotonic", lambda: next(now))
    client = Client(answers=0)
    with pytest.raises(TimeoutError, match="the service /clipseg/segment gave no answer within 60 s"):
        ask_of(client)
    assert len(client.requests) == 5
