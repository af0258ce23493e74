# SPDX-License-Identifier: Apache-2.0
"""What is written is read by others: rosbags and the decoder of mcap-ros2-support, at any moment."""
from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rosbags")
pytest.importorskip("mcap_ros2")
from mcap_ros2.reader import read_ros2_messages  # noqa: E402
from recordings import ROS2, header  # noqa: E402
from rosbags.highlevel import AnyReader  # noqa: E402

from clipseg_ros.bags.types import IMAGE, to_image  # noqa: E402
from clipseg_ros.bags.writing import SETTLED_EVERY, ResultWriter  # noqa: E402


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def picture(index: int) -> np.ndarray:
    return np.full((48, 64, 3), index, np.uint8)


def write(writer: ResultWriter, index: int) -> None:
    writer.write("/clipseg/overlay", IMAGE, to_image(picture(index), "rgb8", header(ROS2.types, index * 10**9)), index)


def stamps(path) -> list[int]:
    """Of the pictures, by two readers that must agree."""
    with AnyReader([path]) as reader:
        found = [(received, reader.deserialize(data, one.msgtype)) for one, received, data in reader.messages()]
    decoded = [(one.log_time_ns, one.ros_msg) for one in read_ros2_messages(str(path))]
    for (received, message), (other_received, other) in zip(found, decoded, strict=True):
        assert (received, message.header.stamp.sec) == (other_received, other.header.stamp.sec)
        assert bytes(message.data) == bytes(other.data) == picture(received).tobytes()
    return [received for received, _ in found]


def test_the_file_is_whole_whenever_it_was_settled(tmp_path):
    clock = Clock()
    writer = ResultWriter(tmp_path / "a.mcap", clock=clock)
    assert stamps(tmp_path / "a.mcap") == []
    for index in range(12):
        write(writer, index)
        if index % 3 == 2:
            clock.now += SETTLED_EVERY
            write(writer, index + 100)  # the clock is looked at with a message
            assert stamps(tmp_path / "a.mcap")[-1] == index + 100
    write(writer, 77)
    writer.close()
    assert len(stamps(tmp_path / "a.mcap")) == 17


def test_a_killed_writer_leaves_a_file_that_others_read(tmp_path):
    path = tmp_path / "killed.mcap"
    code = ("import sys, time; sys.path[:0] = sys.argv[2:]\nfrom pathlib import Path\nimport test_writing as t\n"
            "writer = t.ResultWriter(Path(sys.argv[1]))\n"
            "for index in range(200):\n    t.write(writer, index)\n"
            "writer.settle()\nt.write(writer, 200)\nprint('written', flush=True)\ntime.sleep(60)\n")
    folder = os.path.dirname(__file__)
    with subprocess.Popen([sys.executable, "-c", code, str(path), folder, f"{folder}/../helpers"],
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    assert stamps(path) == list(range(200))
