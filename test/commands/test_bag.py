# SPDX-License-Identifier: Apache-2.0
"""`clipseg bag` from the command line's side, read back by other libraries."""
from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rosbags")
pytest.importorskip("mcap_ros2")
from mcap_ros2.reader import read_ros2_messages  # noqa: E402
from recordings import IMAGE, OPTICAL, PERIOD, START, home, image, record  # noqa: E402

from clipseg_ros.cli import main  # noqa: E402
from clipseg_ros.clipseg import Segmenter  # noqa: E402

COUNT, LONG = 6, 300
TOPICS = {"/clipseg/mask": "sensor_msgs/msg/Image", "/clipseg/objects": "clipseg_ros/msg/SegmentedObjectArray",
          "/clipseg/poses": "geometry_msgs/msg/PoseArray", "/clipseg/overlay": "sensor_msgs/msg/Image"}


@pytest.fixture(autouse=True, scope="module")
def loaded():
    """The weights, once for all tests."""
    network = Segmenter.load("demo", device="cpu")
    patch = pytest.MonkeyPatch()
    patch.setattr(Segmenter, "load", lambda *_, **__: network)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("bags") / "home", home(COUNT))


def bag(*arguments) -> int:
    return main(["bag", *map(str, arguments)])


def decoded(path: Path) -> dict[str, list]:
    """The messages of each topic, as mcap-ros2-support decodes them by the definitions in the file."""
    found: dict[str, list] = {}
    for one in read_ros2_messages(str(path)):
        assert one.schema.name == TOPICS[one.channel.topic]
        found.setdefault(one.channel.topic, []).append((one.log_time_ns, one.ros_msg))
    return found


def pixels(message) -> np.ndarray:
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, -1)


def frames_of(path: Path) -> list[np.ndarray]:
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return frames


@pytest.mark.parametrize(("kind", "how"), [("mcap", "raw"), ("db3", "compressed"), ("bag", "compressed")])
def test_what_is_written_is_to_be_played_beside_the_recording(tmp_path, capsys, kind, how):
    path = record(tmp_path / f"home.{kind}", home(COUNT, how=how), kind=kind)
    out, video, table = tmp_path / "new" / "out.mcap", tmp_path / "out.mp4", tmp_path / "out.csv"
    assert bag(path, "-p", "chair=0.4; lamp", "-p", "mug", "--target-frame", "base_link", "-o", out, "--video", video,
               "--csv", table) == 0
    found = decoded(out)
    stamps = [START + index * PERIOD for index in range(COUNT)]
    for topic in TOPICS:
        assert [received for received, _ in found[topic]] == stamps
        assert [one.header.stamp.sec * 10**9 + one.header.stamp.nanosec for _, one in found[topic]] == stamps
    arrays = [one for _, one in found["/clipseg/objects"]]
    assert all(one.header.frame_id == OPTICAL and one.pose_frame_id == "base_link" for one in arrays)
    assert arrays[0].prompts == ["chair", "lamp", "mug"]
    assert arrays[0].thresholds == pytest.approx([0.4, 0.5, 0.5])
    objects = [one for array in arrays for one in array.objects]
    assert objects and all(one.has_pose and 0.3 < one.pose.pose.position.x < 8 for one in objects), "ahead of the robot"
    assert [len(one.poses) for _, one in found["/clipseg/poses"]] == [len(array.objects) for array in arrays]
    for (_, mask), array, (_, overlay) in zip(found["/clipseg/mask"], arrays, found["/clipseg/overlay"]):
        assert (mask.encoding, overlay.encoding) == ("mono8", "rgb8")
        union = np.zeros((240, 320), bool)
        for one in array.objects:
            roi = one.roi
            union[roi.y_offset:roi.y_offset + roi.height, roi.x_offset:roi.x_offset + roi.width] |= (
                pixels(one.mask)[..., 0] > 0)
        assert (union == (pixels(mask)[..., 0] > 0)).mean() > 0.99
    for frame, (_, overlay) in zip(frames_of(video), found["/clipseg/overlay"], strict=True):
        assert np.abs(frame.astype(int) - pixels(overlay)).mean() < 12, "MPEG-4 loses a little"
    rows = list(csv.DictReader(table.open()))
    assert [(row["stamp"], row["prompt"], int(row["track_id"])) for row in rows] == [
        (f"{array.header.stamp.sec}.{array.header.stamp.nanosec:09d}", one.prompt, one.track_id)
        for array in arrays for one in array.objects]
    assert [float(row["x"]) for row in rows] == pytest.approx([one.pose.pose.position.x for one in objects], abs=1e-3)
    printed = capsys.readouterr()
    seen = Counter(prompt for array in arrays for prompt in {one.prompt for one in array.objects})
    assert [line.split()[:4] for line in printed.out.splitlines()[1:]] == [
        [prompt, str(seen[prompt]), "of", str(COUNT)] for prompt in ("chair", "lamp", "mug")]
    assert f"image:       {IMAGE}" in printed.err


def test_a_part_of_it(tmp_path, recording):
    out = tmp_path / "out.mcap"
    assert bag(recording, "-p", "chair", "-o", out, "--no-overlay", "--every", 2, "--start", 0.15, "--end", 0.6) == 0
    found = decoded(out)
    assert "/clipseg/overlay" not in found
    assert [received for received, _ in found["/clipseg/mask"]] == [START + 2 * PERIOD, START + 4 * PERIOD]


def test_a_cut_recording_gives_what_it_holds_and_says_so(tmp_path, recording, capsys):
    data = (recording / "home.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(data[:len(data) // 2])
    assert bag(tmp_path / "cut.mcap", "-p", "chair", "-o", tmp_path / "out.mcap") == 0
    assert 1 <= len(decoded(tmp_path / "out.mcap")["/clipseg/mask"]) < COUNT
    assert "cut.mcap is cut off or damaged" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "says"), [
    (["--image", "/camera/colour/image_raw"], f"has no topic /camera/colour/image_raw; the nearest is {IMAGE}"),
    (["-o", "out.db3"], "-o out.db3 must end in .mcap"),
    (["--start", "99"], "--start is 99 s, but "),
    (["-p", "@cup"], "@cup names a picture that a node has stored; here only texts can be looked for"),
])
def test_what_is_wrong_is_one_sentence(recording, capsys, arguments, says):
    assert bag(recording, "-p", "chair", *arguments) == 1
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_nothing_that_is_there_is_lost(tmp_path, recording, capsys):
    (tmp_path / "old.mcap").write_text("precious")
    assert bag(recording, "-p", "chair", "-o", tmp_path / "old.mcap") == 1
    assert bag(recording, "-p", "chair", "-o", recording / "new.mcap", "--overwrite") == 1
    assert bag(recording / "home.mcap", "-p", "chair", "-o", recording / "home.mcap", "--overwrite") == 1
    assert (tmp_path / "old.mcap").read_text() == "precious"
    assert capsys.readouterr().err.count("name another") == 3
    assert bag(recording, "-p", "chair", "-o", tmp_path / "old.mcap", "--overwrite", "--every", 9) == 0
    assert decoded(tmp_path / "old.mcap")


def test_the_same_trouble_is_told_once_and_counted(tmp_path, capsys):
    sent = [image(np.zeros((240, 320, 3), np.uint8), "rgb8" if index == 0 else "bgr565", START + index * PERIOD)
            for index in range(4)]
    assert bag(record(tmp_path / "home", sent), "-p", "chair") == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "cannot be read" in line]
    assert len(told) == 2 and told[1].startswith("clipseg bag: 3 times: ")


def test_without_the_extra_it_says_how_to_get_it(recording, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rosbags", None)
    assert bag(recording, "-p", "chair") == 1
    assert "pip install 'clipseg_ros[bags]'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def long(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("bags") / "long", home(LONG, how="compressed"))


@pytest.fixture
def running(tmp_path, long, video):
    """The command on a long recording, at work, in a process in which nothing of ROS can be imported."""
    code = ("import sys\nsys.modules.update(dict.fromkeys(['rclpy', 'sensor_msgs', 'std_msgs', 'geometry_msgs', "
            "'clipseg_ros.msg', 'rosidl_runtime_py']))\nfrom clipseg_ros.cli import main\nsys.exit(main())\n")
    arguments = ["bag", long, "-p", "chair", "-o", tmp_path / "out.mcap", "--video", tmp_path / video,
                 "--csv", tmp_path / "out.csv"]
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE,
                               stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        while not (tmp_path / video).is_file() or (tmp_path / video).stat().st_size < 30_000:
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("how", "video"), [(signal.SIGINT, "out.mp4"), (signal.SIGTERM, "out.mkv"),
                                            (signal.SIGKILL, "out.mkv")])
def test_an_interrupted_run_leaves_files_that_can_be_read(running, tmp_path, how, video):
    running.send_signal(how)
    out, err = running.communicate(timeout=60)
    found = decoded(tmp_path / "out.mcap")
    frames = frames_of(tmp_path / video)
    assert 1 <= len(found["/clipseg/mask"]) < LONG and 1 <= len(frames) < LONG
    assert list(csv.DictReader((tmp_path / "out.csv").open()))
    if how == signal.SIGKILL:
        return
    assert running.returncode == 130
    assert b"clipseg bag: interrupted" in err and b"Traceback" not in err
    assert len(found["/clipseg/mask"]) - len(frames) in (0, 1), "all that was found until then"
    assert out.decode().splitlines()[1].startswith("chair ")
