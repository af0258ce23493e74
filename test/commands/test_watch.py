# SPDX-License-Identifier: Apache-2.0
"""`clipseg watch` without ROS: the table, the two ways to show it, its arguments, and what is missing."""

import io
import math
import sys
from types import SimpleNamespace as Message

import pytest

from clipseg_ros.cli import main
from clipseg_ros.commands import watch
from clipseg_ros.commands.watch import HEADINGS, Lines, Result, Screen, object_rows, table


def thing(prompt_index=0, *, track_id=0, score=0.5, position=None):
    x, y, z = position or (math.nan,) * 3
    return Message(prompt_index=prompt_index, track_id=track_id, score=score, area=120, centroid_u=10.4,
                   centroid_v=20.6, has_pose=position is not None,
                   pose=Message(pose=Message(position=Message(x=x, y=y, z=z))))


def message(*objects, prompts=("mug", "chair"), stamp=100.0):
    return Message(prompts=list(prompts), scores=[0.25] * len(prompts), objects=list(objects), pose_frame_id="base",
                   header=Message(frame_id="camera", stamp=Message(sec=int(stamp), nanosec=0)))


def test_a_row_for_each_object_and_for_each_prompt_without_one():
    found = message(thing(1, track_id=7, score=0.875, position=(0.1, -0.25, 1.5)), thing(1))
    assert object_rows(found) == [
        ("mug", "-", "0.25", "-", "-", "-"),
        ("chair", "7", "0.88", "120", "(10, 21)", "0.10 -0.25 1.50"),
        ("chair", "-", "0.50", "120", "(10, 21)", "-"),
    ]


def test_the_columns_of_a_table_stand_below_each_other():
    assert table(("A", "NUMBER"), [("long name", "1"), ("b", "22")]) == [
        "A          NUMBER", "long name       1", "b              22"]


@pytest.mark.parametrize(("stamp", "now", "at_first", "later"), [
    (100.0, 100.5, 0.5, 2.5), (100.0, 99.0, 0.0, 1.0), (100.0, 1e9, 0.0, 2.0), (1e9, 5.0, 0.0, 2.0)])
def test_the_age_is_that_of_the_stamp_where_that_is_of_this_clock(monkeypatch, stamp, now, at_first, later):
    monkeypatch.setattr(watch.time, "monotonic", lambda: 30.0)
    result = Result(message(stamp=stamp), now=now)
    assert result.age == pytest.approx(at_first)
    monkeypatch.setattr(watch.time, "monotonic", lambda: 32.0)
    assert result.age == pytest.approx(later)


def test_a_prompt_cannot_move_the_cursor():
    assert object_rows(message(prompts=["\x1b[2Jm\nug"]))[0][0] == "?[2Jm?ug"


def test_every_result_is_a_line_for_a_program():
    stream = io.StringIO()
    lines = Lines(stream)
    result = Result(message(thing(0, track_id=3)), now=100.0)
    lines.take(result)
    lines.refresh("title", result)
    header, *rows = [line.split("\t") for line in stream.getvalue().splitlines()]
    assert header == ["STAMP s", *HEADINGS]
    assert [row[:3] for row in rows] == [["100.000", "mug", "3"], ["100.000", "chair", "-"]]
    assert "\x1b" not in stream.getvalue()


@pytest.fixture
def screen(monkeypatch):
    """A terminal of 6 lines, and what was written to it since it was last asked for; time stands still between."""
    stream = io.StringIO()
    display = Screen(stream)
    now = [0.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(watch.shutil, "get_terminal_size", lambda: Message(lines=6))

    def drawn(title, result, *, seconds=1.0):
        now[0] += seconds
        stream.seek(0)
        stream.truncate()
        display.refresh(title, result)
        return stream.getvalue()
    return drawn


def test_a_terminal_is_drawn_over(screen):
    result = Result(message(), now=100.0)
    first = screen("title", result)
    assert first.startswith("\x1b[?7l\rtitle\x1b[K\nPROMPT") and first.endswith("\x1b[J\x1b[?7h")
    assert first.count("\n") == 4
    assert screen("title", result).startswith("\x1b[?7l\x1b[4A\rtitle")
    assert screen("none", None) == "\x1b[?7l\x1b[4A\rnone\x1b[K\n\x1b[J\x1b[?7h"
    assert screen("none", None).startswith("\x1b[?7l\x1b[1A")


def test_a_terminal_is_not_drawn_more_often_than_eyes_can_follow(screen):
    assert screen("title", None)
    assert screen("title", None, seconds=0.01) == ""
    assert screen("title", None, seconds=0.2)


def test_a_small_terminal_shows_what_it_can(screen):
    lines = screen("title", Result(message(*[thing(0)] * 9), now=100.0)).split("\n")
    assert len(lines) == 6 and lines[4].startswith("... and 8 more")


@pytest.mark.parametrize(("result", "present", "words"), [
    (None, True, "no image has been processed yet"),
    (None, False, "the node has gone"),
    (message(prompts=()), True, "there is no prompt"),
    (message(thing()), True, "1 found, metres in base"),
])
def test_the_line_above_says_how_it_stands(result, present, words):
    result = result and Result(result, now=100.0)
    assert words in watch._state(result, present=present)


@pytest.mark.parametrize("arguments", [["--node", "a b"], ["--node", "/"], ["--camera", "front/left"], ["--wait", "-1"],
                                       ["--wait", "soon"], ["--wait", "nan"]])
@pytest.mark.parametrize("command", ["watch", "ask"])
def test_wrong_usage_exits_with_2(capsys, command, arguments):
    with pytest.raises(SystemExit) as exit_:
        main([command, *arguments])
    assert exit_.value.code == 2
    assert arguments[1] in capsys.readouterr().err


@pytest.mark.parametrize("command", ["watch", "ask"])
@pytest.mark.parametrize(("module", "words"), [
    ("rclpy", "needs ROS 2's rclpy (import of rclpy halted; None in sys.modules); source ROS 2's setup.bash"),
    ("clipseg_ros.msg", "messages are missing"),
])
def test_what_is_missing_is_one_sentence(monkeypatch, capsys, command, module, words):
    monkeypatch.setitem(sys.modules, "rclpy", Message())
    monkeypatch.setitem(sys.modules, module, None)
    assert main([command]) == 1
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1 and error.startswith(f"clipseg {command}: ")


@pytest.mark.parametrize(("command", "status"), [("watch", 0), ("ask", 130)])
def test_ctrl_c_is_quiet(monkeypatch, capsys, command, status):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "require_ros", interrupt)
    assert main([command]) == status
    assert capsys.readouterr() == ("", "")


class Graph:
    """A node of rclpy, as far as it knows who is there: services of nodes, topics with a publisher."""

    def __init__(self, nodes=(), topics=()):
        self.services, self.topics = [f"{node}/segment" for node in nodes], topics

    def get_service_names_and_types(self):
        asked_for = "/nowhere/segment"
        return [("/a", ["x/y"]), *((name, ["clipseg_ros/srv/Segment"]) for name in (*self.services, asked_for))]

    def count_services(self, name):
        return self.services.count(name)

    def get_topic_names_and_types(self):
        return [(name, ["clipseg_ros/msg/SegmentedObjectArray"]) for name in (*self.topics, "/clipseg/silent/objects")]

    def count_publishers(self, name):
        return self.topics.count(name)


@pytest.mark.parametrize(("graph", "camera", "words"), [
    (Graph(), "", "no node /clipseg appeared within 2 s (ROS_DOMAIN_ID 7); start it with"),
    (Graph(["/robot/clipseg"]), "", "name one that is there: --node /robot/clipseg"),
    (Graph(["/clipseg"]), "", "is there but publishes nothing"),
    (Graph(["/clipseg"], ["/clipseg/objects"]), "rear", "has one camera only; leave out --camera rear"),
    (Graph(["/clipseg"], ["/clipseg/left/objects", "/clipseg/front/objects"]), "",
     "has several cameras; choose one with --camera: front, left"),
    (Graph(["/clipseg"], ["/clipseg/left/objects", "/clipseg/front/objects"]), "rear",
     "has no camera 'rear'; choose one with --camera: front, left"),
])
def test_why_there_is_nothing_to_watch(monkeypatch, graph, camera, words):
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    visitor = watch.Visitor(graph, Message(add_node=lambda node: None))
    assert words in watch._why_no_objects(visitor, Message(node="/clipseg", camera=camera, wait=2.0))
