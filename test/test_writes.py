# SPDX-License-Identifier: Apache-2.0
"""The node and the commands change no file but in the user's cache, ROS's log folder and the paths they are given.

What Python does is watched as it happens; what libraries in C and Rust leave behind is looked for afterwards.
"""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from pictures import PICTURE

from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.clipseg.weights.checkpoints import save_checkpoint

ROOT = Path(__file__).parents[1]
WATCHER = ROOT / "test" / "helpers" / "watched"
ALLOWED = ("home/.cache", "home/.ros", "scratch", "given")
"""Below the test's folder; what tests and the watching itself need comes to it."""
COMMANDS = {
    "segment": ("segment ../given/a.png -p mug --weights untrained --device cpu -o ../given/found/overlay.png "
                "--alpha ../given/alpha.png --npz ../given/arrays.npz", "given/found/overlay.png"),
    "onnxruntime": ("segment ../given/a.png -p mug --weights ../given/own.safetensors --backend onnxruntime",
                    "home/.cache/huggingface/assets/clipseg_ros"),
    "openvino": ("segment ../given/a.png -p mug --weights ../given/own.safetensors --backend openvino",
                 "home/.cache/huggingface/assets/clipseg_ros"),
    "weights": ("weights convert ../given/own.safetensors ../given/half.safetensors --half", "given/half.safetensors"),
    "scenes": ("scenes 1 -o ../given/scenes --size 64x48", "given/scenes/scenes.jsonl"),
}
"""Arguments of `clipseg`, typed in the folder `here`, and something that it writes."""
NEEDED = {"scenes": "mujoco", "onnxruntime": "onnxruntime", "openvino": "openvino"}


@pytest.fixture
def home(tmp_path) -> dict[str, str]:
    """The surroundings of a user who has nothing yet, in `tmp_path`, watched."""
    for name in ("home", "here", "scratch", "given"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "given" / "a.png"), PICTURE)
    own = tmp_path / "home"
    return {**os.environ, "HOME": str(own), "XDG_CACHE_HOME": str(own / ".cache"), "TMPDIR": str(tmp_path / "scratch"),
            "HF_HOME": str(own / ".cache" / "huggingface"), "ROS_HOME": str(own / ".ros"),
            "ROS_LOG_DIR": str(own / ".ros" / "log"), "WATCHED_WRITES": str(tmp_path / "writes"),
            "PYTHONPATH": os.pathsep.join([str(WATCHER), os.environ["PYTHONPATH"]]), "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "scratch")}  # that of this process else


def strays(folder: Path) -> set[str]:
    """What was changed that may not be."""
    watched = {Path(line.split("\t")[1]) for line in (folder / "writes").read_text().splitlines()}
    left = {path for path in folder.rglob("*") if path.is_file()}
    allowed = [folder / name for name in (*ALLOWED, "writes", "node.log")] + [Path("/dev")]
    return {str(path) for path in watched | left
            if not any(path.is_relative_to(place) or place.is_relative_to(path) for place in allowed)}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_writes_where_it_may(tmp_path, home, name):
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    typed, made = COMMANDS[name]
    save_checkpoint(CLIPSeg(SMALL), tmp_path / "given" / "own.safetensors")
    ended = subprocess.run([sys.executable, "-m", "clipseg_ros.cli", *typed.split()], cwd=tmp_path / "here", env=home,
                           capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / made).exists()
    assert strays(tmp_path) == set()
    assert not (tmp_path / "home/.cache/Microsoft").exists(), "ONNX Runtime keeps there what it tells its makers"


@pytest.mark.ros
def test_the_node_writes_where_it_may(tmp_path, home, peer, monkeypatch):
    from array import array

    from builtin_interfaces.msg import Time
    from geometry_msgs.msg import PoseStamped
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    from clipseg_ros.demo.process import NodeProcess
    from clipseg_ros.msg import Memory

    monkeypatch.chdir(tmp_path / "here")
    memory = tmp_path / "given" / "memory.safetensors"
    parameters = {"weights": "untrained", "device": "cpu", "prompts": ["mug"], "memory_size": 5.0,
                  "memory_frame": "map", "memory_file": str(memory)}
    stamp, latched = Time(sec=100), QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    pose = PoseStamped(header=Header(stamp=stamp, frame_id="map"))
    image = Image(header=Header(stamp=stamp, frame_id="camera"), width=64, height=48, encoding="rgb8", step=192,
                  data=array("B", PICTURE.tobytes()))
    process = NodeProcess(parameters, namespace="/watched", log=tmp_path / "node.log", environment=home).start()
    try:
        peer.wait_until_active(process, "/watched/clipseg")
        with peer.publisher(Image, "/watched/image") as images, \
                peer.publisher(PoseStamped, "/watched/camera_pose") as poses, \
                peer.listener(Memory, "/watched/clipseg/memory", latched) as told:
            peer.repeat(lambda: (poses.publish(pose), images.publish(image)), lambda: told and told[-1].keyframes,
                        "a picture to be remembered")
    finally:
        process.stop()
    assert memory.is_file()
    assert strays(tmp_path) == set()


@pytest.mark.parametrize("program", [
    "open('stray', 'w')", "import os; os.mkdir('stray')", "import os; os.rename('../given/a.png', 'stray')",
    "import pathlib; pathlib.Path('stray').touch()", "import os; os.symlink('../given/a.png', 'stray')",
    "import cv2; import numpy; cv2.imwrite('stray.png', numpy.zeros((2, 2)))",
    "open('stray', 'w'); import os; os.remove('stray')",
    "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import os; os.remove(\"stray\")'])",
])
def test_a_stray_is_seen(tmp_path, home, program):
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path / "here", env=home, check=True)
    assert {Path(path).stem for path in strays(tmp_path)} == {"stray"}
